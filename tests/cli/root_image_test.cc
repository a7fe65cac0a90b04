// SPDX-License-Identifier: GPL-2.0-or-later
#include <nlohmann/json.hpp>

#include "tests/cli/build_fixture.h"

namespace kd {
namespace {

class RootImage : public BuildTest {};

// With an image as mkinitramfs(8) makes it: microcode first, then the compressed rest.
TEST_F(RootImage, WeighsAnImageThatBootsTheRealRoot) {
  const std::string folder = scratch_.path("root");
  std::filesystem::create_directories(folder + "/usr/lib/modules");
  write_text(folder + "/init", std::string(5 << 20, 'i'));
  write_text(folder + "/usr/lib/modules/a.ko", std::string(3 << 20, 'm'));
  const std::string initrd = scratch_.path("initrd");
  const RunResult made = run(
      {"/bin/sh", "-c",
       "cd " + folder +
           " && mkdir kernel && head -c 100000 /dev/zero > kernel/x.bin && (echo kernel; "
           "echo kernel/x.bin) | cpio -o -H newc 2>/dev/null > " +
           initrd + " && rm -r kernel && find . | cpio -o -H newc 2>/dev/null | zstd -9 -c >> " +
           initrd});
  ASSERT_EQ(made.exit_code, 0) << made.err;
  const RunResult weighed =
      build({"--dry-run", "--json", "--root-image", initrd, "--crashkernel", "96M"});
  ASSERT_EQ(weighed.exit_code, 0) << weighed.err;
  const auto report = nlohmann::json::parse(weighed.out);
  const auto& unpacking = report["fit"]["peaks"][1]["terms"];
  EXPECT_EQ(unpacking[1]["name"], "initrd");
  EXPECT_GE(unpacking[1]["bytes"], std::filesystem::file_size(initrd));
  EXPECT_EQ(unpacking[2]["name"], "unpacked files");
  EXPECT_GE(unpacking[2]["bytes"], (8 << 20) + 100000);
  EXPECT_LE(unpacking[2]["bytes"], (8 << 20) + 200000);
  EXPECT_EQ(report["fit"]["reservation_bytes"], 96 << 20);
  EXPECT_EQ(report["fit"]["fits"], false) << "systemd has no room in it";
  EXPECT_EQ(report["fit"]["peaks"][3]["name"], "saving from the real root");
  write_text(initrd, "no archive");
  EXPECT_EQ(build({"--root-image", initrd}).exit_code, 1);
  EXPECT_EQ(build({"--root-image", scratch_.path("missing")}).exit_code, 1);
}

TEST_F(RootImage, ImageThatHandsOverCountsTheRealRoot) {
  const auto needed = [this](const std::string& settings) {
    write_text(config(), "USE_KDUMP=1\n" + settings);
    const RunResult result = build({"--dry-run", "--json"});
    EXPECT_EQ(result.exit_code, 0) << result.err;
    return nlohmann::json::parse(result.out)["fit"]["needed_bytes"].get<std::uint64_t>() >> 20;
  };
  EXPECT_GE(needed("KDUMP_CAPTURE=rootfs\n"), needed("") + 16);
  EXPECT_GE(needed("KDUMP_CAPTURE=rootfs\nKDUMP_CMDLINE_PROFILE=stock\n"), 115U);
}

}  // namespace
}  // namespace kd
