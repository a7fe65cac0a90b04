// SPDX-License-Identifier: GPL-2.0-or-later
//
// Cost per disk and per module in synthetic machines. Ends with 1 when one of them at full size
// costs more than three times what it costs at a tenth of it: then it is not linear.
#include <fmt/format.h>
#include <linux/perf_event.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>

#include "builder/base/fd.h"
#include "builder/base/rooted_reader.h"
#include "builder/facts/gather.h"
#include "builder/facts/machine_json.h"
#include "builder/policy/requirements.h"
#include "cpio/archive.h"
#include "modsel/select.h"
#include "tests/machine_fixture.h"
#include "tests/modsel/fake_index.h"

namespace {

namespace fs = std::filesystem;
constexpr double kLimit = 3;

// Instructions in user mode, which hardly vary; where they cannot be counted, CPU time.
class Meter {
 public:
  Meter() {
    perf_event_attr attributes{};
    attributes.type = PERF_TYPE_HARDWARE;
    attributes.size = sizeof attributes;
    attributes.config = PERF_COUNT_HW_INSTRUCTIONS;
    attributes.exclude_kernel = 1;
    counter_ = kd::Fd(static_cast<int>(syscall(SYS_perf_event_open, &attributes, 0, -1, -1, 0UL)));
  }
  [[nodiscard]] const char* unit() const { return counter_.valid() ? "instructions" : "ns"; }

  double cost(const std::function<void()>& work) const {
    const double before = now();
    work();
    return now() - before;
  }

 private:
  [[nodiscard]] double now() const {
    std::uint64_t instructions = 0;
    if (counter_.valid() && read(counter_.get(), &instructions, sizeof instructions) > 0) {
      return static_cast<double>(instructions);
    }
    timespec time{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) * 1e9 + static_cast<double>(time.tv_nsec);
  }

