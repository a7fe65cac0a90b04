// SPDX-License-Identifier: GPL-2.0-or-later
//
// A rehearsal on the machine, from arming over the crash to its result. What is decided stands in
// rehearsal.h; the crash itself in rehearsal_crash.h.
//
// clang-format off
//   arm     kdump-config rehearse       record: armed; kdump-tools-rehearse.service is active
//   begin   that unit is stopped        a mark in /run; record: begun, while disks can be written
//   crash   systemd-shutdown            marked in the kernel log
//   settle  load at the next boot       the dump is found by that mark and put apart
//   judge   kdump-tools-verify.service  the dump is read and removed
// clang-format on
#pragma once

#include <optional>
#include <string>

#include "hooks/load.h"
#include "hooks/rehearsal.h"

namespace kd {

// The result goes with the machine, not with its dumps.
inline constexpr std::string_view kRehearsalRecord = "/var/lib/kdump/rehearsal.json";

// Says what will happen and arms the next reboot, or refuses with all reasons.
Result<void> arm_rehearsal(const Context& context);
Result<void> cancel_rehearsal(const Context& context);
// At a shutdown: nobody may have armed it, and it may be no reboot.
Result<void> begin_rehearsal(const Context& context);

// In the first load after it. The caller holds the lock. Learns from the report of the capture and
// moves its dump out of the way of those that count.
Result<void> settle_rehearsal(const Context& context);
// Reads the dump that waits, if one does.
Result<void> judge_rehearsal(const Context& context);
bool is_waiting_for_judgement(const FileReader& reader);

struct RehearsalStatus {
  Rehearsal record;
  bool counts = false;
  std::string text;
};
// Nothing where there never was one.
std::optional<RehearsalStatus> rehearsal_status(const Context& context, const KdumpState& state,
                                                const Result<LoadPlan>& plan);

}  // namespace kd
