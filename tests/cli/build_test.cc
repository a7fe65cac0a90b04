// SPDX-License-Identifier: GPL-2.0-or-later
#include <gmock/gmock.h>
#include <sys/stat.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <sstream>

#include "builder/fit/measurement.h"
#include "cpio/image.h"
#include "tests/cli/build_fixture.h"

namespace kd {
namespace {

using testing::AllOf;
using testing::ContainsRegex;
using testing::HasSubstr;
using testing::IsSupersetOf;
using testing::Not;

namespace fs = std::filesystem;

std::vector<std::string> paths_in(const std::string& image) {
  std::vector<std::string> paths;
  const std::vector<cpio::SegmentContent> segments = cpio::read_image(image).value();
  for (const cpio::SegmentContent& segment : segments) {
    for (const cpio::Entry& entry : segment.entries) paths.push_back(entry.path);
  }
  return paths;
}

TEST_F(BuildTest, HoldsWhatReachesTheTarget) {
  const RunResult result = build();
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(paths_in(read_file(image())),
              IsSupersetOf({"init", "bin/makedumpfile", "lib/libc.so.6", "lib/modules/ext4.ko",
                            "lib/modules/virtio_blk.ko", "lib/modules/virtio_pci.ko"}));
  EXPECT_THAT(result.out, HasSubstr("ext4 on vda for /var/crash"));
}

TEST_F(BuildTest, ImageIsReadableByItsOwnerOnly) {
  ASSERT_EQ(build().exit_code, 0);
  for (const std::string& path : {image(), image() + ".manifest"}) {
    EXPECT_EQ(fs::status(path).permissions(), fs::perms::owner_read | fs::perms::owner_write);
  }
}

TEST_F(BuildTest, SameInputGivesTheSameBytesInAnyEnvironment) {
  ASSERT_EQ(build().exit_code, 0);
  const std::string first = read_file(image());
  for (const std::vector<std::string>& environment : {std::vector<std::string>{"TZ=Asia/Tokyo"},
                                                      {"LC_ALL=tr_TR.UTF-8", "LANG=tr_TR.UTF-8"},
                                                      {"TMPDIR=/var/tmp"},
                                                      {"MODPROBE_OPTIONS=-v"}}) {
    ASSERT_EQ(run(command({"--force"}), environment).exit_code, 0);
    EXPECT_EQ(read_file(image()), first) << environment[0];
  }
  const mode_t old_mask = umask(0077);
  ASSERT_EQ(build({"--force"}).exit_code, 0);
  umask(old_mask);
  EXPECT_EQ(read_file(image()), first) << "umask";
  std::vector<std::string> one_cpu = command({"--force"});
  one_cpu.insert(one_cpu.begin(), {"taskset", "-c", "0"});
  ASSERT_EQ(run(one_cpu).exit_code, 0);
  EXPECT_EQ(read_file(image()), first) << "one CPU";
}

TEST_F(BuildTest, SourceDateEpochIsTheTimeOfEveryFile) {
  ASSERT_EQ(run(command(), {"SOURCE_DATE_EPOCH=1700000000"}).exit_code, 0);
  // By libarchive: the time of an entry is what `bsdtar` puts into a new archive of the same.
  const RunResult listing = run({"bsdtar", "-cf", "-", "--format=mtree", "--options",
                                 "mtree:!all,mtree:time", "@" + image()});
  EXPECT_EQ(listing.exit_code, 0) << listing.err;
  std::size_t files = 0;
  for (std::size_t at = 0; (at = listing.out.find("time=", at)) != std::string::npos; ++files) {
    at += std::string_view("time=").size();
    EXPECT_EQ(listing.out.substr(at, listing.out.find_first_of(" \n", at) - at), "1700000000.0");
  }
  EXPECT_GE(files, paths_in(read_file(image())).size());
  EXPECT_EQ(run(command(), {"SOURCE_DATE_EPOCH=yesterday"}).exit_code, 2);
}

TEST_F(BuildTest, VerifyFindsAnImageThatWasChanged) {
  ASSERT_EQ(build({"-c", "none"}).exit_code, 0);
  EXPECT_EQ(build({"--verify"}).exit_code, 0);
  std::string damaged = read_file(image());
  damaged[damaged.find("\177ELF") + 100] ^= 1;
  write_text(image(), damaged);
  EXPECT_EQ(build({"--verify"}).exit_code, 1);
}

TEST_F(BuildTest, EveryCodecIsReadByItsOwnTool) {
  for (const auto& [codec, tool] :
       {std::pair{"zstd", "zstd"}, {"gzip", "gzip"}, {"xz", "xz"}, {"lz4", "lz4"}}) {
    ASSERT_EQ(build({"--force", "-c", codec}).exit_code, 0) << codec;
    const std::string listing = std::string(tool) + " -dc <" + image() + " | cpio -t --quiet 2>&1";
    EXPECT_THAT(run({"sh", "-c", listing}).out, HasSubstr("bin/makedumpfile")) << codec;
  }
}

std::string init_config_of(const std::string& image) {
  const std::vector<cpio::SegmentContent> segments = cpio::read_image(image).value();
  for (const cpio::SegmentContent& segment : segments) {
    for (const cpio::Entry& entry : segment.entries) {
      if (entry.path == "etc/kdump-init.conf") return std::string(entry.data);
    }
  }
  return "";
}

// Another /etc stands for a host with settings of its own.
TEST_F(BuildTest, SettingsOfThisHostAreNotThoseOfARecordedMachine) {
  const std::string etc = scratch_.path("etc");
  scratch_.write("etc/modprobe.d/site.conf", "options virtio_blk queue_depth=7\n");
  scratch_.write("etc/kdump/sysctl.conf", "vm.swappiness = 7\n");
  const auto with_etc = [&](std::vector<std::string> more) {
    more.insert(more.begin(), "--force");
    std::vector<std::string> words = {
        "unshare",
        "-rm",
        "sh",
        "-c",
        "cp -a /etc/ld.so.* \"$0\"; mount --bind \"$0\" /etc && \"$@\"",
        etc};
    const std::vector<std::string> builder = command(more);
    words.insert(words.end(), builder.begin(), builder.end());
    return run(words);
  };
  if (run({"unshare", "-rm", "mount", "--bind", etc, "/etc"}).exit_code != 0) {
    GTEST_SKIP() << "needs a mount namespace";
  }
  const RunResult own = with_etc({"--sysroot", "/"});
  ASSERT_EQ(own.exit_code, 0) << own.err;
  EXPECT_THAT(init_config_of(read_file(image())),
              AllOf(HasSubstr("queue_depth=7"), HasSubstr("vm/swappiness=7")));
  EXPECT_THAT(own.out, Not(HasSubstr("without --sysroot")));

  const RunResult foreign = with_etc({});
  ASSERT_EQ(foreign.exit_code, 0) << foreign.err;
  EXPECT_THAT(init_config_of(read_file(image())),
              AllOf(Not(HasSubstr("queue_depth")), Not(HasSubstr("swappiness"))));
  EXPECT_THAT(foreign.out, HasSubstr("without --sysroot: nothing of modprobe.d"));
}

TEST_F(BuildTest, DriverThatTheCaptureKernelRefusesIsNoTarget) {
  MachineFacts machine = virtio_machine();
  machine.command_line = "ro modprobe.blacklist=virtio_blk";  // hides aliases, not a bound driver
  use_machine(machine);
  EXPECT_EQ(build({"--dry-run"}).exit_code, 0);
  machine.command_line = "ro module_blacklist=virtio_blk";
  use_machine(machine);
  const RunResult refused = build({"--dry-run"});
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_THAT(refused.err, AllOf(HasSubstr("virtio_blk would not be loaded"),
                                 HasSubstr("module_blacklist= on the command line")));
  write_text(config(), "USE_KDUMP=1\nKDUMP_CMDLINE=ro\n");
  EXPECT_EQ(build({"--dry-run"}).exit_code, 0);
}

TEST_F(BuildTest, StartsNoOtherProgram) {
  std::vector<std::string> traced = {
      "strace", "-f", "-qq", "-e", "trace=execve,fork,vfork", "-o", scratch_.path("trace")};
  const std::vector<std::string> words = command();
  traced.insert(traced.end(), words.begin(), words.end());
  // LeakSanitizer traces processes itself and gives up below another tracer.
  ASSERT_EQ(run(traced, {"ASAN_OPTIONS=detect_leaks=0"}).exit_code, 0);
  const std::string trace = read_file(scratch_.path("trace"));
  EXPECT_EQ(std::ranges::count(trace, '\n'), 1) << trace;  // its own execve
}

TEST_F(BuildTest, DryRunAndListAndWhyWriteNothing) {
  EXPECT_EQ(build({"--dry-run"}).exit_code, 0);
  EXPECT_THAT(build({"--list"}).out, HasSubstr("lib/modules/ext4.ko"));
  EXPECT_THAT(build({"--why", "jbd2"}).out, HasSubstr("ext4"));
  EXPECT_EQ(build({"--why", "nothing-like-it"}).exit_code, 1);
  EXPECT_FALSE(fs::exists(image()));
}

// Where each layout stops to fit is what it says it needs itself.
TEST_F(BuildTest, TakesTheFirstLayoutThatFits) {
  const auto report = [this](std::vector<std::string> more) {
    more.insert(more.end(), {"--dry-run", "--json"});
    const RunResult result = build(more);
    EXPECT_EQ(result.exit_code, 0) << result.err;
    return nlohmann::json::parse(result.out);
  };
  const auto needed = [&](const char* variant) {
    return report({"--variant", variant})["fit"]["needed_bytes"].get<std::uint64_t>();
  };
  const auto variant_at = [&](std::uint64_t reservation) {
    return report({"--crashkernel", std::to_string(reservation)})["variant"].get<std::string>();
  };
  const std::uint64_t whole = needed("whole"), packed = needed("packed");
  EXPECT_LT(packed, whole);
  EXPECT_EQ(variant_at(whole), "whole");
  EXPECT_EQ(variant_at(whole - 1), "packed");
  EXPECT_EQ(variant_at(packed), "packed");
  EXPECT_EQ(variant_at(packed - 1), "packed") << "the smallest there is";
}

TEST_F(BuildTest, ReservationThatIsTooSmallIsToldAndStrictlyRefused) {
  EXPECT_THAT(build({"--crashkernel", "128M"}).out, HasSubstr("fits 128M with"));
  const std::string before = read_file(image());
  const RunResult strict = build({"--force", "--crashkernel", "40M", "--strict"});
  EXPECT_EQ(strict.exit_code, 4);
  EXPECT_THAT(strict.err, ContainsRegex("needs crashkernel=[0-9]+M, [0-9]+M more than .* 40M"));
  EXPECT_EQ(read_file(image()), before);
  EXPECT_THAT(build({"--force", "--crashkernel", "40M"}).out, HasSubstr("does not fit"));
  EXPECT_EQ(build({"--crashkernel", "40M", "--strict"}).exit_code, 4) << "fresh does not mean fit";
}

TEST_F(BuildTest, MemoryIsShownAsAWaterfall) {
  const std::string brief = build({"--dry-run", "--crashkernel", "128M"}).out;
  EXPECT_THAT(brief, HasSubstr("memory while unpacking"));
  EXPECT_THAT(brief, Not(HasSubstr("memory while capturing")));
  const std::string full = build({"--dry-run", "-v", "--crashkernel", "128M"}).out;
  EXPECT_THAT(full, AllOf(HasSubstr("memory while unpacking"), HasSubstr("memory while capturing"),
                          HasSubstr("to spare")));
}

TEST_F(BuildTest, PackedImageIsListedByOtherToolsAndVerifies) {
  ASSERT_EQ(build({"--variant", "packed"}).exit_code, 0);
  EXPECT_THAT(run({"bsdtar", "-tf", image()}).out, HasSubstr("lib/modules/ext4.ko.xz"));
  EXPECT_EQ(run({"sh", "-c", "cpio -t --quiet <" + image()}).exit_code, 0);
  EXPECT_EQ(build({"--verify"}).exit_code, 0) << "as the layout it was built with";
  EXPECT_EQ(build({"--variant", "packed", "--check"}).exit_code, 0);
}

TEST_F(BuildTest, UnknownVersionIsExitFiveAndNamesThoseThatAreThere) {
  kernel_.version += "x";
  const RunResult result = build();
  EXPECT_EQ(result.exit_code, 5);
  kernel_.version.pop_back();
  EXPECT_THAT(result.err, HasSubstr(kernel_.version));
}

TEST_F(BuildTest, UnsupportedTargetIsExitThree) {
  MachineFacts machine = virtio_machine();
  machine.dump_mount.fs_type = "zfs";
  use_machine(machine);
  const RunResult result = build();
  EXPECT_EQ(result.exit_code, 3);
  EXPECT_FALSE(fs::exists(image()));
}

TEST_F(BuildTest, BadInputIsAClearErrorAndNoFile) {
  EXPECT_EQ(run({KD_MKINITRD}).exit_code, 2);
  EXPECT_EQ(run({KD_MKINITRD, "--no-such-option", "1"}).exit_code, 2);
  EXPECT_EQ(build({"--boot-test", "--list"}).exit_code, 2);
  fs::remove(config());
  const RunResult without = build();
  EXPECT_EQ(without.exit_code, 1);
  EXPECT_THAT(without.err, HasSubstr(config())) << "a file that was named has to be there";
  write_text(config(), "USE_KDUMP=1\n");
  EXPECT_EQ(build({"-c", "brotli"}).exit_code, 2);
  write_text(config(), "KDUMP_COREDIR=$(reboot)\n");
  const RunResult substitution = build();
  EXPECT_EQ(substitution.exit_code, 2);
  EXPECT_THAT(substitution.err, HasSubstr(config() + ":1"));
  write_text(config(), "USE_KDUMP=1\n");
  write_text(facts(), "{\"version\": 99}");
  EXPECT_EQ(build().exit_code, 1);
  EXPECT_FALSE(fs::exists(image()));
}

TEST_F(BuildTest, MissingOutputDirectoryIsNamed) {
  std::vector<std::string> words = command();
  *std::ranges::find(words, image()) = scratch_.path("nowhere/initrd.img");
  const RunResult result = run(words);
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, HasSubstr("nowhere"));
}

}  // namespace
}  // namespace kd
