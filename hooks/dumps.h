// SPDX-License-Identifier: GPL-2.0-or-later
//
// The dumps on disk, and what kdump-verify found in them. A verification runs as a program of its
// own; what it found is kept beside the dump.
#pragma once

#include <string>
#include <vector>

#include "hooks/context.h"

namespace kd {

// The directories of captures below KDUMP_COREDIR that who is running this has made, the newest
// first: what lies in others is somebody's invention. As paths below the reader's root.
std::vector<std::string> list_runs(const RootedReader& reader, const KdumpConfig& config);

inline constexpr std::string_view kVerifyRecord = "kdump-verify.json";

struct Dump {
  std::string path;    // below the reader's root
  std::string result;  // "whole", "damaged", "partly checked", "failed"; empty: not verified
  std::string reason;  // why it is not whole
};

// Below KDUMP_COREDIR, the newest first; not more than 20.
std::vector<Dump> list_dumps(const RootedReader& reader, const KdumpConfig& config);
// For people, after the path.
std::string describe_result(const Dump& dump);

// Verifies a dump, the newest when `path` is empty, and prints what is found. Returns the exit code
// of kdump-verify(8): 0 whole, 1 damaged, 3 partly checked.
Result<int> verify_dump(const Context& context, const KdumpConfig& config, std::string path,
                        bool json);
// Verifies every dump that has no result.
Result<void> verify_new_dumps(const Context& context, const KdumpConfig& config);
// Verifies the dump in one directory, and returns it with the result.
Result<Dump> verify_run(const Context& context, const std::string& directory);
// Lets the system do that in the background, when there is such a dump or one of a rehearsal.
void start_verification(const Context& context, const KdumpConfig& config);

}  // namespace kd
