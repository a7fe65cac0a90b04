// SPDX-License-Identifier: GPL-2.0-or-later
#include "hooks/verify/verify.h"

#include "hooks/verify/btf_types.h"
#include "hooks/verify/dump.h"
#include "hooks/verify/log.h"
#include "hooks/verify/walk.h"

namespace kd::verify {
namespace {

// Debian's kernels have 5 MB.
constexpr std::uint64_t kMostTypeBytes = 256 << 20;
constexpr std::string_view kSymbols[] = {
    "__start_BTF",        "__stop_BTF",       "init_task",         "modules",
    "__start_init_stack", "__end_init_stack", "__start_init_task", "__end_init_task"};
constexpr const char* kWalks[] = {"tasks",      "stacks",  "memory maps",
                                  "open files", "modules", "mounts"};

// Finds the symbols; the table is empty when they could not be read.
Check read_symbols(const Memory& memory, const Vmcoreinfo& info, SymbolTable& out) {
  Check check{.name = "symbols"};
  const Result<KallsymsPlaces> places = kallsyms_places(info);
  if (!places) {
    check.not_checked = places.error().message;
    return check;
  }
  tl::expected<SymbolTable, KallsymsError> table = find_symbols(memory, *places, info, kSymbols);
  if (table) {
    check.count = table->count;
    out = std::move(*table);
  } else if (table.error().unread) {
    check.miss(*table.error().unread, "symbols of the kernel (kallsyms)");
  } else {
    check.not_checked = table.error().reason;
  }
  return check;
}

Check read_types(const Memory& memory, const SymbolTable& symbols, std::unique_ptr<BtfTypes>& out) {
  Check check{.name = "types"};
  const std::uint64_t start = symbols.at("__start_BTF"), stop = symbols.at("__stop_BTF");
  if (start == 0 || stop <= start || stop - start > kMostTypeBytes) {
    check.not_checked = symbols.count == 0 ? "needs the symbols"
                                           : "the kernel carries no types (CONFIG_DEBUG_INFO_BTF)";
    return check;
  }
  const auto bytes = read_bytes(memory, start, stop - start);
  if (!bytes) {
    check.miss(bytes.error(), "types of the kernel (BTF)");
    return check;
  }
  Result<std::unique_ptr<BtfTypes>> types = BtfTypes::parse(*bytes);
  if (types) {
    out = std::move(*types);
    check.count = out->count();
  } else {
    check.not_checked = types.error().message;
  }
  return check;
}

void walk(const Kernel& kernel, std::vector<Check>& out) {
  Tasks tasks = walk_tasks(kernel);
  out.push_back(std::move(tasks.check));
  out.push_back(walk_stacks(kernel, tasks.list));
  out.push_back(walk_memory_maps(kernel, tasks.list));
  out.push_back(walk_files(kernel, tasks.list));
  out.push_back(walk_modules(kernel));
  out.push_back(walk_mounts(kernel, tasks.list));
}

}  // namespace

Result<Verification> verify(const std::string& path) {
  Verification result{.dump = path};
  Result<std::unique_ptr<DumpFile>> opened = DumpFile::open(path);
  if (!opened) {
    const Error& error = opened.error();
    const bool read = error.kind == ErrorKind::kFailed && error.system_error == std::errc{};
    if (!read) return tl::unexpected(error);
    result.unreadable = error.message;
    return result;
  }
  const DumpFile& dump = **opened;
  const Vmcoreinfo info(dump.vmcoreinfo());
  result.bytes = dump.size();
  result.format = dump.format();
  result.kernel = info.text("OSRELEASE");
  result.checks = {dump.file(), dump.read_pages(), read_log(dump, info)};
  SymbolTable symbols;
  result.checks.push_back(read_symbols(dump, info, symbols));
  std::unique_ptr<BtfTypes> types;
  result.checks.push_back(read_types(dump, symbols, types));
  if (types) {
    walk({dump, *types, symbols}, result.checks);
  } else {
    for (const char* name : kWalks) {
      result.checks.push_back({.name = name, .not_checked = "needs the types"});
    }
  }
  return result;
}

}  // namespace kd::verify
