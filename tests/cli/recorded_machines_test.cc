// SPDX-License-Identifier: GPL-2.0-or-later
//
// Every recorded machine, built for a real kernel and judged by modprobe.
#include <gmock/gmock.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "tests/cli/build_fixture.h"

namespace kd {
namespace {

using testing::Contains;
using testing::HasSubstr;

namespace fs = std::filesystem;

constexpr const char* kMachines = KD_SOURCE_DIR "/tests/machines/";

class RecordedMachine : public BuildTest {
 protected:
  // Kernels for clouds have no drivers of real hardware.
  void SetUp() override {
    BuildTest::SetUp();
    for (const TestKernel& kernel : test_kernels()) {
      if (kernel.version.find("-cloud-") == std::string::npos) kernel_ = kernel;
    }
  }

  RunResult plan(const std::string& name) {
    write_text(facts(), read_file(kMachines + name + ".json"));
    return build({"--dry-run", "--json", "--crashkernel", "256M"});
  }

  // What `modprobe OPTION NAME` prints, one word of each line.
  [[nodiscard]] std::vector<std::string> modprobe(const std::string& option,
                                                  const std::string& name) const {
    const RunResult result = run(
        {"modprobe", "-C", "/dev/null", "-d", kernel_.root, "-S", kernel_.version, option, name});
    std::vector<std::string> lines;
    std::istringstream text(result.out);
    for (std::string line; std::getline(text, line);) lines.push_back(line);
    return lines;
  }

