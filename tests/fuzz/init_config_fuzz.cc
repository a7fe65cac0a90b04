// SPDX-License-Identifier: GPL-2.0-or-later
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "builder/init/init_config.h"

namespace {

void must(bool condition) {
  if (!condition) __builtin_trap();
}

bool is_inside(std::string_view part, std::string_view text) {
  return part.empty() ||
         (part.data() >= text.data() && part.data() + part.size() <= text.data() + text.size());
}

}  // namespace

// Whatever the bytes are: an error with a line of the file, or a configuration that init can use.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  kdinit::InitConfig config;
  const kdinit::ParseError error = kdinit::parse(text, config);
  if (error.line != 0) {
    must(*error.message != '\0');
    return 0;
  }
  const bool direct = config.capture == kdinit::CaptureMode::kDirect;
  must(direct ? config.dump_directory.starts_with('/') : !config.root.uuid.empty());
  must(config.root.uuid.empty() == config.root.type.empty());
  must(config.dump_directory.find("/../") == std::string_view::npos);
  must(!config.kernel.empty() && (!direct || !config.target.uuid.empty()));
  must(config.target_timeout >= 1 && config.target_timeout <= 3600);
  for (const kdinit::ModuleLine& module : config.modules) {
    must(is_inside(module.path, text) && is_inside(module.options, text));
    must(module.path.starts_with('/'));
  }
  for (const kdinit::Layer& layer : config.layers) {
    must(is_inside(layer.parameters, text) && is_inside(layer.id, text));
    must(!layer.id.empty());
  }
  for (const std::string_view sysctl : config.sysctls) {
    must(sysctl.find("..") == std::string_view::npos || sysctl.find('=') < sysctl.find(".."));
  }
  return 0;
}
