// SPDX-License-Identifier: GPL-2.0-or-later
#include "hooks/volume_key.h"

#include <fcntl.h>
#include <sys/mman.h>

#include <fstream>

#include "cpio/archive.h"
#include "hooks/load.h"
#include "tests/hooks/fake_machine.h"

namespace kd {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

namespace fs = std::filesystem;

constexpr const char* kUuid = "01234567-89ab-cdef-0123-456789abcdef";
constexpr const char* kDescription = "kdump-cryptsetup:vk-01234567-89ab-cdef-0123-456789abcdef";
const std::string kKeys = "sys/kernel/config/crash_dm_crypt_keys/";

// "/" on vda1, /var/crash on the encrypted vda2, whose key is at /var/crash/key.
class VolumeKeys : public testing::Test {
 protected:
  void SetUp() override {
    machine.root.write("proc/self/mountinfo",
                       "26 1 254:1 / / rw - ext4 /dev/vda1 rw\n"
                       "27 26 253:0 / /var/crash rw - ext4 /dev/mapper/crypt rw\n");
    add_block("pci0000:00/vda", "254:0");
    add_block("pci0000:00/vda/vda1", "254:1");
    add_block("pci0000:00/vda/vda2", "254:2");
    add_block("virtual/block/dm-0", "253:0");
    machine.root.write("sys/devices/pci0000:00/vda/vda1/partition", "1\n");
    machine.root.write("sys/devices/pci0000:00/vda/vda2/partition", "2\n");
    machine.root.write("sys/devices/virtual/block/dm-0/dm/uuid",
                       "CRYPT-LUKS1-0123456789abcdef0123456789abcdef-crypt\n");
    link("sys/devices/virtual/block/dm-0/slaves/vda2", "../../../../pci0000:00/vda/vda2");
    machine.root.write("dev/vda2", header());
    write_key("var/crash/key", std::string(64, 'k'));
    machine.configure("KDUMP_LUKS_KEY=/var/crash/key\n");
    machine.runner.programs["cryptsetup"] = [this](const std::vector<std::string>&) {
      return ProgramOutcome{cryptsetup_status, cryptsetup_status == 0 ? "" : "does not match\n"};
    };
  }
  // Of LUKS1: struct luks_phdr with aes-xts-plain64, data from sector 4096, a key of 64 bytes.
  static std::string header() {
    std::string bytes(1024, '\0');
    bytes.replace(0, 8, std::string("LUKS\xba\xbe\0\x01", 8));
    bytes.replace(8, 3, "aes");
    bytes.replace(40, 11, "xts-plain64");
    bytes[106] = 0x10;
    bytes[111] = 64;
    bytes.replace(168, 36, kUuid);
    return bytes;
  }
  void link(const std::string& path, const std::string& target) const {
    fs::create_directories(fs::path(machine.root.path(path)).parent_path());
    fs::create_symlink(target, machine.root.path(path));
  }
  void add_block(const std::string& path, const std::string& number) const {
    machine.root.write("sys/devices/" + path + "/dev", number + "\n");
    machine.root.write("sys/devices/" + path + "/uevent", "");
    link("sys/dev/block/" + number, "../../devices/" + path);
    link("sys/class/block/" + fs::path(path).filename().string(), "../../devices/" + path);
  }
  void write_key(const std::string& path, const std::string& key) const {
    machine.root.write(path, key);
    fs::permissions(machine.root.path(path), fs::perms(0600));
  }
  std::string problem(const Result<void>& result) { return result ? "" : result.error().message; }
  std::string load_problem() { return problem(load(machine.context())); }

