// SPDX-License-Identifier: GPL-2.0-or-later
//
// By what a multipath disk is known, in /sys, by multipathd and in the configuration. Pure; for the
// builder as well.
#pragma once

#include <cstdint>
#include <string_view>

#include "builder/init/init_config.h"
#include "builder/init/text.h"

namespace kdinit::multipath {

// What stands for the identity of a disk ("naa.600...", /sys/block/sda/device/wwid) where a serial
// number has no business, in records and configurations: FNV-1a of 64 bits. `before`: the digest of
// the bytes before these.
std::uint64_t digest(std::string_view bytes, std::uint64_t before = 0xcbf29ce484222325);
void put_digest(std::uint64_t digest, TextBuffer& out);  // as 16 hex digits
// The same identity as multipathd has it ("3600..."), from scsi_id of udev; dm/uuid is "mpath-" and
// this. False for an identity that is neither of NAA nor EUI-64: scsi_id makes these of vendor and
// model. And the other way round.
bool put_name(std::string_view wwid, TextBuffer& out);
bool put_wwid(std::string_view name, TextBuffer& out);

// A layer of this kind: id DIGEST with the parameters "PATHS failover" or "PATHS single", or id
// "DIGEST/NUMBER" without parameters for a partition on it.
struct Line {
  std::uint64_t digest = 0;
  std::uint32_t partition = 0;  // 0: the disk
  std::uint32_t paths = 0;      // that the running system had
  bool failover = false;        // false: the best path alone, where a switch takes more than the
                                // kernel does by itself
};
bool parse(const Layer& layer, Line& line);

}  // namespace kdinit::multipath
