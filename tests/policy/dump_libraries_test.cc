// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/policy/dump_libraries.h"

#include <gmock/gmock.h>

namespace kd {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(DumpLibraries, TheDefaultNeedsNeitherDebugInformationNorACompressorButZlib) {
  EXPECT_THAT(
      uncalled_libraries({"-c", "-d", "31"}),
      ElementsAre("libdw.so.1", "libelf.so.1", "liblzo2.so.2", "libsnappy.so.1", "libzstd.so.1"));
  EXPECT_EQ(uncalled_libraries({}), uncalled_libraries({"-c", "-d", "31"}));
}

TEST(DumpLibraries, KnowsOptionsWithAValueInEachForm) {
  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{"--num-threads", "0", "-c"},
        {"--num-threads=0"},
        {"-d17", "-E"},
        {"-E", "-d", "1,31", "--message-level", "7"},
        {"--cyclic-buffer", "1024", "--non-mmap", "-D", "-f"}}) {
    EXPECT_EQ(uncalled_libraries(arguments), uncalled_libraries({})) << arguments.front();
  }
}

// Whatever is not known may call any of them.
TEST(DumpLibraries, NoneWithAnArgumentThatIsNotKnown) {
  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{"-x", "/usr/lib/debug/vmlinux"},
        {"-c", "--config", "/etc/erase.conf"},
        {"--eppic", "a.c"},
        {"-cd", "31"},
        {"-d", "31", "vmlinux"},
        {"-d"},
        {"-d", "-x"},
        {"--num-threads"},
        {"--num-threads", "4"},
        {"-l", "-d", "31"},
        {"-p"},
        {"-z", "-d", "31"},
        {"-d 31 -x"},
        {"--no-such-option"}}) {
    EXPECT_THAT(uncalled_libraries(arguments), IsEmpty()) << arguments.front();
  }
}

}  // namespace
}  // namespace kd
