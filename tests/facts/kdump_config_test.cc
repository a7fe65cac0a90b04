// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/facts/kdump_config.h"

#include <gmock/gmock.h>

#include "builder/facts/initramfs_config.h"
#include "tests/facts/fake_root.h"

namespace kd {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// The lines of kdump-tools' stock file that are not prose.
constexpr const char* kStock = R"(# kdump-tools configuration
USE_KDUMP=1
KDUMP_KERNEL=/var/lib/kdump/vmlinuz
KDUMP_INITRD=/var/lib/kdump/initrd.img
#         KDUMP_FAIL_CMD="echo 'makedumpfile FAILED.'; /bin/bash; reboot -f"
KDUMP_COREDIR="/var/crash"
#KDUMP_FAIL_CMD="reboot -f"
#KDUMP_DUMP_DMESG=
#KDUMP_NUM_DUMPS=
#KDUMP_COMPRESSION=
#MAKEDUMP_ARGS="-c -d 31"
#KDUMP_KEXEC_ARGS=""
#KDUMP_CMDLINE=""
#KDUMP_CMDLINE_APPEND="reset_devices systemd.unit=kdump-tools-dump.service nr_cpus=1"
#HOSTTAG="hostname|[ip]"
#NFS="<nfs mount>"
#FTP="<server>:<path>"
#FTP_PORT=21
#SSH="<user at server>"
#SSH_KEY="<path>"
)";

Result<KdumpConfig> config_of(std::string_view text) {
  FakeRoot root;
  root.file("/etc/default/kdump-tools", text);
  return read_kdump_config(root.reader());
}

void expect_defaults(const KdumpConfig& config) {
  EXPECT_EQ(config.core_dir, "/var/crash");
  EXPECT_EQ(config.makedump_args, "-c -d 31");
  EXPECT_EQ(config.fail_command, "reboot -f");
  EXPECT_TRUE(config.dump_dmesg);
  EXPECT_EQ(config.num_dumps, 0);
  EXPECT_EQ(config.compression, "");
  EXPECT_EQ(config.cmdline, "");
  EXPECT_EQ(config.cmdline_append, "");
  EXPECT_EQ(config.cmdline_profile, "tuned");
  EXPECT_EQ(config.capture, "direct");
  EXPECT_EQ(config.kernel_version, "running");
  EXPECT_EQ(config.hosttag, "ip");
  EXPECT_EQ(config.ssh_key, "/root/.ssh/kdump_id_rsa");
  EXPECT_EQ(config.nfs_timeo, 600);
  EXPECT_EQ(config.ftp_port, 21);
  EXPECT_EQ(config.ssh + config.nfs + config.ftp, "");
}

TEST(KdumpConfig, TheStockFileIsTheDefaults) {
  const auto config = config_of(kStock);
  ASSERT_TRUE(config.has_value()) << config.error().message;
  EXPECT_TRUE(config->use_kdump);
  EXPECT_EQ(config->kernel, "/var/lib/kdump/vmlinuz");
  EXPECT_EQ(config->initrd, "/var/lib/kdump/initrd.img");
  expect_defaults(*config);
}

TEST(KdumpConfig, CaptureKernelIsAWordOrARelease) {
  EXPECT_EQ(config_of("")->kernel_version, "running");
  for (const char* value : {"running", "smallest", "6.1.0-56-cloud-amd64", "7.3.4+deb13-amd64"}) {
    const auto config = config_of(std::string("KDUMP_KERNEL_VERSION=") + value + "\n");
    ASSERT_TRUE(config.has_value()) << config.error().message;
    EXPECT_EQ(config->kernel_version, value);
  }
}

TEST(KdumpConfig, AMissingFileIsTheDefaultsButOff) {
  const FakeRoot root;
  const auto config = read_kdump_config(root.reader());
  ASSERT_TRUE(config.has_value());
  EXPECT_FALSE(config->use_kdump);
  expect_defaults(*config);
}

