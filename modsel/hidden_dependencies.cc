// SPDX-License-Identifier: GPL-2.0-or-later
#include "modsel/hidden_dependencies.h"

#include <algorithm>

namespace modsel {
namespace {

// Not here, because the kernel says it by itself: crc32c of ext4, jbd2, btrfs and xfs (softdeps,
// xfs through libcrc32c). Not here, because only the machine can tell: the transport below a virtio
// or NVMe device (virtio_pci, virtio_mmio, vmd: their modaliases are on the way to the disk), RAID
// levels (ask for "md-raid1"), ciphers (ask for "crypto-xts"), other character sets of vfat (ask
// for what codepage= and iocharset= say).
constexpr HiddenDependency kHidden[] = {
    // fat_fill_super() fails without the tables of FAT_DEFAULT_CODEPAGE and, for vfat, of
    // FAT_DEFAULT_IOCHARSET, with utf8 as well. 11-13 KB each.
    {"fat", "nls_cp437", When::kAlways, "default code page of FAT"},
    {"vfat", "nls_ascii", When::kAlways, "default character set of vfat (Debian)"},
    {"vfat", "nls_iso8859_1", When::kAlways, "default character set of vfat (upstream, Ubuntu)"},
    // Without the handler, I/O to the passive paths of an array fails or waits for minutes.
    {"sd_mod", "scsi_dh_alua", When::kLoaded, "path handler in use on this machine"},
    {"sd_mod", "scsi_dh_emc", When::kLoaded, "path handler in use on this machine"},
    {"sd_mod", "scsi_dh_hp_sw", When::kLoaded, "path handler in use on this machine"},
    {"sd_mod", "scsi_dh_rdac", When::kLoaded, "path handler in use on this machine"},
    // mlx4_request_modules() until Linux 6.5: the network device is not in the PCI driver.
    {"mlx4_core", "mlx4_en", When::kLoaded, "the Ethernet half of mlx4_core"},
};

constexpr NeedlessSoftdep kNeedless[] = {
    // crc_t10dif_update() uses crct10dif_common when there is no such algorithm, and only disks
    // with protection information ask for it. Saves two modules of every SCSI disk.
    {"crc_t10dif", "crct10dif", "falls back to its own table"},
};

}  // namespace

std::span<const HiddenDependency> hidden_dependencies() { return kHidden; }

bool is_needless_softdep(std::string_view module, std::string_view soft) {
  return std::ranges::any_of(kNeedless, [&](const NeedlessSoftdep& entry) {
    return entry.module == module && entry.soft == soft;
  });
}

}  // namespace modsel