  FakeMachine machine;
  int cryptsetup_status = 0;
};

TEST_F(VolumeKeys, FileThatOthersCanReadIsRefused) {
  fs::permissions(machine.root.path("var/crash/key"), fs::perms(0640));
  EXPECT_THAT(load_problem(), HasSubstr("is not root's alone"));
  EXPECT_THAT(machine.kexec_calls(), IsEmpty());
}

TEST_F(VolumeKeys, FileBesideTheVolumeIsRefused) {
  write_key("etc/key", std::string(64, 'k'));
  machine.configure("KDUMP_LUKS_KEY=/etc/key\n");
  EXPECT_THAT(load_problem(), HasSubstr("/etc/key does not lie on crypt"));
  link("var/crash/link", "../../etc/key");
  machine.configure("KDUMP_LUKS_KEY=/var/crash/link\n");
  EXPECT_THAT(load_problem(), HasSubstr("does not lie on crypt"));
  EXPECT_THAT(machine.kexec_calls(), IsEmpty());
}

TEST_F(VolumeKeys, FileOfAnotherSizeOrNoneIsRefused) {
  write_key("var/crash/key", "short");
  EXPECT_THAT(load_problem(), HasSubstr("has 5 bytes, and the volume key of crypt has 64"));
  fs::remove(machine.root.path("var/crash/key"));
  EXPECT_THAT(load_problem(),
              testing::AllOf(StartsWith("KDUMP_LUKS_KEY: "), HasSubstr("No such file")));
  EXPECT_THAT(machine.kexec_calls(), IsEmpty());
}

TEST_F(VolumeKeys, KeyThatCryptsetupDoesNotTakeIsRefused) {
  cryptsetup_status = 2;
  EXPECT_THAT(load_problem(), HasSubstr("does not have the volume key of crypt (/dev/vda2)"));
  EXPECT_THAT(machine.kexec_calls(), IsEmpty());
  EXPECT_THAT(machine.runner.calls,
              Contains(ElementsAre("/usr/sbin/cryptsetup", "open", "--test-passphrase",
                                   "--volume-key-file", "/var/crash/key", "/dev/vda2")));
}

TEST_F(VolumeKeys, CallThatCannotTakeTheImageFromMemoryIsRefused) {
  machine.configure("KDUMP_LUKS_KEY=/var/crash/key\nKDUMP_KEXEC_ARGS=-c\n");
  EXPECT_THAT(load_problem(), HasSubstr("-s"));
}

TEST_F(VolumeKeys, FollowsTheImageInMemoryAndIsNowhereElse) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root may keep so much memory from swap";
  std::string loaded;
  machine.runner.programs["kexec"] = [&](const std::vector<std::string>& argv) {
    EXPECT_THAT(argv, Contains("-s"));
    for (const std::string& word : argv) {
      if (!word.starts_with("--initrd=")) continue;
      EXPECT_THAT(word, StartsWith("--initrd=/proc/"));
      std::ifstream file(word.substr(9), std::ios::binary);
      loaded.assign(std::istreambuf_iterator<char>(file), {});
    }
    machine.set_loaded(true);
    return ProgramOutcome{0, ""};
  };
  EXPECT_EQ(load_problem(), "");
  ::munlockall();
  const std::string image = std::string("image ") + kRunning;
  const std::size_t start = (image.size() + 3) / 4 * 4;
  ASSERT_GT(loaded.size(), start);
  EXPECT_EQ(loaded.substr(0, start), image + std::string(start - image.size(), '\0'));
  const auto archive = cpio::read_archive_prefix(std::string_view(loaded).substr(start));
  ASSERT_TRUE(archive.has_value());
  EXPECT_TRUE(archive->trailer);
  const cpio::Entry& file = archive->entries.back();
  EXPECT_EQ(file.path, std::string("etc/volume-key-") + kUuid);
  EXPECT_EQ(file.mode, 0100600u);
  EXPECT_EQ(file.data, std::string(64, 'k'));
  fs::remove(machine.root.path("var/crash/key"));
  for (const auto& entry : fs::recursive_directory_iterator(machine.root.path())) {
    if (!entry.is_regular_file()) continue;
    std::ifstream content(entry.path(), std::ios::binary);
    const std::string text(std::istreambuf_iterator<char>(content), {});
    EXPECT_THAT(text, Not(HasSubstr("kkkk"))) << entry.path();
  }
  EXPECT_THAT(machine.root.read("var/crash/kexec_cmd"), HasSubstr("/var/lib/kdump/initrd.img"));
  EXPECT_THAT(machine.said, Not(HasSubstr("kkkk")));
}

