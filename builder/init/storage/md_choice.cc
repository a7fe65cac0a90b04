// SPDX-License-Identifier: GPL-2.0-or-later
//
// Which members an array is started with.
#include <algorithm>

#include "builder/init/storage/md.h"

namespace kdinit::md {
namespace {

static_assert(kMaxMembers <= 64, "a bit of a word for each place of an array");

class Chooser {
 public:
  Chooser(std::span<const Superblock> seen, const Wanted& wanted) : seen_(seen), wanted_(wanted) {}
  Choice choose(bool patient);

 private:
  bool find_freshest();
  bool take_members();
  bool take(std::uint32_t index);
  bool check_presence(bool patient);
  [[nodiscard]] bool is_fresh(const Superblock& member) const;
  [[nodiscard]] bool is_enough() const;
  [[nodiscard]] bool has_place(std::uint32_t role) const { return in_sync_ >> role & 1; }
  bool refuse(const char* problem, std::uint32_t number = Choice::kNoNumber) {
    choice_.problem = problem;
    choice_.number = number;
    return false;
  }

  std::span<const Superblock> seen_;
  const Wanted& wanted_;
  Choice choice_;
  const Superblock* freshest_ = nullptr;
  std::uint64_t in_sync_ = 0;  // a bit for each place of the array
};

Choice Chooser::choose(bool patient) {
  if (!find_freshest() || !take_members() || !check_presence(patient)) choice_.members.count = 0;
  return choice_;
}

bool Chooser::find_freshest() {
  for (const Superblock& member : seen_) {
    if (member.array != wanted_.array || !member.is_active(member.number)) continue;
    if (freshest_ == nullptr || member.events > freshest_->events) freshest_ = &member;
  }
  return freshest_ != nullptr || refuse("none of its members is there");
}

// One update behind is what a machine leaves that stopped while it wrote them: md and mdadm take
// it.
bool Chooser::is_fresh(const Superblock& member) const {
  return member.events + 1 >= freshest_->events;
}

bool Chooser::take_members() {
  for (std::uint32_t i = 0; i < seen_.size(); ++i) {
    const Superblock& member = seen_[i];
    if (member.array != wanted_.array || !member.is_active(member.number)) continue;
    if (!freshest_->is_active(member.number)) {
      // Each has gone on without the other one.
      if (member.events >= freshest_->events)
        return refuse("has gone on without the others", member.number);
      continue;
    }
    // The role of its own counts in older kernels, that in the freshest one in newer ones.
    if (!is_fresh(member) || freshest_->roles[member.number] != member.roles[member.number] ||
        member.version != freshest_->version || member.level != freshest_->level ||
        member.layout != freshest_->layout || member.chunk != freshest_->chunk ||
        member.raid_disks != freshest_->raid_disks) {
      continue;
    }
    if (!take(i)) return false;
  }
  const bool known =
      std::any_of(choice_.members.begin(), choice_.members.end(), [this](std::uint32_t index) {
        return std::find(wanted_.members.begin(), wanted_.members.end(), seen_[index].member) !=
               wanted_.members.end();
      });
  return known || refuse("it has only members that were none when the image was built");
}

bool Chooser::take(std::uint32_t index) {
  const Superblock& member = seen_[index];
  if (member.unsupported != nullptr) return refuse(member.unsupported);
  for (const std::uint32_t other : choice_.members) {
    // A clone, or a second path: writing to the wrong one would be silent.
    if (seen_[other].number == member.number) return refuse("is there twice", member.number);
  }
  if (!choice_.members.push(index)) return refuse("it has too many members");
  if (&member == freshest_)
    std::swap(choice_.members.items[0], choice_.members.items[choice_.members.count - 1]);
  const std::uint32_t role = member.roles[member.number];
  if (member.in_sync && role < freshest_->raid_disks) in_sync_ |= std::uint64_t{1} << role;
  return true;
}

bool Chooser::check_presence(bool patient) {
  for (std::uint32_t number = 0; number < kMaxNumbers && patient; ++number) {
    const bool there =
        std::any_of(choice_.members.begin(), choice_.members.end(),
                    [&](std::uint32_t index) { return seen_[index].number == number; });
    if (freshest_->is_active(number) && !there) return refuse("is missing", number);
  }
  if (!is_enough()) return refuse("it lacks too many of its members");
  const auto places = (std::uint64_t{1} << freshest_->raid_disks) - 1;
  const bool parity = freshest_->level >= 4 && freshest_->level <= 6;
  if (parity && in_sync_ != places && freshest_->dirty) {
    return refuse("it is degraded and was written to when the machine stopped");
  }
  return true;
}

// As raid10.c, _enough(): of each piece of data, which lies on neighbours, one copy.
bool has_all_pieces(const Superblock& array, std::uint64_t in_sync) {
  const std::uint32_t near = array.layout & 255, copies = near * (array.layout >> 8 & 255);
  std::uint32_t first = 0;
  if (copies == 0) return false;
  do {
    bool found = false;
    for (std::uint32_t i = 0; i < copies; ++i) {
      found = found || (in_sync >> (first + i) % array.raid_disks & 1) != 0;
    }
    if (!found) return false;
    first = (first + near) % array.raid_disks;
  } while (first != 0);
  return true;
}

bool Chooser::is_enough() const {
  std::uint32_t missing = 0;
  for (std::uint32_t role = 0; role < freshest_->raid_disks; ++role) missing += !has_place(role);
  switch (freshest_->level) {
    case 1:
      return missing < freshest_->raid_disks;
    case 4:
    case 5:
      return missing <= 1;
    case 6:
      return missing <= 2;
    case 10:
      return has_all_pieces(*freshest_, in_sync_);
    default:
      return missing == 0;
  }
}

}  // namespace

Choice choose(std::span<const Superblock> seen, const Wanted& wanted, bool patient) {
  return Chooser(seen, wanted).choose(patient);
}

void put_problem(const Choice& choice, TextBuffer& out) {
  if (choice.number != Choice::kNoNumber) out.put("its member ", choice.number, ' ');
  out.put(choice.problem);
}

}  // namespace kdinit::md
