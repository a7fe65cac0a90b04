// SPDX-License-Identifier: GPL-2.0-or-later
//
// With --json every outcome is one JSON object.
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "builder/base/digest.h"
#include "builder/fit/calibration.h"
#include "tests/cli/build_fixture.h"

namespace kd {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::UnorderedElementsAreArray;

using Json = nlohmann::json;
namespace fs = std::filesystem;

// Fails the test where stdout is anything but one object.
Json parsed(const RunResult& result) {
  Json json = Json::parse(result.out, nullptr, false);
  EXPECT_TRUE(json.is_object()) << result.out << result.err;
  return json;
}

std::vector<std::string> lines(const std::string& text) {
  std::vector<std::string> result;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) result.push_back(line);
  return result;
}

TEST_F(BuildTest, JsonOfABuildSaysWhatIsOnDisk) {
  const Json json = parsed(build({"--json"}));
  EXPECT_EQ(json["result"], "built");
  EXPECT_EQ(json["output"], image());
  EXPECT_EQ(json["image_bytes"], fs::file_size(image()));
  // Judged by libarchive: the files and their bytes, directories aside.
  const RunResult listing = run({"bsdtar", "-tvf", image()});
  std::vector<std::string> names;
  std::map<std::string, std::uint64_t> sizes;
  for (const std::string& line : lines(listing.out)) {
    std::istringstream words(line);
    std::string mode, links, owner, group, size, month, day, time, path;
    words >> mode >> links >> owner >> group >> size >> month >> day >> time >> path;
    if (mode.starts_with('d')) continue;
    names.push_back(path);
    sizes[path] = std::stoull(size);
  }
  std::vector<std::string> in_json;
  for (const Json& entry : json["entries"]) {
    in_json.push_back(entry["path"]);
    EXPECT_NE(entry["reason"], "") << entry["path"];
    // Hard links carry their bytes with one name only.
    const std::uint64_t size = sizes[in_json.back()];
    EXPECT_TRUE(size == 0 || entry["bytes"] == size) << entry["path"];
  }
  EXPECT_THAT(in_json, UnorderedElementsAreArray(names));
  std::uint64_t all = 0;
  for (const auto& [path, size] : sizes) all += size;
  EXPECT_EQ(json["unpacked_bytes"], all);
}

TEST_F(BuildTest, JsonOfAListHoldsTheFilesOfTheList) {
  const RunResult text = build({"--list"});
  const Json json = parsed(build({"--list", "--json"}));
  EXPECT_EQ(json["result"], "planned");
  std::vector<std::string> rows;
  for (const Json& entry : json["entries"]) {
    rows.push_back(fmt::format("{:>9} {} ({})", entry["bytes"].get<std::uint64_t>(),
                               entry["path"].get<std::string>(),
                               entry["reason"].get<std::string>()));
  }
  EXPECT_GT(rows.size(), 10U);
  EXPECT_EQ(rows, lines(text.out));
}

TEST_F(BuildTest, JsonOfAFreshImageSaysThatItWasNotBuilt) {
  const Json built = parsed(build({"--json", "--crashkernel", "256M"}));
  const Json again = parsed(build({"--json", "--crashkernel", "256M"}));
  EXPECT_EQ(again["result"], "fresh");
  for (const char* same : {"output", "kernel", "target", "variant", "image_bytes", "notes"}) {
    EXPECT_EQ(again[same], built[same]) << same;
  }
  for (const char* same : {"needed_bytes", "reservation_bytes", "fits", "verdict"}) {
    EXPECT_EQ(again["fit"][same], built["fit"][same]) << same;
  }
  EXPECT_EQ(parsed(build({"--json", "--quiet", "--crashkernel", "256M"}))["result"], "fresh");
}

TEST_F(BuildTest, JsonOfACheckHasTheReasons) {
  const RunResult none = build({"--check", "--json"});
  EXPECT_EQ(none.exit_code, 10);
  EXPECT_EQ(parsed(none)["result"], "stale");
  ASSERT_EQ(build().exit_code, 0);
  const Json fresh = parsed(build({"--check", "--json"}));
  EXPECT_EQ(fresh["result"], "fresh");
  EXPECT_EQ(fresh["reasons"], Json::array());
  EXPECT_EQ(fresh["image_bytes"], fs::file_size(image()));
  write_text(config(), "USE_KDUMP=1\nMAKEDUMP_ARGS=\"-l -d 31\"\n");
  const RunResult stale = build({"--check", "--json", "--quiet"});
  EXPECT_EQ(stale.exit_code, 10);
  EXPECT_THAT(parsed(stale)["reasons"].get<std::vector<std::string>>(),
              testing::Contains(HasSubstr("kdump-init.conf")));
}

TEST_F(BuildTest, JsonOfAVerificationSaysWhatIsThere) {
  ASSERT_EQ(build({"-c", "none"}).exit_code, 0);
  const Json json = parsed(build({"--verify", "--json"}));
  EXPECT_EQ(json["result"], "verified");
  EXPECT_EQ(json["image_bytes"], fs::file_size(image()));
  std::string damaged = read_file(image());
  damaged[damaged.find("\177ELF") + 100] ^= 1;
  write_text(image(), damaged);
  const RunResult bad = build({"--verify", "--json"});
  EXPECT_EQ(bad.exit_code, 1);
  EXPECT_EQ(parsed(bad)["result"], "failed");
  EXPECT_THAT(parsed(bad)["message"].get<std::string>(), HasSubstr("differs"));
}

TEST_F(BuildTest, JsonOfARecordNamesTheFile) {
  const Json json = parsed(build({"--record", scratch_.path("record"), "--json"}));
  EXPECT_EQ(json["result"], "recorded");
  EXPECT_EQ(read_file(json["record"].get<std::string>()), read_file(facts()));
}