  // The file of a driver, empty when it is built in. What it needs stands before it.
  [[nodiscard]] std::string file_of(const std::string& driver) const {
    std::string file;
    for (const std::string& line : modprobe("--show-depends", driver)) {
      if (!line.starts_with("insmod ")) continue;
      file = fs::path(line.substr(7, line.find(' ', 7) - 7)).filename().string();
    }
    return file;
  }
};

// Of a module's file the name that an image has for it: unpacked, and with underscores.
std::string unpacked(std::string file) {
  std::ranges::replace(file, '-', '_');
  return file.substr(0, file.find(".ko") + 3);
}

std::set<std::string> modules_in(const std::string& json) {
  std::set<std::string> names;
  const auto report = nlohmann::json::parse(json);
  for (const auto& entry : report.at("entries")) {
    const std::string name = fs::path(entry.at("path").get<std::string>()).filename();
    if (name.find(".ko") != std::string::npos) names.insert(unpacked(name));
  }
  return names;
}

std::uint64_t init_size(const RunResult& result) {
  EXPECT_EQ(result.exit_code, 0) << result.err;
  const auto report = nlohmann::json::parse(result.out);
  for (const auto& entry : report.at("entries")) {
    if (entry.at("path") == "init") return entry.at("bytes");
  }
  return 0;
}

TEST_F(RecordedMachine, OnlyAnImageWithLayersHoldsTheInitForThem) {
  const std::uint64_t plain = init_size(plan("qemu-virtio-ext4"));
  EXPECT_GT(plain, 0u);
  EXPECT_LT(plain, init_size(plan("qemu-lvm-ext4")));
}

// Recorded with the lvm2 of Debian 12. Each is refused by the name that lvm has for it.
constexpr std::pair<std::string_view, std::string_view> kVolumesNotAssembled[] = {
    {"qemu-lvm-cache", "the type of its segments is: cache"},
    {"qemu-lvm-origin", "the volume has a snapshot"}};

// Recorded with mdadm, cryptsetup and multipath-tools of Debian 12.
constexpr std::pair<std::string_view, std::string_view> kStacksNotAssembled[] = {
    {"qemu-md-firmware",
     "md0, an MD RAID of type raid1 (metadata of a firmware RAID, ddf_raid_member)"},
    {"qemu-luks1-ext4", "crypt, an encrypted volume whose key"},
    {"qemu-luks2-ext4", "crypt, an encrypted volume whose key"},
    {"qemu-lvm-luks", "crypt, an encrypted volume whose key"}};

bool is_refused(std::string_view name) {
  const auto has = [name](const auto& rows) {
    return std::ranges::any_of(rows, [name](const auto& row) { return row.first == name; });
  };
  return has(kVolumesNotAssembled) || has(kStacksNotAssembled);
}

// An alias may match drivers that the machine did not bind; one of them has to be there.
TEST_F(RecordedMachine, HasADriverForEveryDeviceOnTheWayToItsDisk) {
  int machines = 0;
  for (const auto& file : fs::directory_iterator(kMachines)) {
    const std::string name = file.path().stem().string();
    if (file.path().extension() != ".json" || !name.starts_with("qemu-")) continue;
    if (is_refused(name)) continue;
    const RunResult result = plan(name);
    ASSERT_EQ(result.exit_code, 0) << name << ": " << result.err;
    const std::set<std::string> planned = modules_in(result.out);
    const auto record = nlohmann::json::parse(read_file(file.path()));
    for (const auto& device : record.at("devices")) {
      for (const auto& node : device.at("chain")) {
        if (node.at("driver") == "" || node.at("modalias") == "") continue;
        const std::string alias = node.at("modalias");
        const std::vector<std::string> drivers = modprobe("--resolve-alias", alias);
        bool driven = drivers.empty();  // built in, which --resolve-alias does not tell
        for (const std::string& driver : drivers) {
          const std::string module = file_of(driver);
          driven = driven || module.empty() || planned.contains(unpacked(module));
        }
        EXPECT_TRUE(driven) << name << ": " << alias;
      }
    }
    ++machines;
  }
  EXPECT_GE(machines, 12);
}

TEST_F(RecordedMachine, OnAnSdCardGetsWhatOnlyTheEventOfTheCardNames) {
  const RunResult result = plan("qemu-sd-ext4");
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const std::set<std::string> modules = modules_in(result.out);
  for (const char* module : {"mmc_block.ko", "mmc_core.ko", "sdhci.ko", "sdhci_pci.ko"}) {
    EXPECT_THAT(modules, Contains(module));
  }
}

// One disk of the two is not enough for a striped volume; / is on a disk without LVM.
TEST_F(RecordedMachine, OnAVolumeGetsTheDeviceMapperAndTheDriversOfAllItsDisks) {
  const RunResult striped = plan("qemu-lvm-striped-xfs");
  ASSERT_EQ(striped.exit_code, 0) << striped.err;
  EXPECT_THAT(modules_in(striped.out), testing::IsSupersetOf({"dm_mod.ko", "virtio_scsi.ko"}));
  EXPECT_FALSE(modules_in(striped.out).contains("dm_raid.ko"));
  EXPECT_THAT(modules_in(plan("qemu-lvm-raid1").out),
              testing::IsSupersetOf({"dm_raid.ko", "raid1.ko"}));
  const RunResult plain = plan("qemu-virtio-ext4");
  ASSERT_EQ(plain.exit_code, 0) << plain.err;
  EXPECT_FALSE(modules_in(plain.out).contains("dm_mod.ko"));
}

TEST_F(RecordedMachine, OnAnArrayGetsMdAndThePersonalityOfItsLevel) {
  struct Row {
    const char* name;
    const char* personality;
  };
  for (const auto& [name, personality] :
       {Row{"qemu-md-raid1", "raid1.ko"}, Row{"qemu-md-raid10", "raid10.ko"},
        Row{"qemu-md-raid5", "raid456.ko"}, Row{"qemu-lvm-md-raid1", "raid1.ko"}}) {
    const RunResult array = plan(name);
    ASSERT_EQ(array.exit_code, 0) << array.err;
    EXPECT_THAT(modules_in(array.out), testing::IsSupersetOf({"md_mod.ko", personality})) << name;
  }
  EXPECT_TRUE(modules_in(plan("qemu-lvm-md-raid1").out).contains("dm_mod.ko"));
}

TEST_F(RecordedMachine, OnAVolumeThatInitDoesNotAssembleIsRefusedByItsType) {
  for (const auto& [name, problem] : kVolumesNotAssembled) {
    const RunResult result = plan(std::string(name));
    EXPECT_EQ(result.exit_code, 3) << name;
    EXPECT_THAT(result.err, HasSubstr(std::string(problem))) << name;
    EXPECT_THAT(result.err, HasSubstr("linear, striped, raid1 and thin volumes are")) << name;
  }
}

TEST_F(RecordedMachine, OnAStackThatInitDoesNotAssembleIsRefusedByItsLayer) {
  for (const auto& [name, layer] : kStacksNotAssembled) {
    const RunResult result = plan(std::string(name));
    EXPECT_EQ(result.exit_code, 3) << name;
    EXPECT_THAT(result.err, HasSubstr(std::string(layer))) << name;
  }
}

TEST_F(RecordedMachine, WithoutAControllerOfItsDiskIsRefusedWithoutAnImage) {
  struct Row {
    std::string name, layer;
    int exit_code = 3;
  };
  for (const auto& [name, layer, exit_code] :
       {Row{"iscsi", "sda, an iSCSI disk"}, Row{"nvme-tcp", "nvme0n1, an NVMe disk over tcp"},
        Row{"nbd", "nbd0, an NBD device"},
        // A setting is wrong: no support would let a dump in memory outlive the reboot.
        Row{"zram", "/dev/zram0 mounted at /), and a dump there is gone after the reboot", 2}}) {
    write_text(facts(), read_file(std::string(kMachines) + name + ".json"));
    const RunResult result = build();
    EXPECT_EQ(result.exit_code, exit_code) << name;
    EXPECT_THAT(result.err, HasSubstr(layer));
    EXPECT_FALSE(fs::exists(image())) << name;
  }
}

}  // namespace
}  // namespace kd
