// SPDX-License-Identifier: GPL-2.0-or-later
//
// Where inputs come from, and the facts that are read there.
#pragma once

#include <string>

#include "builder/base/rooted_reader.h"
#include "builder/facts/initramfs_config.h"
#include "builder/facts/kdump_config.h"
#include "builder/facts/kernel.h"
#include "builder/facts/machine.h"
#include "builder/options.h"

namespace kd {

// The host is this machine's own root, for what is named by host paths.
struct Roots {
  RootedReader machine;
  RootedReader kernel;
  RootedReader host;
};
Result<Roots> open_roots(const InputPlaces& places);

// A path as the user wrote it, relative to the working directory or absolute.
std::string absolute(const std::string& path);
Result<std::string> read_host_file(const Roots& roots, const std::string& path);

struct Facts {
  bool recorded = false;      // the machine is one of --facts
  bool root_of_host = false;  // it is, and Roots::machine is not its root but this host's
  MachineFacts machine;
  KdumpConfig config;
  InitramfsConfig additions;
  KernelFacts kernel;
};
// All but the kernel, which a record of the machine does without.
Result<Facts> read_facts(const InputPlaces& places, const Roots& roots);

}  // namespace kd
