// SPDX-License-Identifier: GPL-2.0-or-later
#include "hooks/volume_key.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "builder/facts/device_files.h"
#include "builder/facts/gather.h"
#include "builder/init/storage/luks.h"
#include "cpio/archive.h"

namespace kd {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kHandOver = "/sys/kernel/config/crash_dm_crypt_keys";

std::string key_description(const NeededKey& key) {
  kdinit::Text<128> text;
  kdinit::luks::put_key_description(key.volume.uuid, text);
  return std::string(text.view());
}

Result<void> write_attribute(const std::string& path, std::string_view value) {
  const Fd fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!fd.valid() || ::write(fd.get(), value.data(), value.size()) < 0) {
    return fail_errno(errno, path);
  }
  return {};
}

Result<Fd> open_key(const Context& context, const std::string& file) {
  const Result<std::string> path = context.reader.host_path(file);
  if (!path) return in_context("KDUMP_LUKS_KEY", path.error());
  Fd fd(::open(path->c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd.valid()) return fail_errno(errno, fmt::format("KDUMP_LUKS_KEY: {}", file));
  return fd;
}

// Whether cryptsetup takes the file for the key of the volume. It needs no device-mapper for that.
Result<void> check_key(const Context& context, const NeededKey& key, const std::string& file) {
  const std::optional<std::string> cryptsetup = context.runner.find("cryptsetup");
  if (!cryptsetup) {
    return fail(ErrorKind::kFailed,
                "cryptsetup is missing, which checks KDUMP_LUKS_KEY; install "
                "cryptsetup-bin");
  }
  KD_TRY(ProgramOutcome outcome, context.runner.run({*cryptsetup, "open", "--test-passphrase",
                                                     "--volume-key-file", file, key.disk}));
  if (outcome.status == 0) return {};
  while (outcome.output.ends_with('\n')) outcome.output.pop_back();
  return fail(ErrorKind::kFailed, "KDUMP_LUKS_KEY: {} does not have the volume key of {} ({}): {}",
              file, key.volume.name, key.disk, outcome.output);
}

// The archive that follows the image: the kernel unpacks one after the other, and the start of one
// that is not compressed is a multiple of 4 (Documentation/driver-api/early-userspace/
// buffer-format.rst).
Result<std::string> key_archive(const NeededKey& key, const Fd& file, std::size_t image_size) {
  std::string bytes(key.volume.key_size, '\0');
  if (::pread(file.get(), bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
    return fail_errno(EIO, "KDUMP_LUKS_KEY");
  }
  kdinit::Text<64> path;
  kdinit::luks::put_key_path(key.volume.uuid, path);
  cpio::Entry entry{.path = std::string(path.view().substr(1)), .mode = S_IFREG | 0600};
  entry.data = std::move(bytes);
  Result<std::string> archive = cpio::write_archive({&entry, 1}, 0);
  ::explicit_bzero(entry.data.data(), entry.data.size());
  if (archive) archive->insert(0, (4 - image_size % 4) % 4, '\0');
  return archive;
}

Result<void> write_all(const Fd& fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t size = ::write(fd.get(), bytes.data(), bytes.size());
    if (size < 0) return fail_errno(errno, "image in memory");
    bytes.remove_prefix(static_cast<std::size_t>(size));
  }
  return {};
}

}  // namespace

bool has_logon_key(const std::string& description) {
  return ::syscall(SYS_request_key, "logon", description.c_str(), nullptr, 0) >= 0;
}

NeededKey needed_key(const MachineFacts& machine, const KdumpConfig& config) {
  const bool rootfs = config.capture == "rootfs";
  const DumpMount& mount = rootfs && machine.root_mount ? *machine.root_mount : machine.dump_mount;
  const BlockDevice* device = encrypted_below(machine, mount);
  if (device == nullptr || !device->encrypted || device->below.empty()) return {};
  return {.from = config.luks_key.empty() ? VolumeKey::kKernel : VolumeKey::kImage,
          .volume = *device->encrypted,
          .disk = device_node(device->below.front())};
}

