// SPDX-License-Identifier: GPL-2.0-or-later
//
// The kernel hooks as the kernel's packages run them: the scripts with their absolute paths moved
// below a test root, and stub programs in PATH.
#include <gmock/gmock.h>

#include <algorithm>
#include <fstream>
#include <map>

#include "builder/base/atomic_file.h"
#include "builder/base/runner.h"
#include "tests/base/temporary_directory.h"

namespace kd {
namespace {

using testing::HasSubstr;

constexpr const char* kVersion = "6.1.0-56-amd64";

void replace_all(std::string& text, std::string_view from, const std::string& to) {
  for (std::size_t at = text.find(from); at != std::string::npos;
       at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
}

class KernelHook : public testing::Test {
 protected:
  explicit KernelHook(const std::string& script) {
    std::ifstream file(std::string(KD_SOURCE_DIR) + "/hooks/" + script);
    std::string text{std::istreambuf_iterator<char>(file), {}};
    for (const char* directory : {"/lib/modules/", "/var/lib/kdump", "/etc/kdump/", "/run/kdump"}) {
      replace_all(text, directory, root.path() + directory);
    }
    root.write("hook", text);
    std::filesystem::create_directories(root.path("var/lib/kdump"));
    std::filesystem::create_directories(root.path("bin"));
    std::filesystem::create_directories(root.path("run"));
    for (const char* program : {"rm", "readlink", "mkdir", "flock"}) {
      std::filesystem::create_symlink(std::string("/usr/bin/") + program,
                                      root.path(std::string("bin/") + program));
    }
    install(kVersion);
    stub("kdump-config", "echo \"$@\" >>" + root.path("calls"));
    stub("ischroot", "exit 1");
  }
  void stub(const std::string& name, const std::string& body) {
    // A link leads to the program of this machine, and would be written through.
    std::filesystem::remove(root.path("bin/" + name));
    root.write("bin/" + name, "#!/bin/sh\n" + body + "\n");
    std::filesystem::permissions(root.path("bin/" + name), std::filesystem::perms(0755));
  }
  void install(const std::string& version) {
    std::filesystem::create_directories(root.path("lib/modules/" + version));
  }
  ProgramOutcome run(const std::vector<std::string>& arguments,
                     const std::map<std::string, std::string>& environment = {}) {
    std::vector<std::string> argv = {"/usr/bin/env", "-i", "PATH=" + root.path("bin")};
    for (const auto& [name, value] : environment) argv.push_back(name + "=" + value);
    argv.insert(argv.end(), {"/bin/sh", root.path("hook")});
    argv.insert(argv.end(), arguments.begin(), arguments.end());
    return *SystemRunner().run(argv);
  }
  [[nodiscard]] std::string calls() const { return root.read("calls"); }
  TemporaryDirectory root;
};

class Postinst : public KernelHook {
 protected:
  Postinst() : KernelHook("kernel-postinst") {}
};

TEST_F(Postinst, BuildsTheImage) {
  EXPECT_EQ(run({kVersion, std::string("/boot/vmlinuz-") + kVersion},
                {{"DEB_MAINT_PARAMS", "configure 6.1.0-55"}})
                .status,
            0);
  EXPECT_EQ(calls(), std::string("build --if-enabled ") + kVersion + "\n");
}

// linux-image-7.3.4+deb13-amd64 names a file in /boot that no package has.
TEST_F(Postinst, ImageNeedNotExist) {
  install("7.3.4+deb13-amd64");
  root.write("lib/modules/7.3.4+deb13-amd64/vmlinuz", "kernel");
  EXPECT_EQ(run({"7.3.4+deb13-amd64", root.path("boot/vmlinuz-7.3.4+deb13-amd64")},
                {{"DEB_MAINT_PARAMS", "'configure' ''"}})
                .status,
            0);
  EXPECT_EQ(calls(), "build --if-enabled 7.3.4+deb13-amd64\n");
}

TEST_F(Postinst, NeedsAVersion) {
  const ProgramOutcome outcome = run({}, {{"DPKG_MAINTSCRIPT_PACKAGE", "linux-image-x"}});
  EXPECT_EQ(outcome.status, 2);
  EXPECT_THAT(outcome.output, HasSubstr("linux-image-x did not pass a version"));
  EXPECT_EQ(run({""}).status, 2);
}

TEST_F(Postinst, UninstalledVersionIsNoError) {
  EXPECT_EQ(run({"5.10.0-1-amd64"}).status, 0);
  EXPECT_EQ(calls(), "");
}

TEST_F(Postinst, PartOfAVersionIsNotThatVersion) {
  for (const char* part : {"6.1.0-5", "6.1.0-56", "6.1.0-56-amd6", "6.1"}) {
    EXPECT_EQ(run({part}).status, 0) << part;
  }
  EXPECT_EQ(calls(), "");
}

TEST_F(Postinst, VersionIsNoPatternAndNoPath) {
  EXPECT_EQ(run({"*"}).status, 0);
  EXPECT_EQ(run({"6.1.0-56.amd64"}).status, 0);
  for (const char* bad : {"../modules", ".", "-x"}) EXPECT_EQ(run({bad}).status, 2) << bad;
  EXPECT_EQ(calls(), "");
}

TEST_F(Postinst, KernelWithoutInitrdIsSkipped) {
  EXPECT_EQ(run({kVersion}, {{"INITRD", "No"}}).status, 0);
  EXPECT_EQ(calls(), "");
  run({kVersion}, {{"INITRD", "Yes"}});
  EXPECT_NE(calls(), "");
}

TEST_F(Postinst, OnlyConfigureBuilds) {
  for (const char* other : {"remove", "triggered /usr/sbin", "abort-upgrade 1", "upgrade", "purge",
                            "abort-remove", "configured", "'remove'"}) {
    EXPECT_EQ(run({kVersion}, {{"DEB_MAINT_PARAMS", other}}).status, 0) << other;
  }
  EXPECT_EQ(calls(), "");
}

TEST_F(Postinst, QuotedConfigureBuilds) {
  run({kVersion}, {{"DEB_MAINT_PARAMS", "'configure' ''"}});
  EXPECT_NE(calls(), "");
}

TEST_F(Postinst, ParametersAreNotEvaluated) {
  run({kVersion}, {{"DEB_MAINT_PARAMS", "$(rm -rf " + root.path("lib") + ")"}});
  EXPECT_TRUE(std::filesystem::exists(root.path("lib/modules")));
  EXPECT_EQ(calls(), "");
}

TEST_F(Postinst, ChrootWithoutARecordIsSkippedWithALine) {
  stub("ischroot", "exit 0");
  const ProgramOutcome outcome = run({kVersion});
  EXPECT_EQ(outcome.status, 0);
  EXPECT_THAT(outcome.output, HasSubstr("in a chroot"));
  EXPECT_EQ(calls(), "");
}

TEST_F(Postinst, ChrootWithARecordBuildsForThatMachine) {
  stub("ischroot", "exit 0");
  root.write("etc/kdump/machine.json", "{}");
  EXPECT_EQ(run({kVersion}).status, 0);
  EXPECT_EQ(calls(), "build --if-enabled --facts " + root.path("etc/kdump/machine.json") + " " +
                         kVersion + "\n");
}

TEST_F(Postinst, RecordIsForChrootsOnly) {
  root.write("etc/kdump/machine.json", "{}");
  run({kVersion});
  EXPECT_EQ(calls(), std::string("build --if-enabled ") + kVersion + "\n");
}

TEST_F(Postinst, WithoutIschrootItIsNoChroot) {
  std::filesystem::remove(root.path("bin/ischroot"));
  run({kVersion});
  EXPECT_NE(calls(), "");
}

TEST_F(Postinst, FailureIsSaidAndNeverFailsTheKernel) {
  root.write(std::string("var/lib/kdump/initrd.img-") + kVersion, "old");
  for (const int status : {1, 2, 3, 4, 5, 139}) {
    stub("kdump-config", "exit " + std::to_string(status));
    const ProgramOutcome outcome = run({kVersion});
    EXPECT_EQ(outcome.status, 0);
    EXPECT_THAT(outcome.output, HasSubstr("W: kdump-tools: no new image for"));
    EXPECT_THAT(outcome.output, HasSubstr("ended with " + std::to_string(status)));
  }
  EXPECT_EQ(root.read(std::string("var/lib/kdump/initrd.img-") + kVersion), "old");
}

TEST_F(Postinst, TwiceIsAsGoodAsOnce) {
  EXPECT_EQ(run({kVersion}).status, 0);
  EXPECT_EQ(run({kVersion}).status, 0);
}

TEST_F(Postinst, LeftBehindConffileDoesNothing) {
  std::filesystem::remove(root.path("bin/kdump-config"));
  EXPECT_EQ(run({kVersion}).status, 0);
}

class Postrm : public KernelHook {
 protected:
  Postrm() : KernelHook("kernel-postrm") {
    for (const char* version : {kVersion, "6.1.0-5", "6.1.0-56"}) {
      for (const std::string& name : files_of(version)) root.write("var/lib/kdump/" + name, "x");
    }
  }
  static std::vector<std::string> files_of(const std::string& version) {
    return {"initrd.img-" + version,
            "initrd.img-" + version + ".manifest",
            "measured-" + version + ".json",
            "calibrated-" + version + ".json",
            "size_initrd.img-" + version,
            "latest_sysctls-" + version,
            "mem-" + version};
  }
  void link(const std::string& name, const std::string& target) {
    std::filesystem::create_symlink(target, root.path("var/lib/kdump/" + name));
  }
  [[nodiscard]] std::vector<std::string> left() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(root.path("var/lib/kdump"))) {
      names.push_back(entry.path().filename());
    }
    std::ranges::sort(names);
    return names;
  }
  [[nodiscard]] bool is_left(const std::string& name) const {
    return std::ranges::count(left(), name) == 1;
  }
};

TEST_F(Postrm, RemovesWhatBelongsToThisVersionOnly) {
  EXPECT_EQ(run({kVersion}, {{"DEB_MAINT_PARAMS", "remove"}}).status, 0);
  for (const std::string& name : files_of(kVersion)) EXPECT_FALSE(is_left(name)) << name;
  EXPECT_EQ(left().size(), 14U);
}

TEST_F(Postrm, RemovesLinksThatLedThere) {
  link("vmlinuz", std::string("/boot/vmlinuz-") + kVersion);
  link("initrd.img", root.path("var/lib/kdump/initrd.img-") + kVersion);
  run({kVersion});
  EXPECT_FALSE(is_left("vmlinuz"));
  EXPECT_FALSE(is_left("initrd.img"));
}

TEST_F(Postrm, KnowsAllPlacesOfAKernel) {
  for (const char* target :
       {"/boot/vmlinux-6.1.0-56-amd64", "../x/vmlinuz-6.1.0-56-amd64",
        "/usr/lib/modules/6.1.0-56-amd64/vmlinuz", "/lib/modules/6.1.0-56-amd64/vmlinuz",
        "../../../usr/lib/modules/6.1.0-56-amd64/vmlinuz"}) {
    link("vmlinuz", target);
    run({kVersion});
    EXPECT_FALSE(is_left("vmlinuz")) << target;
  }
}

TEST_F(Postrm, KeepsLinkIntoTheModulesOfAnother) {
  for (const char* target :
       {"/usr/lib/modules/6.1.0-56-amd64-rt/vmlinuz", "/usr/lib/modules/x6.1.0-56-amd64/vmlinuz"}) {
    link("vmlinuz", target);
    run({kVersion, std::string("/boot/vmlinuz-") + kVersion}, {{"DEB_MAINT_PARAMS", "remove"}});
    EXPECT_TRUE(is_left("vmlinuz")) << target;
    std::filesystem::remove(root.path("var/lib/kdump/vmlinuz"));
  }
}

TEST_F(Postrm, KeepsLinksOfOthersAndFiles) {
  link("vmlinuz", "/boot/vmlinuz-6.1.0-56-amd64-rt");
  root.write("var/lib/kdump/initrd.img", "a file somebody put there");
  run({kVersion});
  EXPECT_TRUE(is_left("vmlinuz"));
  EXPECT_TRUE(is_left("initrd.img"));
}

TEST_F(Postrm, UpgradeKeepsEverything) {
  for (const char* action : {"upgrade 6.1.1", "failed-upgrade 1", "abort-install", "configure"}) {
    EXPECT_EQ(run({kVersion}, {{"DEB_MAINT_PARAMS", action}}).status, 0);
  }
  EXPECT_EQ(left().size(), 21U);
}

TEST_F(Postrm, PurgeRemovesToo) {
  run({kVersion}, {{"DEB_MAINT_PARAMS", "purge"}});
  EXPECT_EQ(left().size(), 14U);
}

TEST_F(Postrm, NeverFails) {
  EXPECT_EQ(run({}).status, 0);
  EXPECT_EQ(run({"../x"}).status, 0);
  EXPECT_EQ(run({"9.9.9"}).status, 0);
  std::filesystem::remove_all(root.path("var/lib/kdump"));
  EXPECT_EQ(run({kVersion}).status, 0);
}

TEST_F(Postrm, WaitsForTheLockOfKdumpConfig) {
  std::filesystem::create_directory(root.path("run/kdump"));
  const Result<FileLock> held = FileLock::acquire(root.path("run/kdump/lock"));
  ASSERT_TRUE(held.has_value());
  // Nobody waits five minutes in a test.
  stub("flock", "[ \"$1 $2 $3\" = '-w 300 9' ] && exec /usr/bin/flock -w 0 9");
  const ProgramOutcome outcome = run({kVersion});
  EXPECT_EQ(outcome.status, 0);
  EXPECT_THAT(outcome.output, HasSubstr("kdump-config holds " + root.path("run/kdump/lock")));
  EXPECT_EQ(left().size(), 21U);
}

TEST_F(Postrm, LockIsForRootOnly) {
  using std::filesystem::perms;
  run({kVersion});
  const auto mode = [&](const char* path) {
    return std::filesystem::status(root.path(path)).permissions();
  };
  EXPECT_EQ(mode("run/kdump"), perms::owner_all);
  EXPECT_EQ(mode("run/kdump/lock"), perms::owner_read | perms::owner_write);
}

TEST_F(Postrm, WithoutAPlaceForTheLockTheFilesStay) {
  root.write("run/kdump", "a file in its place");
  const ProgramOutcome outcome = run({kVersion});
  EXPECT_EQ(outcome.status, 0);
  EXPECT_THAT(outcome.output, HasSubstr("W: kdump-tools: files of"));
  EXPECT_EQ(left().size(), 21U);
}

TEST_F(Postrm, AsksForTheKernelThatTakesItsPlaceWhenTheFilesAreGone) {
  stub("kdump-config", "[ ! -e " + root.path("var/lib/kdump/initrd.img-") + kVersion +
                           " ] && echo \"$@\" >>" + root.path("calls"));
  EXPECT_EQ(run({kVersion}, {{"DEB_MAINT_PARAMS", "remove"}}).status, 0);
  EXPECT_EQ(calls(), std::string("removed --if-enabled ") + kVersion + "\n");
}

TEST_F(Postrm, InAChrootOnlyForARecordedMachine) {
  stub("ischroot", "exit 0");
  run({kVersion});
  EXPECT_EQ(calls(), "");
  root.write("etc/kdump/machine.json", "{}");
  run({kVersion});
  EXPECT_EQ(calls(), "removed --if-enabled --facts " + root.path("etc/kdump/machine.json") + " " +
                         kVersion + "\n");
}

TEST_F(Postrm, OfAnUpgradeOrWithoutThePackageAsksNobody) {
  run({kVersion}, {{"DEB_MAINT_PARAMS", "upgrade 6.1.1"}});
  EXPECT_EQ(calls(), "");
  std::filesystem::remove(root.path("bin/kdump-config"));
  EXPECT_EQ(run({kVersion}).status, 0);
}

TEST_F(Postrm, KernelInItsPlaceThatCannotBeBuiltIsSaidAndFailsNothing) {
  stub("kdump-config", "exit 3");
  const ProgramOutcome outcome = run({kVersion});
  EXPECT_EQ(outcome.status, 0);
  EXPECT_THAT(outcome.output, HasSubstr("kdump-config ended with 3"));
}

TEST_F(Postrm, KernelWithoutInitrdIsSkipped) {
  run({kVersion}, {{"INITRD", "No"}});
  EXPECT_EQ(left().size(), 21U);
}

}  // namespace
}  // namespace kd