// A configfs as kernel/crash_dump_dm_crypt.c has it, where making a directory makes its attributes.
class HandOver : public VolumeKeys {
 protected:
  void SetUp() override {
    VolumeKeys::SetUp();
    machine.configure("");
    machine.root.write(kKeys + "reuse", "0\n");
    machine.root.write(kKeys + "kdump/description", "");
  }
  std::string load_problem() {
    Context context = machine.context();
    context.has_key = [this](const std::string& description) {
      asked.push_back(description);
      return has_key;
    };
    return problem(reload(context));
  }
  bool has_key = true;
  std::vector<std::string> asked;
};

TEST_F(HandOver, TellsTheKernelWhichKey) {
  EXPECT_EQ(load_problem(), "");
  EXPECT_EQ(machine.root.read(kKeys + "kdump/description"), kDescription);
  EXPECT_THAT(machine.root.read(kKeys + "reuse"), StartsWith("0"));
  EXPECT_THAT(asked, ElementsAre(kDescription));
  EXPECT_THAT(machine.kexec_calls().back(), Contains("-s"));
  EXPECT_EQ(machine.kexec_calls().size(), 1u) << "kexec_load(2) hands nothing over";
}

// config_keys_reuse_store() fails while nothing is loaded with a key, as at every boot.
TEST_F(HandOver, NothingIsSaidOfAnEarlierKeyWhenThereIsNone) {
  const fs::path reuse = machine.root.path(kKeys + "reuse");
  fs::last_write_time(reuse, {});
  EXPECT_EQ(load_problem(), "");
  EXPECT_EQ(fs::last_write_time(reuse), fs::file_time_type());
}

TEST_F(HandOver, IsWithdrawnByALoadThatDoesNotNeedIt) {
  EXPECT_EQ(load_problem(), "");
  // As configfs does with its directory.
  fs::remove(machine.root.path(kKeys + "kdump/description"));
  machine.root.write("proc/self/mountinfo", "26 1 254:1 / / rw - ext4 /dev/vda1 rw\n");
  EXPECT_EQ(load_problem(), "");
  EXPECT_FALSE(fs::exists(machine.root.path(kKeys + "kdump")));
}

TEST_F(HandOver, MissingKeyIsNamedWithTheCommandThatProvidesIt) {
  has_key = false;
  const std::string text = load_problem();
  EXPECT_THAT(text, HasSubstr(std::string("--link-vk-to-keyring \"@u::%logon:") + kDescription +
                              "\" /dev/vda2"));
  EXPECT_THAT(text, HasSubstr(std::string("link-volume-key=@u::%logon:") + kDescription));
  EXPECT_THAT(machine.kexec_calls(), IsEmpty());
}

TEST_F(HandOver, KeyOfTheLastLoadIsUsedAgainWhenItHasExpired) {
  EXPECT_EQ(load_problem(), "");
  has_key = false;
  EXPECT_EQ(load_problem(), "");
  EXPECT_THAT(machine.root.read(kKeys + "reuse"), StartsWith("1"));
  EXPECT_THAT(machine.said, HasSubstr("is in no keyring any more"));
  has_key = true;
  EXPECT_EQ(load_problem(), "");
  EXPECT_THAT(machine.root.read(kKeys + "reuse"), StartsWith("0"));
}

TEST_F(HandOver, KernelWithoutItIsRefused) {
  fs::remove_all(machine.root.path(kKeys));
  EXPECT_THAT(load_problem(), HasSubstr("the running kernel hands no keys over"));
  EXPECT_THAT(machine.kexec_calls(), IsEmpty());
}

}  // namespace
}  // namespace kd
