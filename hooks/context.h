// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "builder/base/rooted_reader.h"
#include "builder/base/runner.h"
#include "builder/facts/kdump_config.h"

namespace kd {

// Whether a logon key of this description can be found from the keyrings of this session.
bool has_logon_key(const std::string& description);

// What every verb works with. All paths are below the reader's root.
struct Context {
  const RootedReader& reader;
  ProgramRunner& runner;
  std::function<void(const std::string&)> say;  // one line, as things happen
  std::string sysroot;                          // of `reader`, empty for the live machine
  std::string config_path = std::string(kKdumpConfigPath);
  std::function<bool(const std::string&)> has_key = has_logon_key;  // tests have none
};

}  // namespace kd