TEST(KdumpConfig, AnEmptyValueIsTheDefault) {
  const auto config = config_of(
      "USE_KDUMP=\nKDUMP_COREDIR=\nMAKEDUMP_ARGS=''\nKDUMP_DUMP_DMESG=\nKDUMP_NUM_DUMPS=\n"
      "KDUMP_FAIL_CMD=\nHOSTTAG=\nSSH=\nFTP_PORT=\nKDUMP_CMDLINE_PROFILE=\n");
  ASSERT_TRUE(config.has_value()) << config.error().message;
  expect_defaults(*config);
}

TEST(KdumpConfig, TakesWhatIsSet) {
  const auto config = config_of(
      "USE_KDUMP=1 KDUMP_COREDIR=/srv/dumps\nMAKEDUMP_ARGS='-l -d 17'\nKDUMP_DUMP_DMESG=0\n"
      "KDUMP_NUM_DUMPS=3\nKDUMP_COMPRESSION=xz\nKDUMP_CMDLINE_APPEND='nr_cpus=1'\n"
      "KDUMP_CMDLINE_PROFILE=stock KDUMP_CAPTURE=rootfs\nSSH=root@[2001:db8::1]\n"
      "SSH_KEY=/root/key\nHOSTTAG=hostname\nNFS=server:/export\nFTP=server\nOTHER=x\n");
  ASSERT_TRUE(config.has_value()) << config.error().message;
  EXPECT_EQ(config->core_dir, "/srv/dumps");
  EXPECT_EQ(config->makedump_args, "-l -d 17");
  EXPECT_FALSE(config->dump_dmesg);
  EXPECT_EQ(config->num_dumps, 3);
  EXPECT_EQ(config->compression, "xz");
  EXPECT_EQ(config->cmdline_append, "nr_cpus=1");
  EXPECT_EQ(config->cmdline_profile, "stock");
  EXPECT_EQ(config->capture, "rootfs");
  EXPECT_EQ(config->ssh, "root@[2001:db8::1]");
  EXPECT_EQ(config->hosttag, "hostname");
  EXPECT_EQ(config->nfs, "server:/export");
  EXPECT_EQ(config->ftp, "server");
  EXPECT_EQ(config->all.at("OTHER"), "x");
}

class ImpossibleSetting : public testing::TestWithParam<const char*> {};

TEST_P(ImpossibleSetting, IsRefusedWithVariableAndValue) {
  const std::string text = GetParam();
  const auto config = config_of(text);
  ASSERT_FALSE(config.has_value());
  EXPECT_EQ(config.error().kind, ErrorKind::kUsage);
  EXPECT_THAT(config.error().message, HasSubstr("/etc/default/kdump-tools: "));
  const std::size_t equals = text.find('=');
  std::string value = text.substr(equals + 1);
  std::erase(value, '\'');
  EXPECT_THAT(config.error().message,
              HasSubstr(text.substr(0, equals) + "=\"" + value + "\" is not possible: give "));
}

INSTANTIATE_TEST_SUITE_P(
    All, ImpossibleSetting,
    testing::Values("USE_KDUMP=yes", "USE_KDUMP=2", "KDUMP_COREDIR=crash", "KDUMP_COREDIR=/a/../b",
                    "KDUMP_COREDIR=/a/..", "KDUMP_DUMP_DMESG=maybe", "KDUMP_NUM_DUMPS=-1",
                    "KDUMP_NUM_DUMPS=5x", "KDUMP_TARGET_TIMEOUT=0", "KDUMP_TARGET_TIMEOUT=3601",
                    "KDUMP_TARGET_TIMEOUT=1m", "KDUMP_STALL_TIMEOUT=-1",
                    "KDUMP_STALL_TIMEOUT=86401", "KDUMP_STALL_TIMEOUT=never",
                    "KDUMP_NUM_DUMPS=99999999999", "KDUMP_COMPRESSION=rar", "KDUMP_KERNEL=vmlinuz",
                    "KDUMP_KERNEL_VERSION=smalest", "KDUMP_KERNEL_VERSION=6.1/x",
                    "KDUMP_KERNEL_VERSION='6.1 amd64'", "KDUMP_KERNEL_VERSION=../6.1",
                    "KDUMP_INITRD=initrd", "KDUMP_CMDLINE_PROFILE=fast", "KDUMP_CAPTURE=tape",
                    "HOSTTAG=both", "SSH=server", "SSH=-oProxyCommand=x@y", "SSH='a b@c'",
                    "SSH_KEY=id_rsa", "NFS=server", "NFS=-x:/y", "FTP='a b'", "FTP_PORT=0",
                    "FTP_PORT=65536", "NFS_TIMEO=soon"));

