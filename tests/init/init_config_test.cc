// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/init/init_config.h"

#include <gmock/gmock.h>

#include <string>
#include <vector>

namespace kdinit {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

const std::string kMinimal =
    "kdump-init 2\n"
    "kernel 6.1.0-9-amd64\n"
    "target-type ext4\n"
    "target-uuid 0c9b1c9e-0000-4000-8000-000000000001\n"
    "dump-directory /var/crash\n";

struct Parsed {
  InitConfig config;
  ParseError error;
};

template <std::size_t N>
std::vector<std::string> texts(const List<std::string_view, N>& list) {
  return {list.begin(), list.end()};
}

// The views of the result point into `text`.
Parsed parse_text(const std::string& text) {
  Parsed parsed;
  parsed.error = parse(text, parsed.config);
  return parsed;
}

TEST(InitConfig, MinimalFileGivesTheDocumentedDefaults) {
  const Parsed parsed = parse_text(kMinimal);
  ASSERT_EQ(parsed.error.line, 0u) << parsed.error.message;
  const InitConfig& config = parsed.config;
  EXPECT_EQ(config.kernel, "6.1.0-9-amd64");
  EXPECT_EQ(config.target.type, "ext4");
  EXPECT_EQ(config.target.uuid, "0c9b1c9e-0000-4000-8000-000000000001");
  EXPECT_EQ(config.dump_directory, "/var/crash");
  EXPECT_EQ(config.time_zone, "");
  EXPECT_EQ(config.target.options, "");
  EXPECT_EQ(config.target_timeout, 60u);
  EXPECT_EQ(config.stall_timeout, 600u);
  EXPECT_EQ(config.keep_dumps, 0u);
  EXPECT_FALSE(config.dmesg_only);
  EXPECT_FALSE(config.skip_dmesg);
  EXPECT_EQ(config.final_action, FinalAction::kReboot);
  EXPECT_EQ(config.failure_action, FinalAction::kReboot);
  EXPECT_TRUE(config.modules.empty());
  EXPECT_TRUE(config.dump_arguments.empty());
  EXPECT_TRUE(config.retry_arguments.empty());
  EXPECT_TRUE(config.sysctls.empty());
}

TEST(InitConfig, EveryKeyReachesItsField) {
  const std::string text = kMinimal +
                           "# a comment\n"
                           "\n"
                           "time-zone CET-1CEST,M3.5.0,M10.5.0/3\n"
                           "target-options subvol=@,compress=no\n"
                           "target-timeout 3600\n"
                           "stall-timeout 0\n"
                           "dump-argument -c\n"
                           "dump-argument -d\n"
                           "dump-argument 31\n"
                           "retry-argument -d\n"
                           "dump-note 17 and not 31\n"
                           "skip-dmesg 1\n"
                           "dmesg-only 1\n"
                           "keep-dumps 5\n"
                           "final-action poweroff\n"
                           "failure-action halt\n"
                           "sysctl vm/nr_hugepages=0\n";
  const Parsed parsed = parse_text(text);
  ASSERT_EQ(parsed.error.line, 0u) << parsed.error.message;
  const InitConfig& config = parsed.config;
  EXPECT_EQ(config.time_zone, "CET-1CEST,M3.5.0,M10.5.0/3");
  EXPECT_EQ(config.target.options, "subvol=@,compress=no");
  EXPECT_EQ(config.target_timeout, 3600u);
  EXPECT_EQ(config.stall_timeout, 0u);
  EXPECT_THAT(texts(config.dump_arguments), ElementsAre("-c", "-d", "31"));
  EXPECT_THAT(texts(config.retry_arguments), ElementsAre("-d"));
  EXPECT_EQ(config.dump_note, "17 and not 31");
  EXPECT_TRUE(config.skip_dmesg);
  EXPECT_TRUE(config.dmesg_only);
  EXPECT_EQ(config.keep_dumps, 5u);
  EXPECT_EQ(config.final_action, FinalAction::kPoweroff);
  EXPECT_EQ(config.failure_action, FinalAction::kHalt);
  EXPECT_THAT(texts(config.sysctls), ElementsAre("vm/nr_hugepages=0"));
}

TEST(InitConfig, CaptureRootfsNeedsARootAndNoTarget) {
  const std::string text =
      "kdump-init 2\nkernel 6.1\ncapture rootfs\nroot-type btrfs\nroot-uuid 0c9b\n"
      "root-options subvol=/@rootfs\n";
  const Parsed parsed = parse_text(text);
  ASSERT_EQ(parsed.error.line, 0u) << parsed.error.message;
  EXPECT_EQ(parsed.config.capture, CaptureMode::kRootfs);
  EXPECT_EQ(parsed.config.root.type, "btrfs");
  EXPECT_EQ(parsed.config.root.uuid, "0c9b");
  EXPECT_EQ(parsed.config.root.options, "subvol=/@rootfs");
  EXPECT_THAT(parse_text("kdump-init 2\nkernel 6.1\ncapture rootfs\n").error.message,
              HasSubstr("root-type"));
  const std::string no_kernel = text.substr(0, 13) + text.substr(text.find("capture"));
  EXPECT_THAT(parse_text(no_kernel).error.message, HasSubstr("kernel"));
}

TEST(InitConfig, RootOfADirectCaptureIsWholeOrAbsent) {
  EXPECT_EQ(parse_text(kMinimal).config.capture, CaptureMode::kDirect);
  EXPECT_EQ(parse_text(kMinimal + "capture direct\nroot-type xfs\nroot-uuid 1\n").error.line, 0u);
  for (const auto& [line, missing] :
       {std::pair{"root-type xfs\n", "root-uuid"}, std::pair{"root-uuid 1\n", "root-type"},
        std::pair{"root-options nouuid\n", "root-type"}}) {
    const Parsed parsed = parse_text(kMinimal + line);
    EXPECT_EQ(parsed.error.line, 7u) << line;
    EXPECT_THAT(parsed.error.message, HasSubstr(missing));
  }
}

TEST(InitConfig, ModulesKeepOrderAndOptionsWithBlanks) {
  const std::string text = kMinimal +
                           "module /lib/modules/b.ko debug=1 name=\"x y\"\n"
                           "root-module /lib/modules/a.ko\n";
  const Parsed parsed = parse_text(text);
  ASSERT_EQ(parsed.error.line, 0u) << parsed.error.message;
  ASSERT_EQ(parsed.config.modules.count, 2u);
  EXPECT_EQ(parsed.config.modules.items[0].path, "/lib/modules/b.ko");
  EXPECT_EQ(parsed.config.modules.items[0].options, "debug=1 name=\"x y\"");
  EXPECT_EQ(parsed.config.modules.items[1].path, "/lib/modules/a.ko");
  EXPECT_EQ(parsed.config.modules.items[1].options, "");
  EXPECT_FALSE(parsed.config.modules.items[0].for_root);
  EXPECT_TRUE(parsed.config.modules.items[1].for_root);
}

// Two ids as `vgs -o vg_uuid` and `lvs -o lv_uuid` print them.
const std::string kGroup = "bnQoi9-8Vjk-bWpC-xBlU-vS9m-DUvl-bzeQ5V";
const std::string kVolume = "1uRzQF-0PXG-BWnZ-MzLE-bl2J-sFV2-N8Jmgp";

TEST(InitConfig, LayersAreKnownByIdentity) {
  const std::string text = kMinimal + "layer lvm " + kVolume + " " + kGroup + "\n" + "layer lvm " +
                           kGroup + " " + kGroup + "\n";
  const Parsed parsed = parse_text(text);
  ASSERT_EQ(parsed.error.line, 0u) << parsed.error.message;
  ASSERT_EQ(parsed.config.layers.count, 2u);
  EXPECT_EQ(parsed.config.layers.items[0].kind, LayerKind::kLvm);
  EXPECT_EQ(parsed.config.layers.items[0].parameters, kGroup);
  EXPECT_EQ(parsed.config.layers.items[0].id, kVolume);
  EXPECT_EQ(parsed.config.layers.items[1].id, kGroup);
}

TEST(InitConfig, RefusesLayersItCannotAssemble) {
  const std::string good = "layer lvm " + kVolume + " " + kGroup;
  for (const auto& [line, message] :
       {std::pair{std::string("layer raid 1:2:3:4"), "not known"},
        std::pair{std::string("layer md 6b64756d:70004000:80000000:00000082"), "md UUID MEMBER"},
        std::pair{std::string("layer md 6b64756d:70004000:80000000:00000082 123"),
                  "md UUID MEMBER"},
        std::pair{std::string("layer md 6b64756d:70004000 0123abcd"), "md UUID MEMBER"},
        std::pair{"layer lvm " + kGroup, "lvm LVID VGID"},
        std::pair{"layer lvm " + kVolume.substr(1) + " " + kGroup, "lvm LVID VGID"},
        std::pair{"layer lvm vg0-root-0000-0000-0000-0000-000000 " + kVolume, "lvm LVID VGID"},
        std::pair{std::string("layer multipath cbf29ce484222325"), "must be multipath DIGEST"},
        std::pair{good + " more", "lvm LVID VGID"}, std::pair{good + "\n" + good, "twice"}}) {
    const Parsed parsed = parse_text(kMinimal + line + "\n");
    EXPECT_NE(parsed.error.line, 0u) << line;
    EXPECT_THAT(parsed.error.message, HasSubstr(message)) << line;
  }
}

TEST(InitConfig, LastLineNeedsNoNewline) {
  std::string text = kMinimal;
  text.pop_back();
  EXPECT_EQ(parse_text(text).error.line, 0u);
}

struct BadLine {
  const char* line;  // sixth line of the file
  const char* message;
};

class InitConfigError : public ::testing::TestWithParam<BadLine> {};

TEST_P(InitConfigError, NamesTheLineAndTheReason) {
  const std::string text = kMinimal + GetParam().line + "\n";
  const Parsed parsed = parse_text(text);
  EXPECT_EQ(parsed.error.line, 6u);
  EXPECT_THAT(parsed.error.message, HasSubstr(GetParam().message));
}

INSTANTIATE_TEST_SUITE_P(
    All, InitConfigError,
    ::testing::Values(
        BadLine{"no-such-key 1", "unknown key"}, BadLine{"kernel 6.1", "twice"},
        BadLine{"keep-dumps", "without a value"}, BadLine{"keep-dumps ", "without a value"},
        BadLine{"keep-dumps 1000001", "out of range"}, BadLine{"keep-dumps 5 ", "not a number"},
        BadLine{"keep-dumps -1", "number"}, BadLine{"keep-dumps 99999999999", "not a number"},
        BadLine{"target-timeout 0", "out of range"}, BadLine{"target-timeout 3601", "out of range"},
        BadLine{"stall-timeout 86401", "out of range"}, BadLine{"dmesg-only yes", "0 or 1"},
        BadLine{"skip-dmesg 2", "0 or 1"},
        BadLine{"final-action kexec", "reboot, halt or poweroff"},
        BadLine{"failure-action Reboot", "reboot, halt or poweroff"},
        BadLine{"module lib/a.ko", "absolute"}, BadLine{"module /lib/../a.ko", "absolute"},
        BadLine{"module  /lib/a.ko", "absolute"}, BadLine{"sysctl vm/x", "PATH=VALUE"},
        BadLine{"sysctl =1", "PATH=VALUE"}, BadLine{"sysctl ../../x=1", ".."},
        BadLine{"capture Rootfs", "direct or rootfs"}, BadLine{"root-type zfs", "not known"},
        BadLine{"time-zone \x01", "control character"}, BadLine{"kernel\t6.1", "control character"},
        BadLine{"dump-argument -c\r", "control character"}));

TEST(InitConfig, RefusesDirectoriesThatLeaveTheTarget) {
  for (const char* directory : {"var/crash", "/var/../etc", "/var//crash", "/var/crash/", "/."}) {
    std::string text = kMinimal;
    text.replace(text.find("/var/crash"), 10, directory);
    const Parsed parsed = parse_text(text);
    EXPECT_EQ(parsed.error.line, 5u) << directory;
  }
}

TEST(InitConfig, RefusesAFileSystemItCannotRecognise) {
  std::string text = kMinimal;
  text.replace(text.find("ext4"), 4, "zfs ");
  EXPECT_EQ(parse_text(text).error.line, 3u);
}

TEST(InitConfig, FirstLineMustNameTheVersion) {
  EXPECT_EQ(parse_text("").error.line, 1u);
  EXPECT_EQ(parse_text("kernel 6.1\n").error.line, 1u);
  EXPECT_THAT(parse_text("kdump-init 1\n").error.message, HasSubstr("unknown version"));
}

TEST(InitConfig, MissingKeyIsReportedAfterTheLastLine) {
  for (const char* key : {"kernel", "target-type", "target-uuid", "dump-directory"}) {
    std::string text = kMinimal;
    const std::size_t at = text.find(std::string("\n") + key + " ") + 1;
    text.erase(at, text.find('\n', at) - at + 1);
    const Parsed parsed = parse_text(text);
    EXPECT_EQ(parsed.error.line, 5u) << key;
    EXPECT_THAT(parsed.error.message, HasSubstr(key));
  }
}

TEST(InitConfig, LimitsAreErrors) {
  std::string modules = kMinimal;
  for (std::size_t i = 0; i <= kMaxModules; ++i) modules += "module /lib/modules/m.ko\n";
  EXPECT_EQ(parse_text(modules).error.line, 5 + kMaxModules + 1);

  std::string layers = kMinimal;
  for (std::size_t i = 0; i <= kMaxLayers; ++i) {
    std::string id = kVolume;
    id[0] = static_cast<char>('a' + i);
    layers += "layer lvm " + id + " " + kGroup + "\n";
  }
  EXPECT_EQ(parse_text(layers).error.line, 5 + kMaxLayers + 1);

  std::string arguments = kMinimal;
  for (std::size_t i = 0; i <= kMaxArguments; ++i) arguments += "dump-argument -x\n";
  EXPECT_EQ(parse_text(arguments).error.line, 5 + kMaxArguments + 1);

  const std::string longest = kMinimal + "time-zone " + std::string(kMaxValueBytes, 'x') + "\n";
  EXPECT_EQ(parse_text(longest).error.line, 0u);
  const std::string too_long =
      kMinimal + "time-zone " + std::string(kMaxValueBytes + 1, 'x') + "\n";
  EXPECT_EQ(parse_text(too_long).error.line, 6u);

  EXPECT_EQ(parse_text(kMinimal + std::string(kMaxConfigBytes, '\n')).error.line, 1u);
}

}  // namespace
}  // namespace kdinit
