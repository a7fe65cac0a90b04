// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <string_view>

#include "builder/base/file_reader.h"
#include "builder/facts/machine.h"

namespace kd {

// The encrypted device below "/" when /etc/crypttab lets somebody type its passphrase, empty when
// nobody has to. A capture that boots the real root waits there for ever. Clevis cannot be told
// from it: it answers the same question.
std::string device_with_passphrase(const MachineFacts& machine, const FileReader& reader);

// Whether a volume of crypttab(5) is opened by a passphrase: no key file and no key script, token
// or TPM. Pure; without any volume nobody knows, so yes.
bool asks_for_passphrase(std::string_view crypttab);

}  // namespace kd
