// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/programs/closure.h"

#include <elf.h>

#include <algorithm>
#include <array>
#include <deque>
#include <set>

#include "builder/base/path.h"
#include "builder/programs/elf.h"

namespace kd {
namespace {

std::string_view multi_arch(int machine) {
  switch (machine) {
    case EM_X86_64:
      return "x86_64-linux-gnu";
    case EM_AARCH64:
      return "aarch64-linux-gnu";
    case EM_PPC64:
      return "powerpc64le-linux-gnu";
    case EM_S390:
      return "s390x-linux-gnu";
    case EM_RISCV:
      return "riscv64-linux-gnu";
    case EM_386:
      return "i386-linux-gnu";
    default:
      return "";
  }
}

std::string_view directory(std::string_view path) { return path.substr(0, path.rfind('/')); }

std::vector<std::string> search_path(const ElfNeeds& needs, std::string_view source) {
  std::vector<std::string> dirs;
  for (std::string dir : needs.run_path) {
    for (const std::string_view origin : {"${ORIGIN}", "$ORIGIN"}) {
      if (dir.starts_with(origin)) dir.replace(0, origin.size(), directory(source));
    }
    dirs.push_back(std::move(dir));
  }
  const std::string_view triplet = multi_arch(needs.machine);
  for (const std::string_view dir : {"/lib", "/usr/lib", "/usr/local/lib"}) {
    if (!triplet.empty()) dirs.push_back(fmt::format("{}/{}", dir, triplet));
  }
  dirs.insert(dirs.end(), {"/lib64", "/usr/lib64", "/lib", "/usr/lib", "/usr/local/lib"});
  return dirs;
}

Result<std::string> find_library(const FileReader& reader, std::string_view name,
                                 const ElfNeeds& needs, std::string_view source) {
  if (name.find('/') != std::string_view::npos) return reader.resolve(name);
  for (const std::string& dir : search_path(needs, source)) {
    if (Result<std::string> found = reader.resolve(fmt::format("{}/{}", dir, name))) return found;
  }
  return fail(ErrorKind::kFailed, "library {} needed by {} was not found; install its package",
              name, source);
}

std::string_view without_version(std::string_view symbol) {
  return symbol.substr(0, symbol.find('@'));
}

// Whether `stand_in` has all that a program with `wanted` symbols takes from `library`.
bool has_all(const ElfSymbols& stand_in, const ElfSymbols& wanted, const ElfSymbols& library) {
  std::set<std::string_view> offered;
  for (const std::string& symbol : library.defined) offered.insert(without_version(symbol));
  return std::ranges::all_of(wanted.undefined, [&](const std::string& symbol) {
    return !offered.contains(without_version(symbol)) || stand_in.defined.contains(symbol);
  });
}

using Names = std::set<std::string, std::less<>>;

// Which libraries of `program` the stand-in replaces: all of its list or none, because those left
// could need one that was replaced.
Result<Names> replaceable(const FileReader& reader, std::string_view source,
                          const StandIn& stand_in) {
  if (stand_in.libraries.empty()) return Names{};
  KD_TRY(const std::string program, reader.read(source));
  KD_TRY(const ElfNeeds needs, parse_elf(program));
  KD_TRY(const ElfSymbols wanted, parse_elf_symbols(program));
  KD_TRY(const ElfSymbols offered, parse_elf_symbols(stand_in.content));
  Names names;
  for (const std::string& library : needs.needed) {
    if (!std::ranges::count(stand_in.libraries, library)) continue;
    KD_TRY(const std::string found, find_library(reader, library, needs, source));
    KD_TRY(const std::string content, reader.read(found));
    KD_TRY(const ElfSymbols symbols, parse_elf_symbols(content));
    if (!has_all(offered, wanted, symbols)) return Names{};
    names.insert(library);
  }
  return names;
}

}  // namespace

Result<std::vector<ProgramFile>> program_closure(const FileReader& reader, std::string_view name,
                                                 std::string_view reason, const StandIn& stand_in) {
  KD_TRY(const std::string program, find_program(reader, name));
  Result<Names> replaced = replaceable(reader, program, stand_in);
  if (!replaced) return in_context(program, replaced.error());

  std::deque<ProgramFile> pending = {{.source = program,
                                      .image_path = fmt::format("/bin/{}", name),
                                      .reason = std::string(reason),
                                      .because = {}}};
  std::set<std::string> placed = {pending.front().image_path};
  std::vector<ProgramFile> result;
  while (!pending.empty()) {
    const ProgramFile file = pending.front();
    pending.pop_front();
    result.push_back(file);
    if (file.stand_in) continue;
    KD_TRY(const std::string content, reader.read(file.source));
    Result<ElfNeeds> needs = parse_elf(content);
    if (!needs) return in_context(file.source, needs.error());
    if (!needs->interpreter.empty() && placed.insert(needs->interpreter).second) {
      Result<std::string> loader = reader.resolve(needs->interpreter);
      if (!loader) return in_context("dynamic loader of " + file.source, loader.error());
      pending.push_back({.source = *loader,
                         .image_path = needs->interpreter,
                         .reason = fmt::format("dynamic loader of {}", name),
                         .because = file.source});
    }
    for (const std::string& library : needs->needed) {
      const bool replace = replaced->contains(library);
      // Only the program is known not to call it.
      if (replace && file.source != program) return program_closure(reader, name, reason);
      // The loader is also a library of libc.so.6 under its own name.
      const bool is_loader = std::ranges::any_of(
          placed, [&](const std::string& path) { return base_name(path) == library; });
      if (is_loader) continue;
      ProgramFile found{.source = stand_in.source,
                        .image_path = fmt::format("/lib/{}", base_name(library)),
                        .reason = fmt::format("stands in for a library that {} does not call",
                                              base_name(file.source)),
                        .because = file.source,
                        .stand_in = replace};
      if (!replace) {
        KD_TRY(found.source, find_library(reader, library, *needs, file.source));
        found.reason = fmt::format("library of {}", base_name(file.source));
      }
      placed.insert(found.image_path);
      pending.push_back(std::move(found));
    }
  }
  std::ranges::sort(result, {}, &ProgramFile::image_path);
  return result;
}

}  // namespace kd
