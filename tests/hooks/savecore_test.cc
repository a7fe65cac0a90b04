// SPDX-License-Identifier: GPL-2.0-or-later
#include "hooks/savecore.h"

#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>

#include "hooks/propagate.h"
#include "tests/hooks/fake_machine.h"

namespace kd {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Key;
using testing::Not;
using testing::StartsWith;
using testing::UnorderedElementsAre;

// The steps are those of the image's init and tested there. Here a script is makedumpfile: it
// writes its arguments to its last argument, or with -F to stdout.
class Savecore : public testing::Test {
 protected:
  Savecore() {
    machine.root.write("vmcore", std::string(3 << 20, 'v'));
    places = {.vmcore = machine.root.path("vmcore"), .root = machine.root.path()};
    install("makedumpfile",
            "for last; do :; done\n"
            "case $1 in -F) echo \"dump $*\" ;; *) echo \"dump $*\" >\"$last\" ;; esac");
  }
  void install(const std::string& name, const std::string& script) {
    machine.root.write("bin/" + name, "#!/bin/sh\n" + script + "\n");
    machine.runner.paths[name] = machine.root.path("bin/" + name);
    std::filesystem::permissions(machine.runner.paths[name], std::filesystem::perms(0755));
  }
  Result<void> save() { return savecore(machine.context(), config, places); }
  // {"dump.STAMP", ...} with their content.
  [[nodiscard]] std::map<std::string, std::string> files() const {
    std::map<std::string, std::string> files;
    for (const auto& run : std::filesystem::directory_iterator(machine.root.path("var/crash"))) {
      const std::string stamp = run.path().filename();
      for (const auto& file : std::filesystem::directory_iterator(run)) {
        std::string name = file.path().filename();
        if (const std::size_t at = name.find(stamp); at != std::string::npos) {
          name.replace(at, stamp.size(), "STAMP");
        }
        files[name] =
            machine.root.read("var/crash/" + stamp + "/" + file.path().filename().string());
      }
    }
    return files;
  }
  // Returns the limit from before.
  static rlimit file_size_limit(rlim_t bytes) {
    rlimit before{};
    ::getrlimit(RLIMIT_FSIZE, &before);
    const rlimit now{.rlim_cur = bytes, .rlim_max = before.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &now);
    return before;
  }
  FakeMachine machine;
  KdumpConfig config;
  SavePlaces places;
};

TEST_F(Savecore, WritesDumpDmesgAndReport) {
  ASSERT_TRUE(save().has_value());
  const auto saved = files();
  EXPECT_THAT(
      saved, UnorderedElementsAre(Key("dump.STAMP"), Key("dmesg.STAMP"), Key("kdump-report.json")));
  EXPECT_THAT(saved.at("dump.STAMP"), HasSubstr("dump -c -d 31 " + places.vmcore));
  EXPECT_THAT(machine.said, HasSubstr("saved vmcore in "));
}

TEST_F(Savecore, ArgumentsAreWordsAndNeverFlattened) {
  config.makedump_args = "-F -l -d 17 '-x a b'";
  ASSERT_TRUE(save().has_value());
  EXPECT_THAT(files().at("dump.STAMP"), HasSubstr("dump -l -d 17 -x a b "));
}

TEST_F(Savecore, ArgumentsThatAreNoWordsAreNoReasonToSaveNothing) {
  config.makedump_args = "-c -d 31 --message-level '7";
  ASSERT_TRUE(save().has_value());
  EXPECT_THAT(files().at("dump.STAMP"), StartsWith("dump -c -d 31 "));
  EXPECT_THAT(machine.said, HasSubstr("add the closing quote; taking -c -d 31"));
}

// What counts is the kernel that crashed, whichever one saves its memory.
TEST_F(Savecore, KernelInTheDumpDecidesOnTheLevel) {
  machine.root.write("vmcore", std::string(9000, '\x7f') + "VMCOREINFO" + std::string(2, '\0') +
                                   "OSRELEASE=7.3.4-amd64\nBUILD-ID=00\n" +
                                   std::string(3 << 20, 'v'));
  ASSERT_TRUE(save().has_value());
  EXPECT_THAT(files().at("dump.STAMP"), StartsWith("dump -c -d 17 "));
  EXPECT_THAT(files().at("kdump-report.json"), HasSubstr("kernel 7.3.4-amd64"));
  EXPECT_THAT(machine.said, HasSubstr("-d 17 in place of -d 31"));
}

TEST_F(Savecore, UnknownProgramGetsTheSafeLevelAtBothTries) {
  machine.root.write("usr/bin/makedumpfile", "#!/bin/sh\nexec something-else\n");
  install("makedumpfile",
          "for last; do :; done\n"
          "case $* in '-c '*) exit 1 ;; esac\n"
          "echo \"dump $*\" >\"$last\"");
  ASSERT_TRUE(save().has_value());
  EXPECT_THAT(files().at("dump.STAMP"), StartsWith("dump -d 17 --num-threads 0 "));
}

TEST_F(Savecore, OwnLevelIsKeptWithAWarning) {
  machine.root.write("proc/sys/kernel/osrelease", "7.3.4-amd64\n");
  config = *interpret_kdump_config({{"MAKEDUMP_ARGS", "-c -d 31"}});
  ASSERT_TRUE(save().has_value());
  EXPECT_THAT(files().at("dump.STAMP"), StartsWith("dump -c -d 31 "));
  EXPECT_THAT(machine.said, HasSubstr("use -d 17"));
}

TEST_F(Savecore, CompressesThroughAPipe) {
  config.compression = "gzip";
  install("gzip", "tr a-z A-Z");
  ASSERT_TRUE(save().has_value());
  const auto saved = files();
  ASSERT_TRUE(saved.contains("dump.STAMP.gz"));
  EXPECT_THAT(saved.at("dump.STAMP.gz"), StartsWith("DUMP -F -C -D 31 "));
  EXPECT_FALSE(saved.contains("dump.STAMP"));
}

TEST_F(Savecore, WhatIsLeftOfACompressedDumpSaysHowItIsPacked) {
  config.compression = "gzip";
  install("gzip", "tr a-z A-Z; exit 1");
  std::filesystem::resize_file(places.vmcore, std::uintmax_t{1} << 42);  // no copy has space
  EXPECT_FALSE(save().has_value());
  EXPECT_THAT(files(), Contains(Key("dump-incomplete.gz")));
  EXPECT_THAT(files(), Not(Contains(Key("dump-incomplete"))));
  EXPECT_THAT(machine.said, HasSubstr("/dump-incomplete.gz has what was written"));
}

// A part of the words would be another order than the administrator's.
TEST_F(Savecore, MoreWordsThanPossibleAreNeverCutOff) {
  config.makedump_args = "-c -d 31";
  for (int i = 0; i < 15; ++i) config.makedump_args += " --message-level 31";
  ASSERT_TRUE(save().has_value());
  EXPECT_THAT(files().at("dump.STAMP"), StartsWith("dump -d 31 --num-threads 0 "));
  EXPECT_THAT(machine.said, HasSubstr("MAKEDUMP_ARGS has 33 words, at most 32 are possible"));
}

TEST_F(Savecore, FailedCompressorIsAFailedDump) {
  config.compression = "xz";
  install("xz", "exit 1");
  ASSERT_TRUE(save().has_value());
  EXPECT_THAT(files(), Contains(Key("vmcore.STAMP"))) << "the copy is not compressed";
  EXPECT_THAT(files(), Not(Contains(Key("dump.STAMP.xz"))));
}

TEST_F(Savecore, DumpThatStallsIsEndedAndNothingMoreIsWritten) {
  config.compression = "xz";
  places.stall_timeout = 1;
  install("xz", "echo begun; exec sleep 1000");
  const Result<void> saved = save();
  ASSERT_FALSE(saved.has_value());
  EXPECT_THAT(saved.error().message, HasSubstr("was ended: no progress any more"));
  EXPECT_EQ(files().at("dump-incomplete"), "begun\n");
  EXPECT_THAT(files(), Not(Contains(Key("vmcore.STAMP"))));
  EXPECT_THAT(files().at("kdump-report.json"), HasSubstr("\"unfinished\""));
  EXPECT_THAT(machine.said, HasSubstr("/dump-incomplete has what was written until then"));
}

TEST_F(Savecore, WaitsAsLongAsTheImageWould) {
  EXPECT_EQ(stall_timeout_for(config, places.vmcore), 600U);
  // Sparse: 3 TiB for the file system, nothing on disk.
  std::filesystem::resize_file(places.vmcore, std::uintmax_t{3} << 40);
  EXPECT_EQ(stall_timeout_for(config, places.vmcore), 600U + 3072U);
  config.stall_timeout = 42;
  EXPECT_EQ(stall_timeout_for(config, places.vmcore), 42U);
  EXPECT_EQ(stall_timeout_for({}, "/nowhere"), 600U);
}

TEST_F(Savecore, CopyThatStallsIsEnded) {
  machine.runner.paths.clear();
  places.stall_timeout = 1;
  install("cat", "exec sleep 1000");
  const Result<void> saved = save();
  ASSERT_FALSE(saved.has_value());
  EXPECT_THAT(machine.said, HasSubstr("was ended: no progress any more"));
  EXPECT_THAT(files(), Not(Contains(Key("vmcore.STAMP"))));
}

TEST_F(Savecore, RawCopyIsASavedCrashAndEndsInRetention) {
  machine.root.write("var/crash/202001010000/dump.202001010000", "x");
  config.num_dumps = 1;
  install("makedumpfile", "for last; do :; done; [ $1 = --dump-dmesg ] && echo log >\"$last\"");
  ASSERT_TRUE(save().has_value());
  const std::string report = files().at("kdump-report.json");
  EXPECT_THAT(report, HasSubstr("\"result\": \"saved-raw\""));
  EXPECT_THAT(report, HasSubstr("\"dump_file\": \"vmcore."));
  EXPECT_THAT(report, HasSubstr("makedumpfile ended with exit code 1")) << "the reason is kept";
  EXPECT_FALSE(std::filesystem::exists(machine.root.path("var/crash/202001010000")));
}

// It may be a rehearsal.
TEST_F(Savecore, RawCopyWhoseLogCouldNotBeReadLetsNoOldDumpGo) {
  machine.root.write("var/crash/202001010000/dump.202001010000", "x");
  config.num_dumps = 1;
  install("makedumpfile", "exit 1");
  ASSERT_TRUE(save().has_value());
  EXPECT_TRUE(std::filesystem::exists(machine.root.path("var/crash/202001010000")));
  config.dump_dmesg = false;
  ASSERT_TRUE(save().has_value());
  EXPECT_FALSE(std::filesystem::exists(machine.root.path("var/crash/202001010000")))
      << "no rehearsal is armed where no log is wanted";
}

// A raw copy would only fill it again.
TEST_F(Savecore, NothingLargerIsWrittenToATargetThatTakesNoMore) {
  places.stall_timeout = 600;
  const rlimit before = file_size_limit(1 << 20);
  std::signal(SIGXFSZ, SIG_IGN);
  install("makedumpfile",
          "for last; do :; done\n"
          "case $* in --dump-dmesg*) : >\"$last\"; exit ;; esac\n"
          "head -c 1048576 /dev/zero >\"$last\"; exit 1");
  const Result<void> saved = save();
  ::setrlimit(RLIMIT_FSIZE, &before);
  ASSERT_FALSE(saved.has_value());
  EXPECT_THAT(files(), Contains(Key("dump-incomplete")));
  EXPECT_THAT(files(), Not(Contains(Key(StartsWith("vmcore")))));
  EXPECT_THAT(machine.said, testing::Not(HasSubstr("copying")));
}

TEST_F(Savecore, FailedRawCopyIsInTheReportAsWell) {
  install("makedumpfile", "exit 1");
  install("cat", "exit 5");
  EXPECT_FALSE(save().has_value());
  EXPECT_THAT(files().at("kdump-report.json"), HasSubstr("{\"step\": \"raw copy\", \"error\": "));
}

TEST_F(Savecore, SecondTryNeedsLessMemory) {
  install("makedumpfile",
          "for last; do :; done\n"
          "case $* in '-c '*) exit 1 ;; esac\n"
          "echo \"dump $*\" >\"$last\"");
  ASSERT_TRUE(save().has_value());
  EXPECT_THAT(files().at("dump.STAMP"), StartsWith("dump -d 31 --num-threads 0 "));
}

TEST_F(Savecore, DmesgCanBeSwitchedOff) {
  config.dump_dmesg = false;
  ASSERT_TRUE(save().has_value());
  EXPECT_THAT(files(), Not(Contains(Key("dmesg.STAMP"))));
}

TEST_F(Savecore, DeletesOldDumpsAfterANewOne) {
  for (const char* old : {"202001010000", "202101010000", "202201010000"}) {
    machine.root.write(std::string("var/crash/") + old + "/dump." + old, "x");
  }
  machine.root.write("var/crash/notes", "kept");
  config.num_dumps = 2;
  ASSERT_TRUE(save().has_value());
  EXPECT_FALSE(std::filesystem::exists(machine.root.path("var/crash/202001010000")));
  EXPECT_FALSE(std::filesystem::exists(machine.root.path("var/crash/202101010000")));
  EXPECT_TRUE(std::filesystem::exists(machine.root.path("var/crash/202201010000")));
  EXPECT_EQ(machine.root.read("var/crash/notes"), "kept");
}

TEST_F(Savecore, WithoutMakedumpfileAllIsCopied) {
  machine.runner.paths.clear();
  ASSERT_TRUE(save().has_value());
  const auto saved = files();
  EXPECT_THAT(saved, UnorderedElementsAre(Key("vmcore.STAMP"), Key("kdump-report.json")));
  EXPECT_EQ(saved.at("vmcore.STAMP"), std::string(3 << 20, 'v'));
  EXPECT_THAT(machine.said, HasSubstr("saved vmcore in "));
}

TEST_F(Savecore, WithoutAVmcoreThereIsNothingToSave) {
  std::filesystem::remove(machine.root.path("vmcore"));
  const Result<void> saved = save();
  ASSERT_FALSE(saved.has_value());
  EXPECT_THAT(saved.error().message, HasSubstr("no crashed kernel to save"));
  EXPECT_TRUE(std::filesystem::is_empty(machine.root.path("var/crash")));
}

TEST_F(Savecore, MissingCompressorIsNoReasonToLoseTheDump) {
  config.compression = "lz4";
  EXPECT_TRUE(save().has_value());
  EXPECT_THAT(machine.said, HasSubstr("lz4 is not installed"));
}

TEST_F(Savecore, NetworkTargetsAreSavedLocally) {
  config.ssh = "a@b";
  EXPECT_TRUE(save().has_value());
  EXPECT_THAT(machine.said, HasSubstr("SSH=\"a@b\""));
}

class FinishCapture : public testing::Test {
 protected:
  bool finish(bool saved) {
    return finish_capture(machine.context(), config, saved, {}, [this] {
      ++reboots;
      return EPERM;
    });
  }
  FakeMachine machine;
  KdumpConfig config;
  int reboots = 0;
};

TEST_F(FinishCapture, RunsTheFailureCommandAsWords) {
  machine.runner.programs["page"] = [](const auto&) { return ProgramOutcome{}; };
  config.fail_command = "page 'the admin' $(now) ; reboot";
  EXPECT_TRUE(finish(false));
  EXPECT_THAT(machine.runner.calls,
              ElementsAre(ElementsAre("/usr/sbin/page", "the admin", "$(now)", ";", "reboot")));
  EXPECT_EQ(reboots, 0) << "the command decided";
}

TEST_F(FinishCapture, FailureCommandThatFailsEndsInAReboot) {
  for (const int status : {1, 127, 128 + 9}) {
    reboots = 0;
    machine.runner.programs["page"] = [=](const auto&) { return ProgramOutcome{status, ""}; };
    config.fail_command = "page";
    EXPECT_FALSE(finish(false));
    EXPECT_EQ(reboots, 1);
    EXPECT_THAT(machine.said,
                HasSubstr("KDUMP_FAIL_CMD ended with status " + std::to_string(status)));
  }
  EXPECT_THAT(machine.said, HasSubstr("\nrebooting\nreboot: Operation not permitted\n"));
}

TEST_F(FinishCapture, FailureCommandThatIsMissingEndsInAReboot) {
  config.fail_command = "/nowhere/page";
  EXPECT_FALSE(finish(false));
  EXPECT_EQ(reboots, 1);
}

// device_shutdown() of the kernel waits for a driver that hangs in its probe.
TEST_F(FinishCapture, RebootThatHangsIsEndedByTheGuard) {
  machine.root.write("sysrq", "");
  machine.root.write("log", "");
  const std::string sysrq = machine.root.path("sysrq"), log = machine.root.path("log");
  SavePlaces places{.stall_timeout = 1, .restart_when_stuck = true};
  places.guard = {.sysrq = sysrq.c_str(), .log = log.c_str(), .restart = [] { ::_exit(0); }};
  const auto hang = [&] {
    for (int i = 0; i < 6000 && machine.root.read("sysrq").empty(); ++i) ::usleep(10'000);
    return EPERM;
  };
  finish_capture(machine.context(), config, true, places, hang);
  EXPECT_EQ(machine.root.read("sysrq"), "b");
}

TEST_F(FinishCapture, SavedDumpEndsInAReboot) {
  config.fail_command = "page";
  finish(true);
  EXPECT_EQ(reboots, 1);
  EXPECT_THAT(machine.runner.calls, testing::IsEmpty());
}

class Propagate : public testing::Test {
 protected:
  Propagate() {
    config.ssh = "user@host";
    for (const char* name : {"ssh-keygen", "ssh-copy-id"}) {
      machine.runner.programs[name] = [this](const auto&) { return ProgramOutcome{status, ""}; };
    }
  }
  FakeMachine machine;
  KdumpConfig config;
  int status = 0;
};

TEST_F(Propagate, MakesAKeyOnlyWhenThereIsNone) {
  ASSERT_TRUE(propagate(machine.context(), config).has_value());
  EXPECT_THAT(machine.runner.calls,
              ElementsAre(ElementsAre("/usr/sbin/ssh-keygen", "-q", "-t", "rsa", "-f",
                                      "/root/.ssh/kdump_id_rsa", "-N", ""),
                          ElementsAre("/usr/sbin/ssh-copy-id", "-i", "/root/.ssh/kdump_id_rsa",
                                      "user@host")));
  machine.root.write("root/.ssh/kdump_id_rsa", "key");
  machine.runner.calls.clear();
  ASSERT_TRUE(propagate(machine.context(), config).has_value());
  EXPECT_THAT(machine.runner.names_called(), ElementsAre("ssh-copy-id"));
}

TEST_F(Propagate, SaysWhatFailed) {
  status = 1;
  EXPECT_FALSE(propagate(machine.context(), config).has_value());
  config.ssh.clear();
  EXPECT_THAT(propagate(machine.context(), config).error().message,
              HasSubstr("Remote ssh dump is not configured. No reason to propagate"));
}

}  // namespace
}  // namespace kd