Result<void> check_key_file(const Context& context, const NeededKey& key, const std::string& file) {
  const auto refuse = [&file](const std::string& why) {
    return fail(ErrorKind::kUsage, "KDUMP_LUKS_KEY: {} {}", file, why);
  };
  KD_TRY(const Fd fd, open_key(context, file));
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) return fail_errno(errno, file);
  if (!S_ISREG(status.st_mode)) return refuse("is no file");
  if (status.st_uid != ::geteuid() || (status.st_mode & 077) != 0) {
    return refuse("is not root's alone: chown root and chmod 600");
  }
  if (static_cast<std::uint64_t>(status.st_size) != key.volume.key_size) {
    return refuse(fmt::format("has {} bytes, and the volume key of {} has {}", status.st_size,
                              key.volume.name, key.volume.key_size));
  }
  KD_TRY(const std::string real, context.reader.resolve(file));
  KD_TRY(const MachineFacts around,
         gather_machine(context.reader, fs::path(real).parent_path().string()));
  const BlockDevice* below = encrypted_below(around, around.dump_mount);
  if (below == nullptr || !below->encrypted || below->encrypted->uuid != key.volume.uuid) {
    return refuse(
        fmt::format("does not lie on {}, the encrypted volume that it opens: elsewhere "
                    "it would be read without a passphrase",
                    key.volume.name));
  }
  return {};
}

Result<void> hand_over_key(const Context& context, const NeededKey& key, bool loaded) {
  const std::string description = key_description(key);
  const Result<std::string> directory = context.reader.host_path(kHandOver);
  if (!directory || !context.reader.exists(kHandOver)) {
    return fail(ErrorKind::kTargetNotSupported,
                "{} is encrypted, and the running kernel hands no keys over: {} is not there; it "
                "takes CONFIG_CRASH_DM_CRYPT and configfs mounted at /sys/kernel/config, or "
                "KDUMP_LUKS_KEY, see kdump-tools(5)",
                key.volume.name, kHandOver);
  }
  const bool found = context.has_key(description);
  if (!found && !loaded) {
    return fail(ErrorKind::kFailed,
                "the volume key of {} is in no keyring of this session; where systemd opens the "
                "volume, link-volume-key=@u::%logon:{} in /etc/crypttab puts it there, else "
                "cryptsetup open --test-passphrase --link-vk-to-keyring \"@u::%logon:{}\" {}",
                key.volume.name, description, description, key.disk);
  }
  // Keys expire; the one that was handed over with the last load is still there.
  if (!found) {
    context.say(
        fmt::format("the volume key of {} is in no keyring any more, that of the last load "
                    "is handed over again",
                    key.volume.name));
  }
  // While nothing is loaded with a key, the kernel takes no value, not even the one that it has.
  const bool reused =
      context.reader.read(fmt::format("{}/reuse", kHandOver)).value_or("0").starts_with('1');
  if (!found || reused) KD_CHECK(write_attribute(*directory + "/reuse", found ? "0" : "1"));
  std::error_code error;
  fs::create_directory(*directory + "/kdump", error);
  if (error) return fail_errno(error.value(), fmt::format("{}/kdump", kHandOver));
  return write_attribute(*directory + "/kdump/description", description);
}

void withdraw_key(const Context& context) {
  std::error_code ignored;
  if (const Result<std::string> directory = context.reader.host_path(kHandOver)) {
    fs::remove(*directory + "/kdump", ignored);
  }
}

Result<KeyedImage> KeyedImage::make(const Context& context, const NeededKey& key,
                                    const std::string& file, const std::string& initrd) {
  KD_CHECK(check_key_file(context, key, file));
  KD_CHECK(check_key(context, key, file));
  // Neither this process nor the pages below go to swap.
  if (::mlockall(MCL_CURRENT | MCL_FUTURE) != 0) return fail_errno(errno, "mlockall");
  KD_TRY(const Fd key_file, open_key(context, file));
  KD_TRY(const std::string image, context.reader.read(initrd));
  KD_TRY(std::string archive, key_archive(key, key_file, image.size()));
  const Fd writer(::memfd_create("kdump-initrd", MFD_CLOEXEC));
  const std::size_t size = image.size() + archive.size();
  if (!writer.valid() || ::ftruncate(writer.get(), static_cast<off_t>(size)) != 0) {
    return fail_errno(errno, "image in memory");
  }
  // The kernel refuses a file that somebody may still write, so it is opened anew.
  Fd reader(::open(fmt::format("/proc/self/fd/{}", writer.get()).c_str(), O_RDONLY | O_CLOEXEC));
  if (!reader.valid() ||
      ::mmap(nullptr, size, PROT_READ, MAP_SHARED | MAP_POPULATE, reader.get(), 0) == MAP_FAILED) {
    return fail_errno(errno, "image in memory");
  }
  const Result<void> written = write_all(writer, image);
  const Result<void> complete = written ? write_all(writer, archive) : written;
  ::explicit_bzero(archive.data(), archive.size());
  if (!complete) return tl::unexpected(complete.error());
  return KeyedImage(std::move(reader));
}

std::string KeyedImage::path() const {
  return fmt::format("/proc/{}/fd/{}", ::getpid(), file_.get());
}

}  // namespace kd
