// SPDX-License-Identifier: GPL-2.0-or-later
//
// The symbol table that a kernel carries for itself (kernel/kallsyms.c, scripts/kallsyms.c), out of
// its memory.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "builder/base/result.h"
#include "hooks/verify/memory.h"
#include "hooks/verify/vmcoreinfo.h"

namespace kd::verify {

// Where the parts of the table lie; VMCOREINFO has them since Linux 6.0.
struct KallsymsPlaces {
  std::uint64_t count = 0;          // of an int
  std::uint64_t names = 0;          // compressed, one after the other
  std::uint64_t token_table = 0;    // strings, one after the other
  std::uint64_t token_index = 0;    // u16[256]: where in token_table
  std::uint64_t offsets = 0;        // int[], 0 when the kernel has addresses
  std::uint64_t relative_base = 0;  // of an unsigned long, 0 where there is none
  std::uint64_t addresses = 0;      // unsigned long[]
};
Result<KallsymsPlaces> kallsyms_places(const Vmcoreinfo& info);

struct Symbol {
  std::string name;
  char type = 0;            // as nm prints it, small when local
  std::uint32_t index = 0;  // in the table
};

// Calls `visit` for every symbol, in the order of their addresses. Every length is bounded; a table
// that contradicts itself is an error.
struct KallsymsError {
  std::string reason;  // empty when `unread` is the reason
  std::optional<Unread> unread;
};
tl::expected<std::uint32_t, KallsymsError> for_each_symbol(
    const Memory& memory, const KallsymsPlaces& places,
    const std::function<void(const Symbol&)>& visit);

// Symbols by name, of all names asked for that exist. What an offset means differs between kernels
// (CONFIG_KALLSYMS_ABSOLUTE_PERCPU went with Linux 6.15, relative_base in 7.x): the meaning under
// which symbols that VMCOREINFO has as well come out right is taken.
struct SymbolTable {
  std::uint32_t count = 0;  // of all symbols of the kernel
  std::map<std::string, std::uint64_t, std::less<>> addresses;

  // 0 when there is none.
  [[nodiscard]] std::uint64_t at(std::string_view name) const {
    const auto found = addresses.find(name);
    return found == addresses.end() ? 0 : found->second;
  }
};
tl::expected<SymbolTable, KallsymsError> find_symbols(const Memory& memory,
                                                      const KallsymsPlaces& places,
                                                      const Vmcoreinfo& info,
                                                      std::span<const std::string_view> wanted);

}  // namespace kd::verify
