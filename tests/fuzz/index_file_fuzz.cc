// SPDX-License-Identifier: GPL-2.0-or-later
#include <libkmod.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "modsel/index_file.h"
#include "tests/base/temporary_directory.h"

// Whatever is accepted must not crash libkmod, which trusts it.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto checked = modsel::check_index(text, "fuzz.bin");
  if (!checked) {
    if (!checked.error().message.starts_with("fuzz.bin: ")) std::abort();
    return 0;
  }
  static const TemporaryDirectory directory;
  for (const char* name : {"modules.dep.bin", "modules.alias.bin", "modules.symbols.bin",
                           "modules.builtin.bin", "modules.builtin.alias.bin"}) {
    directory.write(name, text);
  }
  const char* const no_config[] = {nullptr};
  kmod_ctx* const context = kmod_new(directory.path().c_str(), no_config);
  if (context == nullptr) std::abort();
  kmod_set_log_fn(
      context, [](void*, int, const char*, int, const char*, const char*, va_list) {}, nullptr);
  if (kmod_load_resources(context) < 0) std::abort();
  for (const char* what : {"mid", "top_fs", "crypto_sum", "pci:v00001234d00000001", "symbol:mid"}) {
    kmod_list* found = nullptr;
    kmod_module_new_from_lookup(context, what, &found);
    kmod_module_unref_list(found);
  }
  kmod_unref(context);
  return 0;
}
