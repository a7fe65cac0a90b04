// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/write/image_file.h"

#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <thread>

namespace kd {
namespace {

// The largest module of Debian 12 (i915) is 8 MB; more than this is a damaged or hostile file.
constexpr std::size_t kLargestModule = std::size_t{256} << 20;

// Init has no other large allocation while it unpacks a file, so the dictionary may be 1 MiB; more
// makes the largest module, ext4 with 2 MiB, 1 % smaller.
constexpr int kPackedWindowLog = 20;

// Every packed file as the stream init unpacks; the others as they are. One thread takes one file
// at a time, so that which thread packs it cannot change a byte.
Result<std::vector<cpio::Entry>> packed_entries(const ImagePlan& plan,
                                                const std::vector<cpio::Entry>& entries,
                                                const ImageSettings& settings) {
  std::vector<cpio::Entry> stored = entries;
  std::vector<Result<std::string>> streams(entries.size());
  const cpio::Compression stream{.codec = cpio::Codec::kXz, .window_log = kPackedWindowLog};
  std::atomic<std::size_t> next = 0;
  const auto pack = [&] {
    for (std::size_t i = next++; i < entries.size(); i = next++) {
      if (plan.entries[i].packed) streams[i] = cpio::compress(entries[i].data, stream);
    }
  };
  {
    std::vector<std::jthread> threads;
    for (unsigned i = 0; i < settings.compression.threads; ++i) threads.emplace_back(pack);
  }
  for (std::size_t i = 0; i < entries.size(); ++i) {
    if (!plan.entries[i].packed) continue;
    if (!streams[i]) return in_context(entries[i].path, streams[i].error());
    stored[i].data = std::move(*streams[i]);
  }
  return stored;
}

}  // namespace

Result<std::vector<cpio::Entry>> plain_entries(const ImagePlan& plan,
                                               std::vector<std::string> contents) {
  std::vector<cpio::Entry> result;
  result.reserve(plan.entries.size());
  for (std::size_t i = 0; i < plan.entries.size(); ++i) {
    const PlanEntry& entry = plan.entries[i];
    std::string data = std::move(contents[i]);
    if (entry.group == Group::kModule) {
      Result<std::string> plain = cpio::decompress(data, kLargestModule);
      if (!plain) return in_context(entry.source_path, plain.error());
      data = std::move(*plain);
      if (!data.starts_with("\177ELF")) {
        return fail(ErrorKind::kFailed,
                    "{} is not an ELF file: truncated or in an unknown compression; reinstall the "
                    "kernel package",
                    entry.source_path);
      }
    }
    result.push_back({.path = entry.path, .mode = entry.mode, .data = std::move(data)});
  }
  return result;
}

Result<std::string> make_image(const ImagePlan& plan, const std::vector<cpio::Entry>& entries,
                               const ImageSettings& settings) {
  std::vector<cpio::Entry> packed;
  if (plan.variant.packed) {
    KD_TRY(packed, packed_entries(plan, entries, settings));
  }
  // What is packed would only grow, and every decoder takes memory where there is least of it.
  const cpio::Compression compression =
      plan.variant.packed ? cpio::Compression{.codec = cpio::Codec::kNone} : settings.compression;
  KD_TRY(std::string image,
         cpio::write_archive(plan.variant.packed ? packed : entries, settings.mtime));
  KD_TRY(image, cpio::compress(image, compression));
  KD_CHECK(verify_image(image, plan, entries));
  return image;
}

Result<void> verify_image(std::string_view image, const ImagePlan& plan,
                          const std::vector<cpio::Entry>& entries) {
  KD_TRY(const std::vector<cpio::SegmentContent> segments, cpio::read_image(image));
  std::map<std::string_view, const cpio::Entry*> found;
  for (const cpio::SegmentContent& segment : segments) {
    for (const cpio::Entry& entry : segment.entries) {
      if (found.emplace(entry.path, &entry).second) continue;
      return fail(ErrorKind::kFailed, "verification: {} is in the image twice", entry.path);
    }
  }
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const cpio::Entry& expected = entries[i];
    const auto in_image = found.find(expected.path);
    if (in_image == found.end()) {
      return fail(ErrorKind::kFailed, "verification: {} is missing in the image", expected.path);
    }
    std::string data = in_image->second->data;
    if (plan.entries[i].packed) {
      KD_TRY(data, cpio::decompress(data, std::max(expected.data.size(), std::size_t{1})));
    }
    if (in_image->second->mode != expected.mode || data != expected.data) {
      return fail(ErrorKind::kFailed, "verification: {} differs in the image", expected.path);
    }
    found.erase(in_image);
  }
  for (const auto& [path, entry] : found) {
    if (S_ISDIR(entry->mode)) continue;  // the archive adds what leads to a file
    return fail(ErrorKind::kFailed, "verification: {} does not belong into the image", path);
  }
  return {};
}

}  // namespace kd
