// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "builder/base/file_reader.h"
#include "modsel/select.h"

namespace modsel {

struct FirmwareFile {
  std::string name;    // below /lib/firmware, as found: with updates/, VERSION/ and .xz or .zst
  std::string path;    // absolute, in the reader's tree
  std::string module;  // the first in load order that asks for it
};

struct MissingFirmware {
  std::string name;  // as the module says it
  std::string module;
};

struct FirmwareSet {
  std::vector<FirmwareFile> files;  // sorted by name, each once
  std::vector<MissingFirmware> missing;
};

// Where the kernel would find what the modules ask for: /lib/firmware/updates/VERSION, updates,
// VERSION, then /lib/firmware itself; in each the plain name, .zst, .xz. A pattern gives every
// file that matches it, from all four.
FirmwareSet find_firmware(const std::vector<Module>& modules, std::string_view version,
                          const kd::FileReader& reader);

}  // namespace modsel
