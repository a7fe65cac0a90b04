// SPDX-License-Identifier: GPL-2.0-or-later
#include "hooks/kexec_command.h"

#include <gmock/gmock.h>

#include "builder/base/runner.h"

namespace kd {
namespace {

using testing::ElementsAre;

KexecRequest request() {
  return {.program = "/sbin/kexec", .kernel = "/k", .initrd = "/i", .command_line = "ro x"};
}

TEST(KexecCommand, FileLoadComesFirst) {
  EXPECT_THAT(
      load_commands(request()),
      ElementsAre(
          ElementsAre("/sbin/kexec", "-p", "-s", "--command-line=ro x", "--initrd=/i", "/k"),
          ElementsAre("/sbin/kexec", "-p", "-c", "--command-line=ro x", "--initrd=/i", "/k")));
}

TEST(KexecCommand, SecureBootLeavesNoSecondWay) {
  KexecRequest only = request();
  only.file_load_only = true;
  EXPECT_THAT(load_commands(only), ElementsAre(testing::Contains("-s")));
  EXPECT_THAT(unload_commands("/sbin/kexec", true),
              ElementsAre(ElementsAre("/sbin/kexec", "-p", "-u", "-s")));
  EXPECT_EQ(unload_commands("/sbin/kexec", false).size(), 2U);
}

TEST(KexecCommand, ConfiguredArgumentsChooseTheCall) {
  KexecRequest chosen = request();
  chosen.extra = {"-c", "--elf64-core-headers"};
  EXPECT_THAT(load_commands(chosen),
              ElementsAre(ElementsAre("/sbin/kexec", "-p", "-c", "--elf64-core-headers",
                                      "--command-line=ro x", "--initrd=/i", "/k")));
}

TEST(KexecCommand, ElfKernelsAreLinux) {
  KexecRequest elf = request();
  elf.elf_kernel = true;
  EXPECT_THAT(load_commands(elf)[0], testing::Contains("--args-linux"));
}

TEST(KexecCommand, NoInitrdNoOption) {
  KexecRequest bare = request();
  bare.initrd.clear();
  EXPECT_THAT(load_commands(bare)[0],
              ElementsAre("/sbin/kexec", "-p", "-s", "--command-line=ro x", "/k"));
}

TEST(KexecCommand, CommandLineIsOneArgumentWhateverIsInIt) {
  KexecRequest hostile = request();
  hostile.command_line = "a=\"b c\" $(reboot) ; `id` --initrd=/evil -u";
  EXPECT_THAT(load_commands(hostile)[0],
              ElementsAre("/sbin/kexec", "-p", "-s",
                          "--command-line=a=\"b c\" $(reboot) ; `id` --initrd=/evil -u",
                          "--initrd=/i", "/k"));
}

TEST(DescribeCommand, IsWhatKdumpToolsWrites) {
  EXPECT_EQ(describe_command(load_commands(request())[0]),
            "/sbin/kexec -p -s --command-line=\"ro x\" --initrd=/i /k");
}

TEST(DescribeCommand, QuotesForAShell) {
  EXPECT_EQ(describe_command({"a", "", "b c", "$x", "--o=d\"e`\\", "f'"}),
            R"(a "" "b c" "\$x" --o="d\"e\`\\" "f'")");
}

}  // namespace
}  // namespace kd
