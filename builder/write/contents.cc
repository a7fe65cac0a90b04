// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/write/contents.h"

#include "builder/base/digest.h"

namespace kd {
namespace {

const FileReader& reader_of(const PlanEntry& entry, const Sources& sources) {
  return entry.source == Source::kFile     ? sources.machine
         : entry.source == Source::kKernel ? sources.kernel
                                           : sources.host;
}

tl::unexpected<Error> empty_file(const PlanEntry& entry) {
  return fail(ErrorKind::kFailed, "{} ({}) is empty; reinstall the package it belongs to",
              entry.source_path, entry.reason);
}

}  // namespace

Result<std::vector<std::string>> load_contents(const ImagePlan& plan, const Sources& sources) {
  std::vector<std::string> contents;
  contents.reserve(plan.entries.size());
  for (const PlanEntry& entry : plan.entries) {
    if (entry.source == Source::kDirectory || entry.source == Source::kText) {
      contents.push_back(entry.text);
      continue;
    }
    Result<std::string> data = reader_of(entry, sources).read(entry.source_path);
    if (!data) return in_context(fmt::format("{} ({})", entry.path, entry.reason), data.error());
    if (data->empty()) return empty_file(entry);
    contents.push_back(std::move(*data));
  }
  return contents;
}

Result<std::vector<std::string>> digest_contents(const ImagePlan& plan, const Sources& sources) {
  std::vector<std::string> digests;
  digests.reserve(plan.entries.size());
  for (const PlanEntry& entry : plan.entries) {
    if (entry.source == Source::kDirectory || entry.source == Source::kText) {
      digests.push_back(entry.source == Source::kText ? digest(entry.text) : "");
      continue;
    }
    const Result<FileDigest> file = digest_of_file(reader_of(entry, sources), entry.source_path);
    if (!file) return in_context(fmt::format("{} ({})", entry.path, entry.reason), file.error());
    if (file->size == 0) return empty_file(entry);
    digests.push_back(file->digest);
  }
  return digests;
}

std::vector<std::string> digest_contents(const ImagePlan& plan,
                                         const std::vector<std::string>& contents) {
  std::vector<std::string> digests;
  for (std::size_t i = 0; i < contents.size(); ++i) {
    const bool directory = plan.entries[i].source == Source::kDirectory;
    digests.push_back(directory ? "" : digest(contents[i]));
  }
  return digests;
}

}  // namespace kd
