// SPDX-License-Identifier: GPL-2.0-or-later
//
// The one contract between the builder and the image: /etc/kdump-init.conf inside it, a text file
// of "KEY VALUE" lines. The builder decides everything; init only reads. Used on both sides, so it
// needs neither heap nor exceptions.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace kdinit {

inline constexpr std::string_view kConfigPath = "/etc/kdump-init.conf";
inline constexpr std::string_view kConfigVersion = "2";

// Larger configurations are refused by parse(), which the builder calls on what it writes: a
// machine learns of them before the crash and not from init.
inline constexpr std::size_t kMaxConfigBytes = std::size_t{64} << 10;
inline constexpr std::size_t kMaxValueBytes = 512;
inline constexpr std::size_t kMaxModules = 512;
inline constexpr std::size_t kMaxArguments = 32;
inline constexpr std::size_t kMaxSysctls = 64;
inline constexpr std::size_t kMaxPacked = 64;
inline constexpr std::size_t kMaxLayers = 16;
inline constexpr std::size_t kMaxMembers = 16;  // of a btrfs

struct ModuleLine {
  std::string_view path;     // "/lib/modules/ext4.ko"
  std::string_view options;  // may be empty
  bool for_root = false;     // loaded only when init hands over to the root
};

template <typename T, std::size_t N>
struct List {
  std::array<T, N> items{};
  std::size_t count = 0;
  [[nodiscard]] const T* begin() const { return items.data(); }
  [[nodiscard]] const T* end() const { return items.data() + count; }
  [[nodiscard]] bool empty() const { return count == 0; }
  bool push(const T& item) {
    if (count == N) return false;
    items[count++] = item;
    return true;
  }
};

enum class FinalAction { kReboot, kHalt, kPoweroff };
enum class CaptureMode { kDirect, kRootfs };

// A file system as init finds and mounts it.
struct FileSystem {
  std::string_view type;     // ext2, ext3, ext4, xfs, btrfs or vfat
  std::string_view uuid;     // as libblkid prints it, lower case except vfat
  std::string_view options;  // data for mount(2), so only options of the file system itself
                             // (subvol=...), never noatime, nosuid ...
};

enum class LayerKind { kLvm, kMultipath, kMd, kLuks };

// A device that init makes of others before the file system on it can be seen. Told by identity
// alone: what it consists of is read from the disks themselves, because a table of blocks would be
// of yesterday after lvextend or pvmove, and then write into what belongs to somebody else.
struct Layer {
  LayerKind kind = LayerKind::kLvm;
  std::string_view id;          // no two of a kind have the same
  std::string_view parameters;  // of the kind; may be empty
};
// As the key has it: "lvm".
std::string_view name_of(LayerKind kind);

// Views point into the text given to parse(). Keys come in any order; `module`, `root-module`,
// `unpack`, `layer`, `dump-argument`, `retry-argument` and `sysctl` repeat and keep their order,
// every other key appears at most once.
// kernel must be there; target-type, target-uuid and dump-directory unless capture is rootfs;
// root-type and root-uuid when it is, and else both or none of them.
struct InitConfig {
  std::string_view kernel;  // "kernel": uname -r the image was built for
  std::string_view
      time_zone;  // "time-zone": POSIX TZ string for STAMP, e.g. "CET-1CEST,M3.5.0,
                  // M10.5.0/3"; absent means UTC. "UTC0" where the RTC keeps local time
  // "capture": direct, init saves the dump; or rootfs, the real root does, which init starts.
  CaptureMode capture = CaptureMode::kDirect;
  // "module": PATH [OPTIONS]; PATH is absolute. One that ends in ".xz" is unpacked first.
  // "root-module": the same for the root alone, when it is not where the dump goes: a driver with
  // its queues takes memory that makedumpfile may need.
  List<ModuleLine, kMaxModules> modules;
  // "unpack": PATH of a program or library "X.xz" that becomes the file X, after the modules.
  List<std::string_view, kMaxPacked> packed;
  // "layer": KIND ID [PARAMETERS], all that lead to the target or the root, in any order and each
  // once:
  //   lvm LVID VGID      a logical volume and its group, each id 6-4-4-4-4-4-6 letters and digits
  //   multipath DIGEST PATHS failover|single, multipath DIGEST/PARTITION: see
  //   storage/multipath_id.h
  //   md UUID MEMBER...  an array of md as mdadm prints its UUID, and its members that were active
  //                      when the image was built, see md::MemberId. Not how often it was changed:
  //                      that grows all the time, and no image would be fresh.
  //   luks UUID KEY CIPHER NAME
  //                      an encrypted volume by its header: where its key comes from, "image" or
  //                      "kernel", the cipher that modules are there for, the name it gets
  List<Layer, kMaxLayers> layers;
  FileSystem target;  // "target-type", "target-uuid", "target-options"
  // "root-type", "root-uuid", "root-options": the machine's root file system; with capture direct
  // it is what init starts when it could save nothing itself.
  FileSystem root;
  std::string_view dump_directory;  // "dump-directory": below the root of the mounted file system,
                                    // absolute, without symbolic links and without "." or ".."
  // "target-timeout": seconds to wait for the device, of the root as well; 1..3600
  std::uint32_t target_timeout = 60;
  // "stall-timeout": seconds without progress after which makedumpfile is ended (its file does not
  // grow) or the machine restarted (init itself hangs in the kernel); 0..86400, 0 = wait for ever.
  // Filtering writes nothing for minutes on a machine with terabytes of memory.
  std::uint32_t stall_timeout = 600;
  List<std::string_view, kMaxArguments> dump_arguments;   // "dump-argument": for makedumpfile
  List<std::string_view, kMaxArguments> retry_arguments;  // "retry-argument"; none = no retry
  std::string_view dump_note;    // "dump-note": on these arguments, for the report; may be empty
  bool skip_dmesg = false;       // "skip-dmesg 1": no dmesg.STAMP beside the dump
  bool dmesg_only = false;       // "dmesg-only 1": no dump; wins over skip-dmesg
  std::uint32_t keep_dumps = 0;  // "keep-dumps": KDUMP_NUM_DUMPS, 0 = all, at most 1000000
  // reboot, halt or poweroff.
  FinalAction final_action = FinalAction::kReboot;    // "final-action": after what was asked for
  FinalAction failure_action = FinalAction::kReboot;  // "failure-action": after anything less
  List<std::string_view, kMaxSysctls> sysctls;        // "sysctl": PATH=VALUE, below /proc/sys
};

// Where parsing stopped and why; line 0 means no error. A missing key is reported for the line
// after the last.
struct ParseError {
  std::size_t line = 0;
  const char* message = "";
};

// Strict: unknown keys, missing values, a wrong first line ("kdump-init 2") and control characters
// are errors. Blank lines and lines starting with '#' are skipped. The first blank of a line ends
// the key; the value is the rest, as it is. `config` must be fresh.
[[nodiscard]] ParseError parse(std::string_view text, InitConfig& config);

}  // namespace kdinit
