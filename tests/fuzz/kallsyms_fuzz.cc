// SPDX-License-Identifier: GPL-2.0-or-later
#include "hooks/verify/kallsyms.h"
#include "tests/fuzz/flat_memory.h"

// The input is the table: count, base, 256 indexes, tokens, names.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const kd::verify::FlatMemory memory({reinterpret_cast<const std::byte*>(data), size});
  constexpr std::uint64_t kStart = kd::verify::FlatMemory::kStart;
  const kd::verify::KallsymsPlaces places{.count = kStart,
                                          .names = kStart + 1024,
                                          .token_table = kStart + 528,
                                          .token_index = kStart + 16,
                                          .offsets = kStart + 1024,
                                          .relative_base = kStart + 8};
  constexpr std::string_view kWanted[] = {"modules"};
  (void)find_symbols(memory, places, kd::verify::Vmcoreinfo("SYMBOL(_stext)=1000\n"), kWanted);
  return 0;
}
