// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/init/storage/encrypted_volumes.h"

#include <string.h>

#include <cerrno>

#include "builder/init/storage/container.h"

namespace kdinit {
namespace {

constexpr std::uint64_t kSector = 512;

// "CIPHER :KEY-SIZE:TYPE:DESCRIPTION IV-OFFSET DEVICE OFFSET COUNT OPTION ...", see
// Documentation/admin-guide/device-mapper/dm-crypt.rst. Without work queues there are no threads
// for each CPU, and not a second set of pages that wait for them.
void put_target(const luks::Header& header, luks::KeySource key, std::string_view device,
                TextBuffer& out) {
  out.put(header.cipher.view(), " :", header.key_size,
          key == luks::KeySource::kKernel ? ":user:" : ":logon:");
  luks::put_key_description(header.uuid.view(), out);
  out.put(' ', header.iv_offset, ' ', device, ' ', header.offset / kSector, ' ');
  const bool large = header.sector_size > kSector;
  out.put(large ? 3 : 2, " no_read_workqueue no_write_workqueue");
  if (large) out.put(" sector_size:", header.sector_size);
}

// Sectors of the volume on a device of `size` bytes; 0 when it does not fit.
std::uint64_t sectors_of(const luks::Header& header, std::uint64_t size) {
  if (header.offset >= size || header.length > size - header.offset) return 0;
  const std::uint64_t length = header.length != 0 ? header.length : size - header.offset;
  return length / header.sector_size * header.sector_size / kSector;
}

}  // namespace

void EncryptedVolumes::begin(std::span<const Layer> layers) {
  layers_ = layers;
  memory_.found = {};
}

std::string_view EncryptedVolumes::add(const SeenDevice& device, BlockReader& reader) {
  if (device.container != kLuksVolume) return {};
  luks::Header header;
  const char* problem = luks::read_header(reader, memory_.json, header);
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    luks::Opening opening;
    if (layers_[i].kind != LayerKind::kLuks || layers_[i].id != header.uuid.view() ||
        !luks::parse_opening(layers_[i].parameters, opening)) {
      continue;
    }
    EncryptedVolumesMemory::Found& found = memory_.found[i];
    ++found.devices;
    found.version = header.version;
    found.problem = problem;
    if (problem != nullptr) continue;
    found.sectors = sectors_of(header, reader.size());
    if (found.sectors == 0) found.problem = "the device is too small for it";
    if (header.cipher.view() != opening.cipher) found.problem = "its cipher is another one now";
    TextBuffer target(found.target, sizeof found.target);
    put_target(header, opening.key, device.number, target);
    if (target.cut()) found.problem = "its table is too long";
  }
  return kLuksVolume;
}

bool EncryptedVolumes::is_active(std::size_t layer, const DeviceDirectories& directories) {
  luks::Opening opening;
  luks::parse_opening(layers_[layer].parameters, opening);
  for (const unsigned version : {1U, 2U}) {
    Text<DM_UUID_LEN> uuid;
    luks::put_dm_uuid(version, layers_[layer].id, opening.name, uuid);
    if (has_mapped_device(directories, uuid.view())) return true;
  }
  return false;
}

bool EncryptedVolumes::make(std::size_t layer, bool, LayerDrivers& drivers, TextBuffer& made,
                            TextBuffer& problem) {
  const EncryptedVolumesMemory::Found& found = memory_.found[layer];
  const std::string_view id = layers_[layer].id;
  problem.put("encrypted volume ", id, ": ");
  // A clone has the key as well, and its file system the same UUID.
  if (found.devices != 1 || found.problem != nullptr) {
    problem.put(found.devices == 0  ? "no disk has its header"
                : found.devices > 1 ? "more than one disk has its header"
                                    : found.problem);
    return false;
  }
  luks::Opening opening;
  luks::parse_opening(layers_[layer].parameters, opening);
  if (const int error = drivers.keys.provide(opening.key, id)) {
    problem.put("its key cannot be had from the ",
                opening.key == luks::KeySource::kKernel ? "kernel" : "image", ": ",
                ::strerror(error));
    return false;
  }
  DeviceTable table(memory_.table);
  table.add(0, found.sectors, "crypt", found.target);
  Text<DM_UUID_LEN> uuid;
  luks::put_dm_uuid(found.version, id, opening.name, uuid);
  const int error = make_device(drivers.mapper, opening.name, uuid.view(), table);
  if (error == ENOKEY) {
    problem.put("its key is missing; kdump-config load gives it to the capture kernel");
    return false;
  }
  if (error != 0) {
    problem.put("cannot make ", opening.name, ": ", ::strerror(error));
    return false;
  }
  problem.clear();
  made.put(opening.name);
  return true;
}

}  // namespace kdinit
