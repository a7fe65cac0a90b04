// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/init/module_options.h"

#include <gmock/gmock.h>

#include <cstdio>
#include <memory>
#include <string>

#include "tests/modsel/module_tree.h"

namespace kdinit {
namespace {

struct Case {
  const char* command_line;
  const char* options;  // of nvme-core
};

constexpr Case kCases[] = {
    {"", ""},
    {"nvme_core.default_ps_max_latency_us=0", "default_ps_max_latency_us=0"},
    {"nvme-core.default_ps_max_latency_us=0", "default_ps_max_latency_us=0"},
    {"quiet nvme_core.a=1 root=/dev/vda nvme_core.b=2\n", "a=1 b=2"},
    {"nvme_core.multipath", "multipath"},
    {"nvme_core.quirks=1:2:3,4.5:6=7", "quirks=1:2:3,4.5:6=7"},
    {"nvme_core.force=\"1:pio0 2:noncq\" quiet", "force=\"1:pio0 2:noncq\""},
    {"\"nvme_core.force=1:pio0 2:noncq\" quiet", "force=\"1:pio0 2:noncq\""},
    {"x=\"nvme_core.a=1 nvme_core.b=2\" nvme_core.c=3", "c=3"},
    {"nvme.a=1 nvme_core_more.a=1 my.nvme_core.a=1 nvme_core", ""},
    {"nvme_core.a.b=1", ""},
    {"nvme_core.a=", "a="},
    {"nvme_core.a=1 -\tnvme_core.b=2", "a=1 b=2"},
    {"nvme_core.a=\"1 nvme_core.b=2", ""},
};

std::string options_of(const Case& one, std::string_view path, std::string_view before = "") {
  Text<512> options(before);
  put_module_options(one.command_line, path, options);
  return options.c_str();
}

TEST(ModuleOptions, AreThoseOfTheCommandLine) {
  for (const Case& one : kCases) {
    EXPECT_EQ(options_of(one, "/lib/modules/nvme-core.ko"), one.options) << one.command_line;
    EXPECT_EQ(options_of(one, "/lib/modules/nvme_core.ko.xz"), one.options) << one.command_line;
  }
}

TEST(ModuleOptions, ComeAfterThoseOfModprobeConf) {
  EXPECT_EQ(options_of({"nvme_core.a=1", ""}, "/lib/modules/nvme-core.ko", "a=0 b=0"),
            "a=0 b=0 a=1");
}

TEST(ModuleOptions, EndWhereTheKernelStopsReading) {
  EXPECT_EQ(options_of({"nvme_core.a=1 -- nvme_core.b=2", ""}, "/lib/modules/nvme-core.ko"), "a=1");
}

// modprobe reads /proc/cmdline, which only a mount namespace can replace.
class RealModprobe : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!modsel::ModuleTree::tools_exist() ||
        !modsel::ModuleTree::run("unshare -rm mount --bind /dev/null /proc/cmdline 2>/dev/null")) {
      GTEST_SKIP() << "needs as, depmod and a mount namespace";
    }
    ASSERT_TRUE(tree.add({"kernel/nvme-core", {}, {}, {}}));
    tree.write("lib/modules/" + std::string(modsel::kTestVersion) + "/modules.order", "");
    ASSERT_TRUE(tree.depmod());
  }
  std::string options(std::string_view command_line) const {
    tree.write("cmdline", command_line);
    const std::string command = "unshare -rm sh -c 'mount --bind " + tree.path("cmdline") +
                                " /proc/cmdline && modprobe -C /dev/null -d " + tree.path() +
                                " -S " + std::string(modsel::kTestVersion) +
                                " --show-depends nvme-core'";
    const std::unique_ptr<FILE, int (*)(FILE*)> pipe(::popen(command.c_str(), "r"), ::pclose);
    char line[1024] = "";
    if (!pipe || ::fgets(line, sizeof line, pipe.get()) == nullptr) return "nothing";
    const std::string text(line);
    const std::size_t start = text.find(".ko ");
    std::string options = start == std::string::npos ? "" : text.substr(start + 4);
    while (!options.empty() && (options.back() == '\n' || options.back() == ' '))
      options.pop_back();
    return options;
  }

  modsel::ModuleTree tree;
};

TEST_F(RealModprobe, GivesTheSameOptions) {
  for (const Case& one : kCases) {
    EXPECT_EQ(options(one.command_line), one.options) << one.command_line;
  }
}

}  // namespace
}  // namespace kdinit
