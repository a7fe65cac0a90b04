// SPDX-License-Identifier: GPL-2.0-or-later
//
// The key of an encrypted target on its way into the capture kernel. It is never on a disk, in an
// argument, a log or the manifest of an image.
#pragma once

#include <string>
#include <vector>

#include "builder/base/fd.h"
#include "builder/facts/machine.h"
#include "builder/policy/encryption.h"
#include "hooks/context.h"

namespace kd {

struct NeededKey {
  VolumeKey from = VolumeKey::kNone;  // kNone: what the capture mounts is not encrypted
  EncryptedVolume volume;
  std::string disk;  // "/dev/vda2", with the header
};

// Of the volume that an image for this machine opens, as kdump-mkinitrd decides it. Pure.
NeededKey needed_key(const MachineFacts& machine, const KdumpConfig& config);

// Whether KDUMP_LUKS_KEY can be trusted with a key: a file of root alone, as large as the key, that
// lies on the encrypted volume itself, where only who has the key can read it.
Result<void> check_key_file(const Context& context, const NeededKey& key, const std::string& file);

// VolumeKey::kKernel: tells the kernel which key it has to hand over. It takes the key while the
// crash kernel is loaded, by kexec_file_load(2) alone (kernel/crash_dump_dm_crypt.c).
Result<void> hand_over_key(const Context& context, const NeededKey& key, bool loaded);

// For every other load, which the kernel would refuse once the key of an earlier one has expired.
void withdraw_key(const Context& context);

// An image with the key behind it, in memory that is not swapped out, for as long as this lives.
class KeyedImage {
 public:
  // VolumeKey::kImage. `initrd` as kexec would open it, `file`: see check_key_file(). cryptsetup
  // says whether it is the right key.
  static Result<KeyedImage> make(const Context& context, const NeededKey& key,
                                 const std::string& file, const std::string& initrd);
  // That other programs of root open while this process runs.
  [[nodiscard]] std::string path() const;

 private:
  explicit KeyedImage(Fd file) : file_(std::move(file)) {}
  Fd file_;
};

}  // namespace kd
