// SPDX-License-Identifier: GPL-2.0-or-later
//
// LUKS1 and LUKS2 as they stand on disks. Pure, bounded, without a heap; shared by init, which
// makes the table of dm-crypt of what it reads at the crash, and by the builder, which proves with
// it that init will understand this header. Formats: "LUKS1 On-Disk Format Specification" 1.2.3 and
// "LUKS2 On-Disk Format Specification" 1.1.0, docs/on-disk-format*.pdf of cryptsetup.
//
// Nothing here opens a volume by a passphrase: to derive a key takes memory that a capture lacks
// (Argon2: up to 1 GiB). The key of the volume itself has to come from elsewhere.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "builder/init/storage/block_reader.h"
#include "builder/init/text.h"

namespace kdinit::luks {

// Of the JSON area of LUKS2: cryptsetup makes 12 KiB of it, and fills a few. A larger text is
// refused.
inline constexpr std::size_t kMaxJsonBytes = std::size_t{64} << 10;

struct Header {
  unsigned version = 0;           // 1 or 2; 0: no header
  Text<40> uuid;                  // as blkid prints it
  Text<64> cipher;                // as the table of dm-crypt has it, "aes-xts-plain64"
  std::uint32_t key_size = 0;     // bytes of the volume key
  std::uint32_t sector_size = 0;  // bytes that are encrypted as one
  std::uint64_t offset = 0;       // bytes, of the data
  std::uint64_t length = 0;       // bytes; 0: as far as the device goes
  std::uint64_t iv_offset = 0;    // sectors of 512 bytes
};

// Fills in the header of a device. nullptr, or why it cannot be opened: a reencryption under way,
// integrity, several segments, what this code does not know. `uuid` is filled in whenever there is
// a header. `buffer` is for the JSON of LUKS2.
//
// The checksum of LUKS2, a SHA-256, is left alone: half of a header that was being written at the
// crash is no JSON, or says of the data what the whole one does, since that changes under a
// reencryption only, which marks the header first.
const char* read_header(BlockReader& device, std::span<char> buffer, Header& header);

// Who gives init the key of a volume: a file of the image that kdump-config puts into the memory of
// the capture kernel only, or the kernel that crashed (CONFIG_CRASH_DM_CRYPT).
enum class KeySource { kImage, kKernel };

// The parameters of a layer of the configuration: KEY CIPHER NAME.
struct Opening {
  KeySource key = KeySource::kImage;  // "image" or "kernel"
  std::string_view cipher;            // that modules were chosen by
  std::string_view name;              // of the device; no blank in it
};
bool parse_opening(std::string_view parameters, Opening& opening);

bool is_uuid(std::string_view text);  // in lower case, as headers have it

// The file of KeySource::kImage, "/etc/volume-key-UUID": the key and nothing else.
void put_key_path(std::string_view uuid, TextBuffer& out);

// Of the key in a keyring of the kernel, as Red Hat's kdump-utils have it.
void put_key_description(std::string_view uuid, TextBuffer& out);

// As cryptsetup names the device in the device mapper, "CRYPT-LUKS2-" with the UUID without its
// dashes and the name, so that it finds the volume open later (dm_prepare_uuid() in
// lib/libdevmapper.c).
void put_dm_uuid(unsigned version, std::string_view uuid, std::string_view name, TextBuffer& out);

}  // namespace kdinit::luks
