// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/init/storage/container.h"

#include <string.h>

#include <array>

#include "builder/init/storage/little_endian.h"
#include "builder/init/storage/lvm.h"

namespace kdinit {
namespace {

constexpr std::uint64_t kSector = 512, kKiB = 1024;

// include/uapi/linux/raid/md_p.h: struct mdp_superblock_1, and mdp_superblock_s with minor 90.
bool has_md(BlockReader& device, std::uint64_t offset, unsigned major) {
  std::array<unsigned char, 152> bytes;
  if (device.read(offset, bytes.data(), bytes.size()) != 0) return false;
  if (little_endian(bytes, 0, 4) != 0xa92b4efc || little_endian(bytes, 4, 4) != major) return false;
  // Version 1 says where it is, so that what was copied elsewhere is no superblock.
  return major == 1 ? little_endian(bytes, 144, 8) == offset / kSector
                    : little_endian(bytes, 8, 4) == 90;
}

bool is_md_member(BlockReader& device) {
  const std::uint64_t size = device.size();
  if (has_md(device, 0, 1) || has_md(device, 4 * kKiB, 1)) return true;
  if (size < 128 * kKiB) return false;
  return has_md(device, (size / kSector - 16) / 8 * 8 * kSector, 1) ||
         has_md(device, size / (64 * kKiB) * (64 * kKiB) - 64 * kKiB, 0);
}

bool is_luks(BlockReader& device) {
  char bytes[8];  // magic, version in big endian
  return device.read(0, bytes, sizeof bytes) == 0 && ::memcmp(bytes, "LUKS\xba\xbe\0", 7) == 0 &&
         (bytes[7] == 1 || bytes[7] == 2);
}

}  // namespace

std::string_view container_on(BlockReader& device) {
  if (is_md_member(device)) return kMdMember;
  if (is_luks(device)) return kLuks;
  lvm::Label label;
  return lvm::read_label(device, label) != lvm::LabelState::kNone ? kLvmMember : "";
}

}  // namespace kdinit
