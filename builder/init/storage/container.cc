// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/init/storage/container.h"

#include <string.h>

#include <algorithm>

#include "builder/init/storage/lvm.h"
#include "builder/init/storage/md.h"

namespace kdinit {
namespace {

bool has_text(BlockReader& device, std::uint64_t offset, std::string_view text) {
  char bytes[32];
  return device.read(offset, bytes, text.size()) == 0 &&
         std::string_view(bytes, text.size()) == text;
}

bool is_md_member(BlockReader& device) {
  return std::any_of(md::kVersions.begin(), md::kVersions.end(),
                     [&](md::Version version) { return md::has_superblock(device, version); });
}

// Metadata of firmware lies at the end of a disk. Intel's is in the last sector but one, whose size
// is that of the disk (mdadm: super-intel.c); that of SNIA in the last one, or with Adaptec 256
// before it (util-linux: ddf_raid.c).
bool is_isw_member(BlockReader& device) {
  constexpr std::string_view kSignature = "Intel Raid ISM Cfg Sig. ";
  return has_text(device, device.size() - std::uint64_t{2} * 512, kSignature) ||
         has_text(device, device.size() - std::uint64_t{2} * 4096, kSignature);
}

bool is_ddf_member(BlockReader& device) {
  constexpr std::string_view kMagic = "\xde\x11\xde\x11";
  return has_text(device, device.size() - 512, kMagic) ||
         has_text(device, device.size() - std::uint64_t{257} * 512, kMagic);
}

bool is_luks(BlockReader& device) {
  char bytes[8];  // magic, version in big endian
  return device.read(0, bytes, sizeof bytes) == 0 && ::memcmp(bytes, "LUKS\xba\xbe\0", 7) == 0 &&
         (bytes[7] == 1 || bytes[7] == 2);
}

}  // namespace

std::string_view container_on(BlockReader& device) {
  if (is_md_member(device)) return kMdMember;
  if (is_isw_member(device)) return kIswMember;
  if (is_ddf_member(device)) return kDdfMember;
  if (is_luks(device)) return kLuksVolume;
  lvm::Label label;
  return lvm::read_label(device, label) != lvm::LabelState::kNone ? kLvmMember : "";
}

}  // namespace kdinit