TEST_F(BuildTest, JsonOfWhyHasTheChain) {
  const Json json = parsed(build({"--why", "jbd2", "--json"}));
  EXPECT_EQ(json["result"], "explained");
  EXPECT_EQ(json["path"], "jbd2");
  const std::string text = build({"--why", "jbd2"}).out;
  EXPECT_EQ(text, fmt::format("{}\n", fmt::join(json["reasons"].get<std::vector<std::string>>(),
                                                "\n  <- ")));
}

TEST_F(BuildTest, JsonOfAnErrorHasItsMessageAndExitCode) {
  const auto expect_failed = [](const RunResult& result, int exit_code) {
    EXPECT_EQ(result.exit_code, exit_code);
    const Json json = parsed(result);
    ASSERT_EQ(json.value("result", ""), "failed") << result.out;
    EXPECT_EQ(json["exit_code"], exit_code);
    EXPECT_THAT(result.err, HasSubstr(json["message"].get<std::string>()));
    EXPECT_NE(json["message"], "");
  };
  expect_failed(build({"--json", "--crashkernel", "40M", "--strict"}), 4);
  expect_failed(build({"--json", "--why", "nothing-like-it"}), 1);
  expect_failed(build({"--json", "-c", "brotli"}), 2);
  expect_failed(build({"--json", "--boot-test", "--crashkernel", "0"}), 2);
  expect_failed(build({"--json", "--boot-test", "--list"}), 2);
  expect_failed(run({KD_MKINITRD, "--no-such-option", "--json"}), 2);
  MachineFacts machine = virtio_machine();
  machine.dump_mount.fs_type = "zfs";
  use_machine(machine);
  expect_failed(build({"--json"}), 3);
  kernel_.version += "x";
  expect_failed(build({"--json"}), 5);
}

// Of another kernel of the same release, or another command line, it is not.
TEST_F(BuildTest, JsonOfTheFitGoesByACalibrationOfThisVeryKernel) {
  const auto source = [this] {
    const Json json = parsed(build({"--dry-run", "--json"}));
    EXPECT_TRUE(json["fit"]["peaks"][1]["terms"][0]["source"].is_string());
    return json["fit"]["peaks"][1]["terms"][0]["source"].get<std::string>();
  };
  const Json before = parsed(build({"--dry-run", "--json"}));
  const std::string vmlinuz = read_file(kernel_.root + "/boot/vmlinuz-" + kernel_.version);
  ASSERT_FALSE(vmlinuz.empty());
  Calibration calibration{
      .kernel = {.release = kernel_.version,
                 .profile = "tuned",
                 .kernel_digest = digest(vmlinuz),
                 .command_line_digest = digest(before["command_line"].get<std::string>())},
      .date = "2026-11-28",
      .accelerator = "tcg",
      .unpacking = std::uint64_t{40} << 20,
      .starting = std::uint64_t{40} << 20,
      .capturing = std::uint64_t{39} << 20,
      .margin = kCalibrationMargin};
  const std::string kept = calibration_path(image(), kernel_.version);
  write_text(kept, calibration_to_json(calibration));
  EXPECT_EQ(source(), "calibrated in QEMU on 2026-11-28");
  EXPECT_LT(parsed(build({"--dry-run", "--json"}))["fit"]["needed_bytes"],
            before["fit"]["needed_bytes"]);
  calibration.kernel.kernel_digest = digest(vmlinuz + "x");
  write_text(kept, calibration_to_json(calibration));
  EXPECT_THAT(source(), Not(HasSubstr("calibrated")));
}

// By hand from the parts the report itself is made of: what is in a peak, and which one decides.
TEST_F(BuildTest, JsonOfTheFitHasEveryTermOfThePeaks) {
  const Json json = parsed(build({"--dry-run", "--json", "--crashkernel", "40M"}));
  const Json& fit = json["fit"];
  EXPECT_EQ(fit["reservation_bytes"], 40U << 20);
  EXPECT_EQ(fit["fits"], false);
  std::vector<std::string> names;
  std::map<std::string, Json> terms;
  std::uint64_t largest = 0;
  std::string decides;
  for (const Json& peak : fit["peaks"]) {
    names.push_back(peak["name"]);
    std::uint64_t sum = 0;
    for (const Json& term : peak["terms"]) {
      sum += term["bytes"].get<std::uint64_t>();
      terms[peak["name"].get<std::string>() + "/" + term["name"].get<std::string>()] = term;
    }
    EXPECT_EQ(peak["bytes"], sum) << names.back();
    if (sum > largest) decides = names.back();
    largest = std::max(largest, sum);
  }
  EXPECT_EQ(fit["decides"], decides);
  EXPECT_THAT(names, ElementsAre("placing", "unpacking", "loading modules", "capturing"));
  EXPECT_EQ(fit["needed_bytes"], (largest + (1U << 20) - 1) >> 20 << 20);
  // Modules count as half of their pages (README of builder/fit), which the entries tell.
  std::uint64_t modules = 0, module = 0;
  for (const Json& entry : json["entries"]) {
    if (!entry["path"].get<std::string>().starts_with("lib/modules/")) continue;
    const std::uint64_t pages = (entry["bytes"].get<std::uint64_t>() + 4095) / 4096 * 4096;
    modules += pages;
    module = std::max(module, pages);
  }
  EXPECT_EQ(terms["loading modules/modules"]["bytes"], modules / 2);
  EXPECT_EQ(terms["capturing/modules"]["bytes"], modules / 2);
  EXPECT_EQ(terms["loading modules/largest module"]["bytes"], 2 * module) << "packed";
}

}  // namespace
}  // namespace kd
