// SPDX-License-Identifier: GPL-2.0-or-later
//
// Small trees of real ELF modules with indexes made by the real depmod.
#pragma once

#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "tests/base/temporary_directory.h"

namespace modsel {

struct TestModule {
  std::string path;                  // below the modules directory, without .ko: "kernel/fs/a-b"
  std::vector<std::string> modinfo;  // "alias=pci:*", "firmware=a.bin", "softdep=pre: x"
  std::vector<std::string> exports;
  std::vector<std::string> uses;
};

constexpr std::string_view kTestVersion = "1.2.3-test";

class ModuleTree : public TemporaryDirectory {
 public:
  [[nodiscard]] std::string directory() const {
    return path() + "/lib/modules/" + std::string(kTestVersion);
  }
  static bool tools_exist() {
    return std::system("command -v as depmod xz zstd gzip >/dev/null 2>&1") == 0;
  }
  static bool run(const std::string& command) { return std::system(command.c_str()) == 0; }

  // depmod reads the exported names from __ksymtab_strings, the used ones from the symbol table.
  bool add(const TestModule& module) const {
    std::string text = ".section .modinfo,\"a\"\n";
    for (const std::string& field : module.modinfo) text += ".asciz \"" + field + "\"\n";
    text += ".section __ksymtab_strings,\"a\"\n";
    for (const std::string& name : module.exports) text += ".asciz \"" + name + "\"\n";
    text += ".data\n";
    for (const std::string& name : module.uses) text += ".long " + name + "\n";
    const std::string file = "lib/modules/" + std::string(kTestVersion) + "/" + module.path;
    write(file + ".s", text);
    const std::string base = path() + "/" + file;
    return run("as -o " + base + ".ko " + base + ".s && rm " + base + ".s");
  }
  [[nodiscard]] bool depmod() const {
    return run("depmod -b " + path() + " " + std::string(kTestVersion) + " 2>/dev/null");
  }
};

}  // namespace modsel
