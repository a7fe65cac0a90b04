// SPDX-License-Identifier: GPL-2.0-or-later
#include "modsel/deny_list.h"

namespace modsel {
namespace {

struct Rule {
  std::string_view directory;  // with both slashes, anywhere in the path
  std::string_view reason;
};

// Directories rather than names: they hold still from kernel to kernel, and none of what is below
// them can lead to a disk. Watchdog, TPM, GPIO, I2C, power and clock drivers are not here: a disk
// or its controller may wait for them, and a running watchdog would reset the capture.
constexpr Rule kDirectories[] = {
    {"/kernel/drivers/gpu/", "graphics: firmware of up to 38 MB, may hang on a live device"},
    {"/kernel/sound/", "sound saves no dump"},
    {"/kernel/drivers/media/", "cameras and tuners save no dump"},
    {"/kernel/drivers/bluetooth/", "Bluetooth saves no dump"},
    {"/kernel/net/bluetooth/", "Bluetooth saves no dump"},
    {"/kernel/drivers/net/wireless/", "wireless needs firmware and a supplicant"},
    {"/kernel/net/wireless/", "wireless needs firmware and a supplicant"},
    {"/kernel/net/mac80211/", "wireless needs firmware and a supplicant"},
    {"/kernel/drivers/infiniband/", "RDMA takes up to 200 MB of memory"},
    {"/kernel/drivers/iio/", "sensors save no dump"},
    {"/kernel/drivers/hwmon/", "sensors save no dump"},
};
// Built outside the kernel tree, so that no directory tells them.
constexpr std::string_view kGraphicsNames[] = {"nvidia", "nvidia_drm", "nvidia_modeset",
                                               "nvidia_peermem", "nvidia_uvm"};

}  // namespace

std::string_view deny_reason(std::string_view name, std::string_view path) {
  for (const Rule& rule : kDirectories) {
    if (path.find(rule.directory) != std::string_view::npos) return rule.reason;
  }
  for (const std::string_view graphics : kGraphicsNames) {
    if (name == graphics) return kDirectories[0].reason;
  }
  return {};
}

}  // namespace modsel
