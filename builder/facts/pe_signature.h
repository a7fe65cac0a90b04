// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string_view>

namespace kd {

// Whether a kernel image that starts like this carries a signature, as kexec_file_load(2) wants it
// under lockdown: a PE image (which a bzImage and an arm64 Image with an EFI stub are) whose
// certificate table is not empty. Whether anybody trusts it, the kernel knows alone. Pure.
// https://learn.microsoft.com/windows/win32/debug/pe-format, "Optional Header Data Directories".
bool has_pe_signature(std::string_view start);

}  // namespace kd
