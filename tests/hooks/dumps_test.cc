// SPDX-License-Identifier: GPL-2.0-or-later
#include "hooks/dumps.h"

#include <nlohmann/json.hpp>

#include "hooks/status.h"
#include "tests/hooks/fake_machine.h"

namespace kd {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr const char* kProgram = "/usr/lib/kdump-mkinitrd/kdump-verify";

class Dumps : public testing::Test {
 protected:
  Dumps() {
    machine.runner.paths["../lib/kdump-mkinitrd/kdump-verify"] = kProgram;
    machine.runner.programs["kdump-verify"] = [this](const std::vector<std::string>& argv) {
      const auto record = std::ranges::find(argv, "--record");
      if (record != argv.end() && status < 128) {
        std::ofstream(*(record + 1))
            << nlohmann::json{{"bytes", std::filesystem::file_size(argv.back())},
                              {"result", status == 0 ? "whole" : "damaged"},
                              {"reason", status == 0 ? "" : "page 0x5"}};
      }
      return ProgramOutcome{status, ""};
    };
    machine.runner.programs["systemctl"] = [](const auto&) { return ProgramOutcome{0, ""}; };
    machine.root.write("run/systemd/system/x", "");
  }
  void add_dump(const std::string& stamp, const std::string& name = "dump.") const {
    machine.root.write("var/crash/" + stamp + "/" + name + stamp, "a dump");
  }
  [[nodiscard]] std::vector<Dump> list() const { return list_dumps(machine.reader(), config); }

  FakeMachine machine;
  KdumpConfig config;
  int status = 0;
};

TEST_F(Dumps, TheNewestComesFirstAndOnlyDumpsCount) {
  add_dump("202601010000");
  add_dump("202602010000", "vmcore.");
  machine.root.write("var/crash/202603010000/dmesg.202603010000", "a log");
  machine.root.write("var/crash/kexec_cmd", "");
  const std::vector<Dump> dumps = list();
  ASSERT_EQ(dumps.size(), 2U);
  EXPECT_EQ(dumps[0].path, "/var/crash/202602010000/vmcore.202602010000");
  EXPECT_EQ(dumps[0].result, "");
}

TEST_F(Dumps, ACopyOfAllMemoryIsBetterThanTheBeginningOfADump) {
  machine.root.write("var/crash/202601010000/dump-incomplete", "a part");
  EXPECT_EQ(list().at(0).path, "/var/crash/202601010000/dump-incomplete");
  add_dump("202601010000", "vmcore.");
  EXPECT_EQ(list().at(0).path, "/var/crash/202601010000/vmcore.202601010000");
}

TEST_F(Dumps, ThoseOfOtherUsersAreNotRead) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can make a directory of somebody else";
  add_dump("202601010000");
  add_dump("202602010000");
  ASSERT_EQ(::chown(machine.root.path("var/crash/202602010000").c_str(), 65534, 65534), 0);
  const std::vector<Dump> dumps = list();
  ASSERT_EQ(dumps.size(), 1U);
  EXPECT_EQ(dumps[0].path, "/var/crash/202601010000/dump.202601010000");
}

TEST_F(Dumps, EachIsVerifiedOnce) {
  add_dump("202601010000");
  add_dump("202602010000");
  ASSERT_TRUE(verify_new_dumps(machine.context(), config).has_value());
  ASSERT_TRUE(verify_new_dumps(machine.context(), config).has_value());
  EXPECT_THAT(machine.runner.names_called(), ElementsAre("kdump-verify", "kdump-verify"));
  EXPECT_THAT(machine.said, HasSubstr("dump.202602010000: whole\n"));
  EXPECT_EQ(list().at(0).result, "whole");
}

TEST_F(Dumps, ARecordOfAnotherFileIsNone) {
  add_dump("202601010000");
  ASSERT_TRUE(verify_new_dumps(machine.context(), config).has_value());
  machine.root.write("var/crash/202601010000/dump.202601010000", "another dump");
  EXPECT_EQ(list().at(0).result, "");
}

// Else every boot would try it again.
TEST_F(Dumps, AVerifierThatDiesIsAResult) {
  add_dump("202601010000");
  status = 139;
  EXPECT_FALSE(verify_new_dumps(machine.context(), config).has_value());
  ASSERT_TRUE(verify_new_dumps(machine.context(), config).has_value());
  EXPECT_THAT(machine.runner.names_called(), ElementsAre("kdump-verify"));
  EXPECT_THAT(describe_result(list().at(0)),
              HasSubstr("failed: kdump-verify ended with status 139"));
  struct stat info {};
  ASSERT_EQ(::stat(machine.root.path("var/crash/202601010000/kdump-verify.json").c_str(), &info),
            0);
  EXPECT_EQ(info.st_mode & 0777, 0600U);
}

TEST_F(Dumps, AHostileRecordIsNone) {
  add_dump("202601010000");
  for (const char* text :
       {"", "[]", "{", R"({"bytes":"6","result":"whole"})", R"({"bytes":6,"result":["whole"]})"}) {
    machine.root.write("var/crash/202601010000/kdump-verify.json", text);
    EXPECT_EQ(list().at(0).result, "") << text;
  }
}

TEST_F(Dumps, TheBackgroundIsAskedOnlyForNewOnes) {
  start_verification(machine.context(), config);
  EXPECT_THAT(machine.runner.calls, IsEmpty());
  add_dump("202601010000");
  start_verification(machine.context(), config);
  EXPECT_THAT(machine.runner.calls,
              ElementsAre(ElementsAre("/usr/sbin/systemctl", "start", "--no-block",
                                      "kdump-tools-verify.service")));
  ASSERT_TRUE(verify_new_dumps(machine.context(), config).has_value());
  machine.runner.calls.clear();
  start_verification(machine.context(), config);
  EXPECT_THAT(machine.runner.calls, IsEmpty());
}

TEST_F(Dumps, VerifyTakesTheNewestAndKeepsTheResult) {
  EXPECT_THAT(verify_dump(machine.context(), config, "", false).error().message,
              HasSubstr("no dump below /var/crash"));
  add_dump("202601010000");
  add_dump("202602010000");
  status = 1;
  EXPECT_EQ(verify_dump(machine.context(), config, "", true).value(), 1);
  EXPECT_EQ(machine.runner.calls.back().at(1), "--json");
  EXPECT_EQ(describe_result(list().at(0)), "damaged: page 0x5");
}

TEST_F(Dumps, VerifyOfANamedFileKeepsNothing) {
  add_dump("202601010000");
  EXPECT_EQ(verify_dump(machine.context(), config, "/tmp/x", false).value(), 0);
  EXPECT_THAT(machine.runner.calls.back(), ElementsAre(kProgram, "/tmp/x"));
}

TEST_F(Dumps, StatusAndShowTellTheOutcome) {
  add_dump("202601010000");
  EXPECT_THAT(status_text(*gather_status(machine.context())),
              AllOf(HasSubstr("last dump       : /var/crash/202601010000/dump.202601010000\n"),
                    HasSubstr("not verified")));
  status = 1;
  ASSERT_TRUE(verify_new_dumps(machine.context(), config).has_value());
  const StatusFacts facts = *gather_status(machine.context());
  EXPECT_THAT(status_text(facts), HasSubstr("  damaged: page 0x5\n"));
  EXPECT_THAT(show_text(facts), HasSubstr("  damaged: page 0x5\n"));
  EXPECT_EQ(nlohmann::json::parse(status_json(facts))["last_dump"]["result"], "damaged");
}

}  // namespace
}  // namespace kd
