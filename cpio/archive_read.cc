// SPDX-License-Identifier: GPL-2.0-or-later
//
// Strict where libarchive is lenient: its reader looks for the next header behind damage, and so
// cannot prove that an archive is whole.
#include <sys/stat.h>

#include <array>
#include <charconv>
#include <map>
#include <tuple>

#include "cpio/archive.h"

namespace cpio {
namespace {

using kd::ErrorKind;
using kd::fail;
using kd::Result;

constexpr std::string_view kMagic = "070701";
constexpr std::string_view kTrailer = "TRAILER!!!";
constexpr std::size_t kHeaderSize = 110;
// A small archive may name one big file ten thousand times.
constexpr std::size_t kMaxLinkedContent = std::size_t{1} << 30;

// The fields behind the magic, eight hex digits each, in file order.
enum Field {
  kInode,
  kMode,
  kUid,
  kGid,
  kLinks,
  kMtime,
  kFileSize,
  kMajor,
  kMinor,
  kDeviceMajor,
  kDeviceMinor,
  kNameSize,
  kCheck,
  kFieldCount
};
using Fields = std::array<std::uint32_t, kFieldCount>;
using InodeKey = std::tuple<std::uint32_t, std::uint32_t, std::uint32_t>;

constexpr std::size_t align4(std::size_t size) { return (size + 3) & ~std::size_t{3}; }

Result<Fields> parse_header(std::string_view image, std::size_t offset) {
  if (image.size() - offset < kHeaderSize) {
    return fail(ErrorKind::kFailed, "cpio: the header at offset {} is cut off", offset);
  }
  Fields fields{};
  for (std::size_t i = 0; i < fields.size(); ++i) {
    const char* digits = image.data() + offset + kMagic.size() + 8 * i;
    const auto [end, error] = std::from_chars(digits, digits + 8, fields[i], 16);
    if (error != std::errc() || end != digits + 8) {
      return fail(ErrorKind::kFailed, "cpio: the header at offset {} has no number at offset {}",
                  offset, digits - image.data());
    }
  }
  return fields;
}

// Bytes [offset, offset + size) and the padding behind them, which moves `offset` on.
Result<std::string_view> take(std::string_view image, std::size_t& offset, std::size_t size,
                              std::size_t entry_offset) {
  // The name starts 110 bytes behind an aligned header: rounding the end gives its padding too.
  const std::size_t end = offset + size;
  if (end > image.size() || align4(end) > image.size()) {
    return fail(ErrorKind::kFailed, "cpio: the entry at offset {} needs {} bytes, {} are left",
                entry_offset, align4(end) - entry_offset, image.size() - entry_offset);
  }
  const std::string_view bytes = image.substr(offset, size);
  offset = align4(end);
  return bytes;
}

// Gives every name of a hard-linked file its content, which may stand with any one of them.
class Links {
 public:
  void add(const Fields& fields, std::size_t index) {
    if (S_ISREG(fields[kMode]) && fields[kLinks] > 1) {
      sets_[{fields[kMajor], fields[kMinor], fields[kInode]}].push_back(index);
    }
  }

  Result<void> resolve(std::vector<Entry>& entries) const {
    std::size_t total = 0;
    for (const auto& [key, set] : sets_) {
      std::size_t source = set.front();
      for (const std::size_t i : set) {
        if (!entries[i].data.empty()) source = i;  // the kernel lets the last one win
      }
      total += set.size() * entries[source].data.size();
      if (total > kMaxLinkedContent) {
        return fail(ErrorKind::kFailed, "cpio: hard links to \"{}\" expand to more than 1 GiB",
                    entries[source].path);
      }
      for (const std::size_t i : set) {
        if (i != source) entries[i].data = entries[source].data;
      }
    }
    return {};
  }

 private:
  std::map<InodeKey, std::vector<std::size_t>> sets_;
};

}  // namespace

Result<ArchivePrefix> read_archive_prefix(std::string_view image) {
  ArchivePrefix result;
  Links links;
  std::size_t offset = 0;
  while (!result.trailer && image.substr(offset, kMagic.size()) == kMagic) {
    const std::size_t start = offset;
    KD_TRY(const Fields fields, parse_header(image, start));
    offset += kHeaderSize;
    KD_TRY(std::string_view name, take(image, offset, fields[kNameSize], start));
    KD_TRY(const std::string_view data, take(image, offset, fields[kFileSize], start));
    if (name.find('\0') != name.size() - 1 || name.size() < 2) {
      return fail(ErrorKind::kFailed, "cpio: the entry at offset {} has no proper name", start);
    }
    name.remove_suffix(1);
    result.trailer = name == kTrailer;
    if (result.trailer) continue;
    links.add(fields, result.entries.size());
    result.entries.push_back(Entry{.path = std::string(name),
                                   .mode = fields[kMode],
                                   .data = std::string(data),
                                   .device_major = fields[kDeviceMajor],
                                   .device_minor = fields[kDeviceMinor],
                                   .links = fields[kLinks]});
  }
  result.size = offset;
  KD_CHECK(links.resolve(result.entries));
  return result;
}

}  // namespace cpio
