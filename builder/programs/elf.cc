// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/programs/elf.h"

#include <gelf.h>
#include <libelf.h>

#include <cstdint>
#include <limits>
#include <map>
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

using Versions = std::map<GElf_Versym, std::string>;  // by the number that a symbol has

const char* string_at(Elf* elf, const GElf_Shdr& header, std::size_t offset) {
  const char* text = elf_strptr(elf, header.sh_link, offset);
  return text == nullptr ? "" : text;
}

// Offsets only grow, so that the links of a damaged file cannot form a circle; libelf refuses one
// that is negative or beyond the end of its section.
int advance(int offset, GElf_Word by) {
  const std::int64_t next = std::int64_t{offset} + by;
  return next > std::numeric_limits<int>::max() ? -1 : static_cast<int>(next);
}

void read_needed_versions(Elf* elf, Elf_Data* data, const GElf_Shdr& header, Versions& versions) {
  int offset = 0;
  GElf_Verneed file;
  for (GElf_Word i = 0; i < header.sh_info && gelf_getverneed(data, offset, &file); ++i) {
    int at = advance(offset, file.vn_aux);
    GElf_Vernaux version;
    for (int n = 0; n < file.vn_cnt && gelf_getvernaux(data, at, &version); ++n) {
      versions[version.vna_other] = string_at(elf, header, version.vna_name);
      if (version.vna_next == 0) break;
      at = advance(at, version.vna_next);
    }
    if (file.vn_next == 0) return;
    offset = advance(offset, file.vn_next);
  }
}

void read_defined_versions(Elf* elf, Elf_Data* data, const GElf_Shdr& header, Versions& versions) {
  int offset = 0;
  GElf_Verdef version;
  for (GElf_Word i = 0; i < header.sh_info && gelf_getverdef(data, offset, &version); ++i) {
    GElf_Verdaux name;
    if (gelf_getverdaux(data, advance(offset, version.vd_aux), &name) == nullptr) return;
    // The base version is the library's own name.
    if ((version.vd_flags & VER_FLG_BASE) == 0) {
      versions[version.vd_ndx] = string_at(elf, header, name.vda_name);
    }
    if (version.vd_next == 0) return;
    offset = advance(offset, version.vd_next);
  }
}

// The sections of `file` with their headers; a file that lacks some is an error.
struct OpenElf {
  ElfHandle handle;
  GElf_Ehdr header;
  std::vector<std::pair<Elf_Scn*, GElf_Shdr>> sections;
};

Result<OpenElf> open_elf(std::string_view file) {
  if (elf_version(EV_CURRENT) == EV_NONE) return elf_error("libelf");
  // libelf wants a mutable pointer but does not write without elf_update().
  OpenElf elf{.handle = {elf_memory(const_cast<char*>(file.data()), file.size()), elf_end},
              .header = {},
              .sections = {}};
  if (!elf.handle || elf_kind(elf.handle.get()) != ELF_K_ELF) {
    return fail(ErrorKind::kFailed, "not an ELF file");
  }
  const GElf_Ehdr& header = elf.header;
  if (gelf_getehdr(elf.handle.get(), &elf.header) == nullptr) return elf_error("ELF header");

  // libelf finds no sections in a truncated file and says nothing.
  const std::uint64_t section_headers = std::uint64_t{header.e_shnum} * header.e_shentsize;
  if (header.e_shoff > file.size() || section_headers > file.size() - header.e_shoff) {
    return fail(ErrorKind::kFailed, "truncated ELF file");
  }
  for (Elf_Scn* section = elf_nextscn(elf.handle.get(), nullptr); section != nullptr;
       section = elf_nextscn(elf.handle.get(), section)) {
    GElf_Shdr section_header;
    if (gelf_getshdr(section, &section_header) == nullptr) return elf_error("section headers");
    elf.sections.emplace_back(section, section_header);
  }
  return elf;
}

}  // namespace

Result<ElfNeeds> parse_elf(std::string_view file) {
  KD_TRY(const OpenElf elf, open_elf(file));
  ElfNeeds needs;
  needs.machine = elf.header.e_machine;
  KD_TRY(needs.interpreter, interpreter_of(elf.handle.get(), file));
  for (const auto& [section, header] : elf.sections) {
    if (header.sh_type != SHT_DYNAMIC) continue;
    KD_CHECK(read_dynamic(elf.handle.get(), section, header, needs));
  }
  return needs;
}

Result<ElfSymbols> parse_elf_symbols(std::string_view file) {
  KD_TRY(const OpenElf elf, open_elf(file));
  Elf* handle = elf.handle.get();
  Versions versions;
  Elf_Data* version_of = nullptr;
  Elf_Data* symbols = nullptr;
  GElf_Shdr symbols_header{};
  for (const auto& [section, header] : elf.sections) {
    switch (header.sh_type) {
      case SHT_GNU_verneed:
        read_needed_versions(handle, elf_getdata(section, nullptr), header, versions);
        break;
      case SHT_GNU_verdef:
        read_defined_versions(handle, elf_getdata(section, nullptr), header, versions);
        break;
      case SHT_GNU_versym:
        version_of = elf_getdata(section, nullptr);
        break;
      case SHT_DYNSYM:
        symbols = elf_getdata(section, nullptr);
        symbols_header = header;
        break;
      default:
        break;
    }
  }
  ElfSymbols result;
  GElf_Sym symbol;
  for (int i = 1; symbols != nullptr && gelf_getsym(symbols, i, &symbol) != nullptr; ++i) {
    if (symbol.st_shndx == SHN_ABS) continue;  // the name of a version
    std::string name = string_at(handle, symbols_header, symbol.st_name);
    GElf_Versym number = 0;
    constexpr GElf_Versym kHidden = 0x8000;  // an old version, found only by who asks for it
    if (version_of != nullptr && gelf_getversym(version_of, i, &number) != nullptr) {
      if (const auto version = versions.find(number & ~kHidden); version != versions.end()) {
        name += '@' + version->second;
      }
    }
    const bool weak = GELF_ST_BIND(symbol.st_info) == STB_WEAK;
    if (symbol.st_shndx != SHN_UNDEF) {
      result.defined.insert(std::move(name));
    } else if (!weak) {
      result.undefined.insert(std::move(name));
    }
  }
  return result;
}

}  // namespace kd
