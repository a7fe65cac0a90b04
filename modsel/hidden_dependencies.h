// SPDX-License-Identifier: GPL-2.0-or-later
//
// What no index says. A running system answers the kernel's request_module() with modprobe; a
// capture kernel has no modprobe, so what a module would ask for later is loaded before it.
#pragma once

#include <span>
#include <string_view>

namespace modsel {

enum class When { kAlways, kLoaded };  // kLoaded: only where the machine has it loaded

struct HiddenDependency {
  std::string_view if_module;  // selected, or builtin and asked for
  std::string_view adds;       // a name or alias; one that leads nowhere is ignored
  When when;
  std::string_view why;
};
std::span<const HiddenDependency> hidden_dependencies();

// Soft dependencies a module works without.
struct NeedlessSoftdep {
  std::string_view module;
  std::string_view soft;
  std::string_view why;
};
bool is_needless_softdep(std::string_view module, std::string_view soft);

}  // namespace modsel
