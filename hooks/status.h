// SPDX-License-Identifier: GPL-2.0-or-later
//
// The verbs that only tell: status, show and test.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "hooks/dump_check.h"
#include "hooks/dumps.h"
#include "hooks/image.h"
#include "hooks/load.h"
#include "hooks/rehearse.h"

namespace kd {

struct StatusFacts {
  KdumpState state;
  KernelChoice choice;  // of the kernel that should capture
  std::vector<Error> refused;
  std::vector<CheckedLink> links;  // of the version in the plan
  Result<LoadPlan> plan = fail(ErrorKind::kFailed, "not looked at");
  Freshness image;
  Result<bool> build = true;           // of kTest: try_build()
  std::uint64_t image_size = 0;        // bytes
  std::string memory_source;           // where the model has the kernel's share of it from
  std::uint64_t needed = 0;            // bytes of reservation for the image; 0: unknown
  std::string cannot_weigh;            // why it is unknown for an image without a manifest
  std::string wanted;                  // crashkernel= that update-grub takes; empty: the default
  bool image_newer_than_load = false;  // what is loaded is not what is on disk
  std::optional<Dump> last_dump;       // the newest below KDUMP_COREDIR
  DumpCheck dump;
  std::optional<RehearsalStatus> rehearsal;
  std::string last_command;  // KDUMP_COREDIR/kexec_cmd, empty when there is none
};
Result<StatusFacts> gather_status(const Context& context, PlanFor purpose = PlanFor::kLoad);

// Exit codes of status.
inline constexpr int kReady = 0, kNotReady = 1, kReadyButStale = 2;

struct Assessment {
  int code = kNotReady;
  std::vector<std::string> reasons;  // why the code is not kReady, with what to do about it
};
// Pure, as the texts below.
Assessment assess(const StatusFacts& facts);

std::string status_text(const StatusFacts& facts);
std::string status_json(const StatusFacts& facts);
std::string show_text(const StatusFacts& facts);
// A dry run of load; would_load() tells whether it would succeed.
std::string test_text(const StatusFacts& facts);
bool would_load(const StatusFacts& facts);

}  // namespace kd
