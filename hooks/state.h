// SPDX-License-Identifier: GPL-2.0-or-later
//
// What the machine says about kdump. Facts only; nothing is judged or changed here.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "builder/base/rooted_reader.h"
#include "builder/facts/kdump_config.h"
#include "builder/facts/kernel.h"
#include "builder/facts/reservation.h"

namespace kd {

inline constexpr std::string_view kDataDir = "/var/lib/kdump";
inline constexpr std::string_view kKernelLink = "/var/lib/kdump/vmlinuz";
inline constexpr std::string_view kInitrdLink = "/var/lib/kdump/initrd.img";

// Holds the command that loaded the crash kernel; when that was is its modification time.
inline constexpr std::string_view kLoadedMark = "/run/kdump/loaded";

struct KdumpState {
  KdumpConfig config;
  std::string running;            // uname -r
  std::string command_line;       // /proc/cmdline without the newline
  bool crashkernel = false;       // it has a crashkernel= parameter
  bool supported = false;         // the kernel can load a crash kernel
  bool loaded = false;            // and has one
  std::uint64_t reservation = 0;  // bytes that a capture kernel has
  std::uint64_t ram = 0;          // bytes; 0: unknown
  std::string crash_address;      // of the reservation, "0x2d000000"; empty when hidden
  bool firmware_dump = false;     // the firmware takes the dump (fadump), not kexec
  // What allows kexec_file_load(2) only: "Secure Boot", "securelevel", "lockdown=integrity".
  std::string file_load_only;
  // The kernel keeps the loaded crash kernel right by itself when these come and go.
  bool follows_cpus = false, follows_memory = false;
};

// `config_path` as the reader sees it.
Result<KdumpState> read_state(const FileReader& reader, std::string_view config_path);

// Bytes of the reservation that a capture kernel has: of what is `loaded`, or would be.
std::uint64_t usable_reservation(const FileReader& reader, std::string_view kexec_args,
                                 bool loaded);

bool crash_kernel_loaded(const FileReader& reader);

// The kernel files of a version that exist, the usual one first.
std::vector<std::string> kernel_files(const FileReader& reader, std::string_view version);
bool is_installed(const FileReader& reader, std::string_view version);  // has /lib/modules/VERSION
// Versions with modules and a kernel file, newest first.
std::vector<std::string> installed_versions(const FileReader& reader);
std::string image_path(std::string_view version);
std::string manifest_path(std::string_view version);
// A file of some size. What is in it, the builder and its manifest know.
bool has_image(const FileReader& reader, std::string_view version);
// Whether the image saves the dump itself: those of kdump-mkinitrd have a manifest, and the ones of
// mkinitramfs boot the real root.
bool is_direct_image(const FileReader& reader, std::string_view version);
// Versions with an image and a kernel file, newest first.
std::vector<std::string> usable_versions(const FileReader& reader);

}  // namespace kd
