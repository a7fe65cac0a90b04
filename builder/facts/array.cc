// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/facts/array.h"

#include <fcntl.h>

#include <algorithm>
#include <string>
#include <vector>

#include "builder/base/fd.h"
#include "builder/facts/device_files.h"
#include "builder/init/storage/container.h"
#include "builder/init/storage/md.h"

namespace kd {
namespace {

namespace md = kdinit::md;

// What the disks below one array tell of it.
struct Members {
  std::size_t readable = 0;  // devices that could be opened
  std::vector<std::string> names;
  std::vector<md::Superblock> superblocks;  // of those names
  std::string container;                    // what one of them is, if it is none of md
};

void read_member(const RootedReader& reader, const std::string& name, Members& members) {
  const Fd fd = open_block_device(reader, name);
  if (!fd.valid()) return;
  ++members.readable;
  // md writes past the page cache, which may still have what somebody read earlier.
  ::posix_fadvise(fd.get(), 0, 0, POSIX_FADV_DONTNEED);
  kdinit::FileReader device(fd.get());
  for (const md::Version version : md::kVersions) {
    md::Superblock superblock;
    if (md::read_superblock(device, version, superblock) != md::SuperblockState::kFound) continue;
    members.names.push_back(name);
    members.superblocks.push_back(superblock);
  }
  if (const std::string_view container = kdinit::container_on(device);
      !container.empty() && container != kdinit::kMdMember) {
    members.container = container;
  }
}

// An array with parity will be dirty at the crash, whatever it is now: the kernel then does not
// start it without one of its disks.
void expect_dirty(std::vector<md::Superblock>& superblocks) {
  for (md::Superblock& superblock : superblocks) superblock.dirty = true;
}

// The same as init will decide, with the same words.
void describe(Members& members, Array& array) {
  if (members.superblocks.empty()) {
    array.problem = members.container.empty()
                        ? "no superblock of md on the disks below it"
                        : fmt::format("metadata of a firmware RAID, {}", members.container);
    return;
  }
  expect_dirty(members.superblocks);
  md::Wanted wanted{.array = members.superblocks.front().array, .members = {}};
  for (const md::Superblock& superblock : members.superblocks) {
    if (superblock.is_active(superblock.number)) wanted.members.push(superblock.member);
  }
  const md::Choice choice = md::choose(members.superblocks, wanted, false);
  kdinit::Text<40> uuid;
  md::put_uuid(wanted.array, uuid);
  array.uuid = uuid.view();
  array.disks = members.superblocks.front().raid_disks;
  if (choice.problem != nullptr) {
    kdinit::Text<200> problem;
    md::put_problem(choice, problem);
    array.problem = problem.view();
    return;
  }
  for (const std::uint32_t index : choice.members) {
    const md::Superblock& superblock = members.superblocks[index];
    if (!superblock.in_sync) continue;
    kdinit::Text<16> id;
    md::put_member(superblock.member, id);
    array.members.push_back({.device = members.names[index], .id = std::string(id.view())});
  }
  std::ranges::sort(array.members, {}, &ArrayMember::device);
}

}  // namespace

void read_arrays(const RootedReader& reader, DeviceMap& devices) {
  for (auto& [name, device] : devices) {
    if (!device.array) continue;
    Members members;
    for (const std::string& disk : device.below) read_member(reader, disk, members);
    if (device.array->metadata.starts_with("external:") && members.container.empty()) {
      members = {
          .readable = 1, .names = {}, .superblocks = {}, .container = device.array->metadata};
    }
    if (members.readable > 0) describe(members, *device.array);
  }
}

}  // namespace kd
