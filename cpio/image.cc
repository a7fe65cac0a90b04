// SPDX-License-Identifier: GPL-2.0-or-later
#include "cpio/image.h"

#include <utility>

namespace cpio {
namespace {

using kd::ErrorKind;
using kd::fail;
using kd::Result;

Result<SegmentContent> read_segment(std::string_view image, std::size_t offset) {
  SegmentContent content{.codec = codec_of(image.substr(offset)), .offset = offset, .entries = {}};
  ArchivePrefix archive;
  if (content.codec == Codec::kNone) {
    KD_TRY(archive, read_archive_prefix(image.substr(offset)));
    if (archive.size == 0) {
      return fail(ErrorKind::kFailed,
                  "initrd: the bytes at offset {} start neither a newc archive nor a known codec",
                  offset);
    }
    content.stored_size = archive.size;
  } else {
    KD_TRY(const Decompressed unpacked, decompress_prefix(image.substr(offset)));
    KD_TRY(archive, read_archive_prefix(unpacked.data));
    if (unpacked.data.find_first_not_of('\0', archive.size) != unpacked.data.npos) {
      return fail(ErrorKind::kFailed, "initrd: the segment at offset {} is no newc archive",
                  offset);
    }
    content.stored_size = unpacked.consumed;
    content.unpacked_size = unpacked.data.size();
  }
  if (content.codec == Codec::kNone) content.unpacked_size = content.stored_size;
  content.trailer = archive.trailer;
  content.entries = std::move(archive.entries);
  return content;
}

}  // namespace

Result<std::vector<SegmentContent>> read_image(std::string_view image) {
  std::vector<SegmentContent> segments;
  std::size_t offset = 0;
  while ((offset = image.find_first_not_of('\0', offset)) != image.npos) {
    if (offset % 4 != 0) {
      return fail(ErrorKind::kFailed,
                  "initrd: the segment at offset {} is not aligned to 4, the kernel ignores it",
                  offset);
    }
    KD_TRY(SegmentContent content, read_segment(image, offset));
    offset += content.stored_size;
    segments.push_back(std::move(content));
  }
  // Without this a file cut off between two entries would pass for a whole one.
  if (segments.empty() || !segments.back().trailer) {
    return fail(ErrorKind::kFailed, "initrd: no TRAILER!!! at the end, the file is cut off");
  }
  return segments;
}

}  // namespace cpio
