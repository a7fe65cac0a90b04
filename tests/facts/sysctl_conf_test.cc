// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/facts/sysctl_conf.h"

#include <gmock/gmock.h>

#include "builder/base/rooted_reader.h"
#include "tests/base/temporary_directory.h"

namespace kd {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// As sysctl.conf(5) has it of the interface eth0.1.
TEST(SysctlConf, FirstSeparatorDecidesWhatDotsMean) {
  EXPECT_EQ(sysctl_path("vm.nr_hugepages"), "vm/nr_hugepages");
  EXPECT_EQ(sysctl_path("kernel/printk"), "kernel/printk");
  EXPECT_EQ(sysctl_path("net.ipv4.conf.eth0/1.forwarding"), "net/ipv4/conf/eth0.1/forwarding");
  EXPECT_EQ(sysctl_path("net/ipv4/conf/eth0.1/forwarding"), "net/ipv4/conf/eth0.1/forwarding");
  EXPECT_EQ(sysctl_path("single"), "single");
}

TEST(SysctlConf, KeepsSettingsInTheirOrder) {
  const auto settings = parse_sysctl_conf(
      "# comment\n; another = one\n\n  vm.nr_hugepages = 0  \n- kernel/printk=1 2\t3\r\n"
      "net.ipv4.conf.eth0/1.x=a=b",
      "f");
  ASSERT_TRUE(settings.has_value()) << settings.error().message;
  EXPECT_THAT(*settings, ElementsAre("vm/nr_hugepages=0", "kernel/printk=1 2 3",
                                     "net/ipv4/conf/eth0.1/x=a=b"));
}

struct BadSysctl {
  const char* line;
  const char* message;
};
class SysctlConfError : public testing::TestWithParam<BadSysctl> {};

TEST_P(SysctlConfError, NamesFileLineAndReason) {
  const auto settings =
      parse_sysctl_conf(std::string("vm.x=1\n") + GetParam().line + "\n", "/etc/f");
  ASSERT_FALSE(settings.has_value());
  EXPECT_EQ(settings.error().kind, ErrorKind::kUsage);
  EXPECT_THAT(settings.error().message, testing::StartsWith("/etc/f:2: "));
  EXPECT_THAT(settings.error().message, HasSubstr(GetParam().message));
}

INSTANTIATE_TEST_SUITE_P(
    All, SysctlConfError,
    testing::Values(BadSysctl{"vm.nr_hugepages 0", "KEY = VALUE"}, BadSysctl{"=1", "no key"},
                    BadSysctl{"-vm.x", "KEY = VALUE"}, BadSysctl{"- = 1", "no key"},
                    BadSysctl{"vm.x =", "a value"}, BadSysctl{"net.*.x=1", "patterns"},
                    BadSysctl{"vm x=1", "blanks in a key"}, BadSysctl{"../x=1", "no empty part"},
                    BadSysctl{"x.//.y=1", "no empty part"},
                    BadSysctl{"vm.x=\x01", "control characters"}));

TEST(SysctlConf, MissingFileHasNoSettings) {
  TemporaryDirectory root;
  const auto reader = RootedReader::open(root.path());
  ASSERT_TRUE(reader.has_value());
  EXPECT_THAT(read_sysctl_conf(*reader).value(), IsEmpty());
  root.write("etc/kdump/sysctl.conf", "vm.nr_hugepages=0\n");
  EXPECT_THAT(read_sysctl_conf(*reader).value(), ElementsAre("vm/nr_hugepages=0"));
  root.write("etc/kdump/sysctl.conf", "vm\n");
  EXPECT_THAT(read_sysctl_conf(*reader).error().message,
              testing::StartsWith("/etc/kdump/sysctl.conf:1: "));
}

}  // namespace
}  // namespace kd
