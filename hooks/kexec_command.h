// SPDX-License-Identifier: GPL-2.0-or-later
//
// argv for kexec(8). Pure.
#pragma once

#include <string>
#include <vector>

namespace kd {

struct KexecRequest {
  std::string program;  // path of kexec(8)
  std::string kernel;
  std::string initrd;              // empty: none
  std::string command_line;        // one argument, whatever is in it
  std::vector<std::string> extra;  // KDUMP_KEXEC_ARGS
  bool elf_kernel = false;         // a vmlinux: kexec must be told that it is Linux
  // Secure Boot and lockdown leave kexec_file_load(2) only.
  bool file_load_only = false;
};

// The commands to try one after the other: kexec_file_load(2) first, because it checks signatures
// and the kernel places the segments itself, then kexec_load(2), which knows more file formats.
// Options in `extra` that choose one are obeyed.
std::vector<std::vector<std::string>> load_commands(const KexecRequest& request);
// Whether KDUMP_KEXEC_ARGS chooses kexec_load(2), or leaves it to kexec.
bool chooses_other_call(const std::vector<std::string>& extra);
std::vector<std::vector<std::string>> unload_commands(const std::string& program,
                                                      bool file_load_only);

}  // namespace kd
