// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/programs/elf.h"

#include <gelf.h>
#include <libelf.h>

#include <memory>
#include <optional>

namespace kd {
namespace {

using ElfHandle = std::unique_ptr<Elf, int (*)(Elf*)>;

tl::unexpected<Error> elf_error(std::string_view what) {
  return fail(ErrorKind::kFailed, "{}: {}", what, elf_errmsg(-1));
}

Result<std::string> interpreter_of(Elf* elf, std::string_view file) {
  std::size_t count = 0;
  if (elf_getphdrnum(elf, &count) != 0) return elf_error("program headers");
  for (std::size_t i = 0; i < count; ++i) {
    GElf_Phdr header;
    if (gelf_getphdr(elf, static_cast<int>(i), &header) == nullptr) {
      return elf_error("program headers");
    }
    if (header.p_type != PT_INTERP) continue;
    if (header.p_offset >= file.size() || header.p_filesz > file.size() - header.p_offset) {
      return fail(ErrorKind::kFailed, "PT_INTERP lies outside the file");
    }
    const std::string_view text = file.substr(header.p_offset, header.p_filesz);
    return std::string(text.substr(0, text.find('\0')));
  }
  return std::string();
}

std::vector<std::string> split_path(std::string_view path) {
  std::vector<std::string> result;
  while (!path.empty()) {
    const std::size_t end = std::min(path.find(':'), path.size());
    if (end > 0) result.emplace_back(path.substr(0, end));
    path.remove_prefix(std::min(end + 1, path.size()));
  }
  return result;
}

Result<void> read_dynamic(Elf* elf, Elf_Scn* section, const GElf_Shdr& header, ElfNeeds& needs) {
  Elf_Data* data = elf_getdata(section, nullptr);
  if (data == nullptr || header.sh_entsize == 0) return elf_error("dynamic section");
  std::optional<std::string_view> run_path;
  std::optional<std::string_view> r_path;
  for (std::size_t i = 0; i < header.sh_size / header.sh_entsize; ++i) {
    GElf_Dyn entry;
    if (gelf_getdyn(data, static_cast<int>(i), &entry) == nullptr) {
      return elf_error("dynamic section");
    }
    if (entry.d_tag == DT_NULL) break;
    if (entry.d_tag != DT_NEEDED && entry.d_tag != DT_RUNPATH && entry.d_tag != DT_RPATH) continue;
    const char* text = elf_strptr(elf, header.sh_link, entry.d_un.d_val);
    if (text == nullptr) return elf_error("dynamic string table");
    if (entry.d_tag == DT_NEEDED) needs.needed.emplace_back(text);
    if (entry.d_tag == DT_RUNPATH) run_path = text;
    if (entry.d_tag == DT_RPATH) r_path = text;
  }
  needs.run_path = split_path(run_path.value_or(r_path.value_or("")));
  return {};
}

}  // namespace

Result<ElfNeeds> parse_elf(std::string_view file) {
  if (elf_version(EV_CURRENT) == EV_NONE) return elf_error("libelf");
  // libelf wants a mutable pointer but does not write without elf_update().
  const ElfHandle elf(elf_memory(const_cast<char*>(file.data()), file.size()), elf_end);
  if (!elf || elf_kind(elf.get()) != ELF_K_ELF) {
    return fail(ErrorKind::kFailed, "not an ELF file");
  }
  GElf_Ehdr header;
  if (gelf_getehdr(elf.get(), &header) == nullptr) return elf_error("ELF header");

  // libelf finds no sections in a truncated file and says nothing.
  const std::uint64_t section_headers = std::uint64_t{header.e_shnum} * header.e_shentsize;
  if (header.e_shoff > file.size() || section_headers > file.size() - header.e_shoff) {
    return fail(ErrorKind::kFailed, "truncated ELF file");
  }

  ElfNeeds needs;
  needs.machine = header.e_machine;
  KD_TRY(needs.interpreter, interpreter_of(elf.get(), file));
  for (Elf_Scn* section = elf_nextscn(elf.get(), nullptr); section != nullptr;
       section = elf_nextscn(elf.get(), section)) {
    GElf_Shdr section_header;
    if (gelf_getshdr(section, &section_header) == nullptr) return elf_error("section headers");
    if (section_header.sh_type != SHT_DYNAMIC) continue;
    KD_CHECK(read_dynamic(elf.get(), section, section_header, needs));
  }
  return needs;
}

}  // namespace kd