TEST(KdumpConfig, NamesFileAndLineOfAConstruct) {
  const auto config = config_of("USE_KDUMP=1\nKDUMP_COREDIR=$(pwd)\n");
  ASSERT_FALSE(config.has_value());
  EXPECT_THAT(config.error().message,
              HasSubstr("/etc/default/kdump-tools:2: command substitution"));
}

TEST(KdumpConfig, SaysWhyTheFileCannotBeRead) {
  FakeRoot root;
  root.directory("/etc/default/kdump-tools/x");
  EXPECT_FALSE(read_kdump_config(root.reader()).has_value());
}

TEST(InitramfsConfig, ReadsModulesAndSettings) {
  FakeRoot root;
  root.file("/conf/modules", "# comment\n\n  ext4  \nbonding mode=1  miimon=100\n\tdm-mod\n");
  root.file("/conf/initramfs.conf", "MODULES=most\nBUSYBOX=auto\nCOMPRESS=gzip\nRUNSIZE=10%\n");
  root.file("/conf/conf.d/90-last", "COMPRESS=zstd\n")
      .file("/conf/conf.d/10-first", "COMPRESS=xz\nCOMPRESSLEVEL=19\n");
  // mkinitramfs(8) passes over these.
  for (const char* name : {".hidden", "backup~", "#edited#", "90-last.dpkg-old", "folder/file"}) {
    root.file(std::string("/conf/conf.d/") + name, "reboot\n");
  }
  const auto config = read_initramfs_config(root.reader(), "/conf");
  ASSERT_TRUE(config.has_value()) << config.error().message;
  EXPECT_THAT(config->modules,
              ElementsAre(ExtraModule{"ext4", ""}, ExtraModule{"bonding", "mode=1  miimon=100"},
                          ExtraModule{"dm-mod", ""}));
  EXPECT_EQ(config->policy, "most");
  EXPECT_EQ(config->compress, "zstd");
  EXPECT_EQ(config->level, 19);
}

TEST(InitramfsConfig, MayBeEmptyButMustBeThere) {
  FakeRoot root;
  root.directory("/conf");
  const auto config = read_initramfs_config(root.reader(), "/conf");
  ASSERT_TRUE(config.has_value());
  EXPECT_THAT(config->modules, IsEmpty());
  EXPECT_EQ(config->policy + config->compress, "");
  EXPECT_FALSE(config->level.has_value());
  EXPECT_FALSE(read_initramfs_config(root.reader(), "/other").has_value());
}

TEST(InitramfsConfig, RefusesWhatIsNoModuleOrLevel) {
  for (const char* text : {"ext4\n../../x\n", "ext4\n\xff\n", "\next4\r\n", "a\nb c\x01\n"}) {
    const auto modules = parse_module_list(text, "list");
    ASSERT_FALSE(modules.has_value()) << text;
    EXPECT_EQ(modules.error().kind, ErrorKind::kUsage);
    EXPECT_THAT(modules.error().message, HasSubstr("list:2: "));
  }
  for (const char* level : {"-1", "23", "fast", "3x"}) {
    FakeRoot root;
    root.file("/conf/initramfs.conf", fmt::format("COMPRESSLEVEL={}\n", level));
    const auto config = read_initramfs_config(root.reader(), "/conf");
    ASSERT_FALSE(config.has_value()) << level;
    EXPECT_THAT(config.error().message, HasSubstr(fmt::format("COMPRESSLEVEL=\"{}\"", level)));
  }
}

}  // namespace
}  // namespace kd
