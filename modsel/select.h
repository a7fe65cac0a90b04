// SPDX-License-Identifier: GPL-2.0-or-later
//
// From what the machine needs to the ordered list of modules to load. Pure: everything it knows
// of the kernel comes through the ModuleIndex.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "modsel/module_index.h"

namespace modsel {

struct Wanted {
  std::string what;       // a module name, an alias or a modalias
  std::string otherwise;  // tried when `what` leads nowhere; may be empty
  std::string options;    // for every module it leads to, after those of modprobe.d
  std::string reason;  // in the user's words: "block device vda", "file system ext4 of /var/crash"
  bool required = true;  // false: a name that leads nowhere is skipped without a word
};

struct ModuleRequest {
  std::vector<Wanted> wanted;
  // Names in /proc/modules of the machine; the hidden dependencies ask them (scsi_dh_* when
  // loaded).
  std::vector<std::string> loaded;
  // Names that the capture kernel itself refuses: module_blacklist= of its command line.
  std::set<std::string> refused;
};

struct Module {
  std::string name;
  std::string path;                // on the host, may end in .ko, .ko.xz, .ko.zst, .ko.gz
  std::string options;             // for finit_module(2), empty for none
  std::vector<std::string> needs;  // names of selected modules that must be loaded before
  std::vector<std::string> firmware;
  std::string reason;   // why it is in: the request's, or "needed by ext4",
                        // "softdep of ext4", "weakdep of ...", "hidden dependency of ..."
  std::string because;  // the module that pulled it in, empty when asked for directly
};

struct Denied {
  std::string name;
  std::string reason;  // why the capture kernel does not load it
};

struct ModuleSet {
  std::vector<Module> load_order;  // each after everything it needs
  std::vector<Denied> denied;
  std::vector<std::string> warnings;  // e.g. a softdep loop that was cut
};

// Fails when a required name leads nowhere and when a hard dependency is missing or refused; the
// message then names both ends. The same request and index give the same set whatever the order of
// `wanted` beyond ties.
[[nodiscard]] kd::Result<ModuleSet> select(const ModuleRequest& request, const ModuleIndex& index);

}  // namespace modsel
