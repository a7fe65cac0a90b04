// SPDX-License-Identifier: GPL-2.0-or-later
//
// A shared library in place of those of makedumpfile that a capture never calls: debug information
// and compressors other than zlib, 1.2 of the 3.9 MB of Debian 12's program and libraries,
// 2.1 of 4.9 MB of Debian 13's. The dynamic loader wants every one of them and, with BIND_NOW,
// every function. In the image it has the name of each.
#include <unistd.h>

#include <string_view>

namespace {

[[noreturn]] void left_out(std::string_view function) {
  for (const std::string_view text :
       {std::string_view("makedumpfile: "), function,
        std::string_view("() was left out of this image: MAKEDUMP_ARGS did not ask for it\n")}) {
    if (write(STDERR_FILENO, text.data(), text.size()) < 0) break;
  }
  _exit(1);
}

}  // namespace

// NOLINTBEGIN: the names are those of the libraries
#define LEFT_OUT(function) \
  void function() { left_out(#function); }

#pragma GCC visibility push(default)
extern "C" {

// What makedumpfile 1.7 calls in every run.
// main(): the version is supported.
unsigned elf_version(unsigned version) { return version; }
// initial(): there is no lzo.
int __lzo_init_v2() { return -1; }
// calculate_len_buf_out() takes the largest of all compressors, zlib's in the end.
unsigned long snappy_max_compressed_length() { return 0; }
unsigned long ZSTD_compressBound() { return 0; }

// libdw: -x, --config, --eppic
LEFT_OUT(dwarf_attr)
LEFT_OUT(dwarf_bytesize)
LEFT_OUT(dwarf_child)
LEFT_OUT(dwarf_decl_file)
LEFT_OUT(dwarf_diename)
LEFT_OUT(dwarf_dieoffset)
LEFT_OUT(dwarf_formref_die)
LEFT_OUT(dwarf_formudata)
LEFT_OUT(dwarf_getelf)
LEFT_OUT(dwarf_getlocation)
LEFT_OUT(dwarf_nextcu)
LEFT_OUT(dwarf_offdie)
LEFT_OUT(dwarf_siblingof)
LEFT_OUT(dwarf_tag)
LEFT_OUT(dwfl_begin)
LEFT_OUT(dwfl_end)
LEFT_OUT(dwfl_errmsg)
LEFT_OUT(dwfl_getmodules)
LEFT_OUT(dwfl_linux_kernel_report_offline)
LEFT_OUT(dwfl_module_getdwarf)
LEFT_OUT(dwfl_module_info)
LEFT_OUT(dwfl_offline_section_address)
LEFT_OUT(dwfl_report_end)
LEFT_OUT(dwfl_report_offline)
LEFT_OUT(dwfl_standard_find_debuginfo)
// libelf
LEFT_OUT(elf_getdata)
LEFT_OUT(elf_getshdrstrndx)
LEFT_OUT(elf_nextscn)
LEFT_OUT(elf_strptr)
LEFT_OUT(gelf_getshdr)
LEFT_OUT(gelf_getsym)
// liblzo2: -l
LEFT_OUT(lzo1x_1_compress)
LEFT_OUT(lzo1x_decompress_safe)
// libsnappy: -p
LEFT_OUT(snappy_compress)
LEFT_OUT(snappy_uncompress)
LEFT_OUT(snappy_uncompressed_length)
// libzstd: -z
LEFT_OUT(ZSTD_compressCCtx)
LEFT_OUT(ZSTD_createCCtx)
LEFT_OUT(ZSTD_decompress)
LEFT_OUT(ZSTD_freeCCtx)
LEFT_OUT(ZSTD_isError)

}  // extern "C"
// NOLINTEND
