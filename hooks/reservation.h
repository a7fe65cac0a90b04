// SPDX-License-Identifier: GPL-2.0-or-later
//
// The crashkernel= that the grub snippet takes at the next update-grub: what this machine's target
// needs, kept in a file because grub-mkconfig(8) cannot ask.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "hooks/context.h"

namespace kd {

// The value of crashkernel=, one line; read by /etc/default/grub.d/kdump-tools.cfg as data.
inline constexpr std::string_view kWantedReservation = "/var/lib/kdump/crashkernel";

// What a capture needs, in bytes: of an image that saves the dump itself, or of one that boots the
// real root.
struct Need {
  std::uint64_t bytes = 0;
  bool real_root = false;
};

// What to put into crashkernel=, in bytes: an eighth more, for devices nobody has measured, up to
// the next 8 MiB, and not less than the package has always reserved. A system in the real root
// gets 192 MiB at least: no model knows what its services do.
std::uint64_t recommended_reservation(const Need& need);

// The bytes that a value of crashkernel= reserves on a machine with `ram` bytes of memory:
// SIZE[KMG][@OFFSET], SIZE,high|low|cma, or RANGE:SIZE,...[@OFFSET] with the first range that holds
// it (Documentation/admin-guide/kdump/kdump.rst). Several, as in "1G,high crashkernel=256M,low",
// are added. Nothing when it is none, or when anything stands behind it.
std::optional<std::uint64_t> reserved_by(std::string_view value, std::uint64_t ram);

// What the file has, empty without one or when it is not what the snippet takes.
std::string wanted_reservation(const FileReader& reader);

// Raises what the file has to the recommendation; never lowers it, because kdump-tools or an
// earlier target may have had a reason. Returns the value that update-grub takes now.
Result<std::string> want_reservation(const Context& context, const Need& need, std::uint64_t ram);

}  // namespace kd