  kd::Fd counter_;
};

void die(const std::string& what) {
  fmt::print(stderr, "growth: {}\n", what);
  exit(1);
}

template <class T>
T need(kd::Result<T> result) {
  if (!result) die(result.error().message);
  return std::move(*result);
}

void write(const fs::path& path, const std::string& text) {
  fs::create_directories(path.parent_path());
  std::ofstream(path) << text;
}

// A machine below `root` with `count` virtio disks, all mounted, ten deep: each mount but every
// tenth lies in the one before it. The root is a volume over all of them, so that none can be left
// aside.
void make_disks(const fs::path& root, int count) {
  const fs::path sys = root / "sys";
  const fs::path volume = sys / "devices/virtual/block/dm-0";
  write(volume / "dev", "253:0\n");
  write(volume / "uevent", "DEVTYPE=disk\n");
  write(volume / "dm/uuid", "LVM-x\n");
  write(volume / "dm/name", "vg-root\n");
  fs::create_directories(sys / "dev/block");
  fs::create_directories(sys / "class/block");
  fs::create_directories(volume / "slaves");
  fs::create_symlink("../../devices/virtual/block/dm-0", sys / "dev/block/253:0");
  fs::create_symlink("../../devices/virtual/block/dm-0", sys / "class/block/dm-0");
  constexpr int kDepth = 10;
  std::string mounts = "1 0 253:0 / / rw - ext4 /dev/mapper/vg-root rw\n", fstab, place;
  for (int i = 0; i < count; ++i) {
    const std::string name = fmt::format("vd{}", i), number = fmt::format("254:{}", i);
    const std::string bus = fmt::format("devices/pci0000:00/0000:00:{:02x}.0", i);
    const std::string path = fmt::format("{}/virtio{}/block/{}", bus, i, name);
    write(sys / path / "dev", number + "\n");
    write(sys / path / "size", "2097152\n");
    write(sys / bus / "modalias", "pci:v00001AF4d00001001\n");
    write(sys / bus / fmt::format("virtio{}/modalias", i), "virtio:d00000002v00001AF4\n");
    fs::create_symlink("../../" + path, sys / "dev/block" / number);
    fs::create_symlink("../../" + path, sys / "class/block" / name);
    fs::create_symlink(sys / path, volume / "slaves" / name);
    const bool outermost = i % kDepth == 0;
    place = fmt::format("{}/{}", outermost ? "/srv" : place, i);
    mounts += fmt::format("{} {} {} / {} rw - ext4 /dev/{} rw\n", i + 2, outermost ? 1 : i + 1,
                          number, place, name);
    fstab += fmt::format("UUID=11111111-2222-3333-4444-{:012} {} ext4 defaults 0 2\n", i, place);
  }
  write(root / "proc/self/mountinfo", mounts);
  write(root / "etc/fstab", fstab);
}

// Facts -> record -> facts -> policy, which refuses the volume after it has seen it.
double disks(const Meter& meter, int count) {
  std::string folder = fs::temp_directory_path() / "growth.XXXXXX";
  if (mkdtemp(folder.data()) == nullptr) die("mkdtemp");
  make_disks(folder, count);
  const kd::RootedReader reader = need(kd::RootedReader::open(folder));
  const double cost = meter.cost([&] {
    const kd::MachineFacts facts = need(kd::gather_machine(reader, "/var/crash"));
    if (std::cmp_not_equal(facts.devices.size(), count + 1)) {
      die(fmt::format("{} devices of {} were found", facts.devices.size(), count + 1));
    }
    const kd::MachineFacts again = need(kd::machine_from_json(kd::machine_to_json(facts)));
    if (kd::decide(again, {}, {})) die("the volume is supported by now: let it be decided");
  });
  fs::remove_all(folder);
  return cost;
}

// Groups of ten modules, in which each depends on up to four before it; all are selected.
double modules(const Meter& meter, int count) {
  modsel::FakeIndex index;
  modsel::ModuleRequest request;
  for (int i = 0; i < count; ++i) {
    std::vector<std::string> depends;
    for (int j = std::max(i - 4, i / 10 * 10); j < i; ++j) depends.push_back(fmt::format("m{}", j));
    index.add(fmt::format("m{}", i), depends).soft_pre = {fmt::format("m{}", i / 10 * 10)};
    if (i % 10 == 9) request.wanted.push_back(modsel::want(fmt::format("m{}", i)));
  }
  return meter.cost([&] {
    if (std::cmp_not_equal(need(modsel::select(request, index)).load_order.size(), count)) {
      die("not every module was selected");
    }
  });
}

double files(const Meter& meter, int count) {
  std::vector<cpio::Entry> entries;
  entries.reserve(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) {
    entries.push_back({.path = fmt::format("lib/modules/m{}.ko", i),
                       .mode = 0100644,
                       .data = std::string(1000, 'x') + std::to_string(i)});
  }
  return meter.cost([&] { need(cpio::write_archive(entries, 0)); });
}

struct Growth {
  const char* unit;
  double (*cost)(const Meter&, int);
  std::vector<int> sizes;  // the last but one is a tenth of the last
};

// Prints the table of one kind; false when it is not linear.
bool is_linear(const Meter& meter, const Growth& growth) {
  double tenth = 0, last = 0;
  for (const int size : growth.sizes) {
    double best = growth.cost(meter, size);
    best = std::min(best, growth.cost(meter, size));
    tenth = last;
    last = best / size;
    fmt::print("{:>6} {:<8} {:>12.0f} {} each\n", size, growth.unit, last, meter.unit());
  }
  const double ratio = last / tenth;
  fmt::print("       ten times as many cost {:.2f} times as much each{}\n\n", ratio,
             ratio > kLimit ? ": NOT LINEAR" : "");
  return ratio <= kLimit;
}

}  // namespace

int main() {
  const Growth all[] = {{"disks", disks, {1, 20, 200, 2000}},
                        {"modules", modules, {100, 2000, 20000}},
                        {"files", files, {100, 2000, 20000}}};
  const Meter meter;
  bool linear = true;
  for (const Growth& growth : all) linear = is_linear(meter, growth) && linear;
  return linear ? 0 : 1;
}
