// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/init/storage/device_mapper.h"

#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>

#include <cerrno>

#include "builder/base/fd.h"

namespace kdinit {
namespace {

constexpr const char* kControl = "/dev/mapper/control";
constexpr std::size_t kAlignment = 8;  // of each struct dm_target_spec

// The number of an event is 0 throughout: there is no udev that would wait for a cookie.
dm_ioctl header_for(std::string_view name) {
  dm_ioctl header{};
  header.version[0] = DM_VERSION_MAJOR;  // the kernel wants this one, and a minor that it has
  header.data_size = sizeof header;
  header.data_start = sizeof header;
  name.copy(header.name, sizeof header.name - 1);
  return header;
}

int call(int control, unsigned long request, void* argument) {
  return ::ioctl(control, request, argument) == 0 ? 0 : errno;
}

int load(int control, std::string_view name, const DeviceTable& table) {
  dm_ioctl header = header_for(name);
  header.data_size = static_cast<std::uint32_t>(table.bytes().size());
  header.target_count = table.count();
  ::memcpy(table.bytes().data(), &header, sizeof header);
  return call(control, DM_TABLE_LOAD, table.bytes().data());
}

}  // namespace

void DeviceTable::add(std::uint64_t start, std::uint64_t length, std::string_view type,
                      std::string_view parameters) {
  const std::size_t plain = sizeof(dm_target_spec) + parameters.size() + 1;
  const std::size_t size = (plain + kAlignment - 1) / kAlignment * kAlignment;
  if (overflow_ || size > buffer_.size() - size_ || type.empty() ||
      type.size() >= DM_MAX_TYPE_NAME) {
    overflow_ = true;
    return;
  }
  dm_target_spec target{};
  target.sector_start = start;
  target.length = length;
  target.next = static_cast<std::uint32_t>(size);
  type.copy(target.target_type, type.size());
  char* place = buffer_.data() + size_;
  ::memset(place, 0, size);
  ::memcpy(place, &target, sizeof target);
  parameters.copy(place + sizeof target, parameters.size());
  size_ += size;
  ++count_;
}

int make_device(DeviceMapper& mapper, std::string_view name, std::string_view uuid,
                const DeviceTable& table) {
  return table.overflow() ? E2BIG : mapper.create(name, uuid, table);
}

int KernelDeviceMapper::create(std::string_view name, std::string_view uuid,
                               const DeviceTable& table) {
  if (name.size() >= DM_NAME_LEN || uuid.size() >= DM_UUID_LEN) return ENAMETOOLONG;
  const kd::Fd control(::open(kControl, O_RDWR | O_CLOEXEC));
  if (!control.valid()) return errno;
  dm_ioctl header = header_for(name);
  uuid.copy(header.uuid, uuid.size());
  if (const int error = call(control.get(), DM_DEV_CREATE, &header)) return error;
  int error = load(control.get(), name, table);
  if (error == 0) {
    header = header_for(name);  // without DM_SUSPEND_FLAG: the table becomes the live one
    error = call(control.get(), DM_DEV_SUSPEND, &header);
  }
  if (error != 0) remove(name);
  return error;
}

int KernelDeviceMapper::put_number(std::string_view name, TextBuffer& number) {
  const kd::Fd control(::open(kControl, O_RDWR | O_CLOEXEC));
  dm_ioctl header = header_for(name);
  if (const int error = call(control.get(), DM_DEV_STATUS, &header)) return error;
  // As huge_encode_dev() of include/linux/kdev_t.h has it.
  number.put(header.dev >> 8 & 0xfff, ':', (header.dev & 0xff) | (header.dev >> 12 & 0xfff00));
  return 0;
}

int KernelDeviceMapper::message(std::string_view name, std::string_view text) {
  struct {
    dm_ioctl header;
    std::uint64_t sector;  // struct dm_target_msg
    char text[64];
  } message{};
  if (text.size() >= sizeof message.text) return EMSGSIZE;
  const kd::Fd control(::open(kControl, O_RDWR | O_CLOEXEC));
  message.header = header_for(name);
  message.header.data_size = sizeof message;
  text.copy(message.text, text.size());
  return call(control.get(), DM_TARGET_MSG, &message);
}

void KernelDeviceMapper::remove(std::string_view name) {
  const kd::Fd control(::open(kControl, O_RDWR | O_CLOEXEC));
  dm_ioctl header = header_for(name);
  call(control.get(), DM_DEV_REMOVE, &header);
}

}  // namespace kdinit
