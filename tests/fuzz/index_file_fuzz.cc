// SPDX-License-Identifier: GPL-2.0-or-later
#include <libkmod.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "modsel/index_file.h"
#include "tests/base/temporary_directory.h"

namespace {

constexpr const char* kLookedUp[] = {"modules.dep.bin", "modules.alias.bin", "modules.builtin.bin",
                                     "modules.builtin.alias.bin"};
constexpr std::string_view kNoEntries("\xB0\x07\xF4\x57\x00\x02\x00\x01\x00\x00\x00\x0C", 12);

void look_up_in(const TemporaryDirectory& directory) {
  const char* const no_config[] = {nullptr};
  kmod_ctx* const context = kmod_new(directory.path().c_str(), no_config);
  if (context == nullptr) std::abort();
  kmod_set_log_fn(
      context, [](void*, int, const char*, int, const char*, const char*, va_list) {}, nullptr);
  if (kmod_load_resources(context) < 0) std::abort();
  for (const char* what : {"mid", "top_fs", "crypto_sum", "pci:v00001234d00000001"}) {
    kmod_list* found = nullptr;
    kmod_module_new_from_lookup(context, what, &found);
    kmod_module_unref_list(found);
  }
  kmod_unref(context);
}

}  // namespace

// Whatever is accepted must not crash libkmod, which trusts it.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto checked = modsel::check_index(text, "fuzz.bin");
  if (!checked && !checked.error().message.starts_with("fuzz.bin: ")) std::abort();
  static const TemporaryDirectory accepted;
  static const TemporaryDirectory others;
  if (checked) {
    for (const char* name : kLookedUp) accepted.write(name, text);
    accepted.write("modules.symbols.bin", text);
    look_up_in(accepted);
    return 0;
  }
  // Of this one only the header is proven.
  others.write("modules.symbols.bin", text);
  if (!modsel::check_index_header(others.path() + "/modules.symbols.bin")) return 0;
  static const bool written = [] {
    for (const char* name : kLookedUp) others.write(name, kNoEntries);
    return true;
  }();
  if (written) look_up_in(others);
  return 0;
}
