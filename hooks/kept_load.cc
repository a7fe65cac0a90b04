// SPDX-License-Identifier: GPL-2.0-or-later
#include "hooks/kept_load.h"

#include <filesystem>

#include "builder/base/atomic_file.h"

namespace kd {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kKept = "/var/lib/kdump/loaded";
constexpr std::string_view kInitrdOption = "--initrd=";

Result<void> keep_file(const Context& context, const std::string& file, const fs::path& kept) {
  KD_TRY(const std::string host, context.reader.host_path(file));
  std::error_code error;
  fs::create_hard_link(host, kept, error);
  if (error) fs::copy_file(host, kept, error);  // /boot on its own file system
  if (error) return fail_errno(error.value(), kept.string());
  return {};
}

// Words end in a NUL, because they may hold any other byte.
Result<void> keep_words(const std::vector<std::string>& words, const fs::path& path) {
  std::string text;
  for (const std::string& word : words) text += word + '\0';
  KD_TRY(AtomicFile file, AtomicFile::create(path.string()));
  KD_CHECK(file.write(text));
  return file.publish();
}

}  // namespace

Result<void> keep_load(const Context& context, const LoadPlan& plan,
                       const std::vector<std::string>& command, std::string_view running) {
  KD_TRY(const std::string data, context.reader.host_path(kDataDir));
  const fs::path kept = fs::path(data) / "loaded", made = fs::path(data) / "loaded.new";
  std::error_code error;
  fs::remove_all(made, error);
  fs::create_directory(made, error);
  if (!error) fs::permissions(made, fs::perms::owner_all, error);
  if (error) return fail_errno(error.value(), made.string());
  KD_CHECK(keep_file(context, plan.kernel_file, made / "vmlinuz"));
  std::vector<std::string> words = command;
  words.back() = fmt::format("{}/vmlinuz", kKept);
  if (!plan.initrd_file.empty()) {
    KD_CHECK(keep_file(context, plan.initrd_file, made / "initrd.img"));
    for (std::string& word : words) {
      if (word == fmt::format("{}{}", kInitrdOption, plan.initrd)) {
        word = fmt::format("{}{}/initrd.img", kInitrdOption, kKept);
      }
    }
  }
  words.insert(words.begin(), std::string(running));
  KD_CHECK(keep_words(words, made / "command"));
  fs::remove_all(kept, error);
  fs::rename(made, kept, error);
  if (error) return fail_errno(error.value(), kept.string());
  return {};
}

Result<std::vector<std::string>> kept_command(const FileReader& reader, std::string_view running) {
  KD_TRY(const std::string text, reader.read(fmt::format("{}/command", kKept)));
  std::vector<std::string> words;
  for (std::size_t at = 0, end; (end = text.find('\0', at)) != std::string::npos; at = end + 1) {
    words.push_back(text.substr(at, end - at));
  }
  if (words.size() < 2 || words.front() != running) {
    return fail(ErrorKind::kFailed, "{} is not of a load under {}", kKept, running);
  }
  words.erase(words.begin());
  return words;
}

void forget_load(const Context& context) {
  const Result<std::string> kept = context.reader.host_path(kKept);
  std::error_code ignored;
  if (kept) fs::remove_all(*kept, ignored);
}

}  // namespace kd
