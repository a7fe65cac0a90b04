// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "tests/base/temporary_directory.h"

namespace kdinit {

// A sparse file that cryptsetup encrypts, with the passphrase "secret" in the file "key".
class EncryptedImage {
 public:
  EncryptedImage() { directory_.write("key", "secret"); }

  // `options` of luksFormat; false where there is no cryptsetup.
  [[nodiscard]] bool format(const std::string& options) const {
    directory_.write("image", "");
    std::filesystem::resize_file(path(), 64 << 20);
    return run("luksFormat -q " + std::string(kFast) + options + " --key-file " + key() + " " +
               path());
  }
  [[nodiscard]] bool run(const std::string& arguments) const {
    return std::system(("PATH=$PATH:/usr/sbin:/sbin cryptsetup " + arguments + " >" +
                        directory_.path("output") + " 2>&1")
                           .c_str()) == 0;
  }
  // Of the last run.
  [[nodiscard]] std::string output() const { return directory_.read("output"); }
  [[nodiscard]] std::string path() const { return directory_.path("image"); }
  [[nodiscard]] std::string key() const { return directory_.path("key"); }
  [[nodiscard]] const TemporaryDirectory& directory() const { return directory_; }
  // What may hold headers.
  [[nodiscard]] std::string start() const {
    std::string bytes(256 << 10, '\0');
    std::ifstream(path(), std::ios::binary).read(bytes.data(), 256 << 10);
    return bytes;
  }
  // Keys are derived in no time.
  static constexpr const char* kFast = "--pbkdf pbkdf2 --pbkdf-force-iterations 1000 ";

 private:
  TemporaryDirectory directory_;
};

}  // namespace kdinit
