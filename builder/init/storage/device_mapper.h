// SPDX-License-Identifier: GPL-2.0-or-later
//
// Devices made of others by the kernel's device-mapper, as include/uapi/linux/dm-ioctl.h has it.
#pragma once

#include <linux/dm-ioctl.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "builder/init/text.h"

namespace kdinit {

// The argument of DM_TABLE_LOAD, in a buffer of the caller: room for the header, then the targets.
class DeviceTable {
 public:
  // `buffer` is aligned for struct dm_ioctl.
  explicit DeviceTable(std::span<char> buffer) : buffer_(buffer) {}
  // Starts and lengths are sectors. What does not fit is remembered.
  void add(std::uint64_t start, std::uint64_t length, std::string_view type,
           std::string_view parameters);
  [[nodiscard]] bool overflow() const { return overflow_; }
  [[nodiscard]] std::uint32_t count() const { return count_; }
  [[nodiscard]] std::span<char> bytes() const { return buffer_.first(size_); }

 private:
  std::span<char> buffer_;
  std::size_t size_ = sizeof(dm_ioctl);
  std::uint32_t count_ = 0;
  bool overflow_ = false;
};

class DeviceMapper {
 public:
  // A device that can be used at once; what was begun is taken back on failure. 0 or an errno
  // value.
  virtual int create(std::string_view name, std::string_view uuid, const DeviceTable& table) = 0;
  // "253:0", as tables of other devices name it. 0 or an errno value.
  virtual int put_number(std::string_view name, TextBuffer& number) = 0;
  // Tells something to the first target of a device. 0 or an errno value.
  virtual int message(std::string_view name, std::string_view text) = 0;
  virtual void remove(std::string_view name) = 0;

 protected:
  ~DeviceMapper() = default;
};

// The same, and E2BIG for a table that is not whole.
int make_device(DeviceMapper& mapper, std::string_view name, std::string_view uuid,
                const DeviceTable& table);

class KernelDeviceMapper final : public DeviceMapper {
 public:
  int create(std::string_view name, std::string_view uuid, const DeviceTable& table) override;
  int put_number(std::string_view name, TextBuffer& number) override;
  int message(std::string_view name, std::string_view text) override;
  void remove(std::string_view name) override;
};

}  // namespace kdinit
