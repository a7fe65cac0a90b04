// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/facts/machine_json.h"

#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

namespace kd {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::StartsWith;

constexpr const char* kMachines = KD_SOURCE_DIR "/tests/machines";

std::string text_of(const std::filesystem::path& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

// LVM on a partition for the dump, with / on another volume of it.
std::string record_text() { return text_of(std::string(kMachines) + "/qemu-lvm-ext4.json"); }

TEST(MachineJson, RoundTripKeepsEveryByteOfEveryRecord) {
  int records = 0;
  for (const auto& entry : std::filesystem::directory_iterator(kMachines)) {
    if (entry.path().extension() != ".json") continue;
    const std::string text = text_of(entry.path());
    const auto machine = machine_from_json(text);
    ASSERT_TRUE(machine.has_value()) << entry.path() << ": " << machine.error().message;
    EXPECT_EQ(machine_to_json(*machine), text) << entry.path();
    ++records;
  }
  EXPECT_GE(records, 10);
}

TEST(MachineJson, RoundTripKeepsEmptyFacts) {
  MachineFacts machine;
  machine.architecture = "x86_64";
  machine.dump_directory = "/";
  machine.dump_mount.mount_point = machine.dump_mount.root = "/";
  machine.dump_mount.fs_type = "tmpfs";
  const auto again = machine_from_json(machine_to_json(machine));
  ASSERT_TRUE(again.has_value()) << again.error().message;
  EXPECT_EQ(*again, machine);
}

TEST(MachineJson, KeepsTheIdsOfAVolumeAndRefusesOthers) {
  MachineFacts machine = *machine_from_json(record_text());
  const std::string id = "AbCdEf-0000-1111-2222-3333-4444-GhIjKl";
  machine.devices[0].volume = LogicalVolume{id, id, "linear, striped", ""};
  const std::string text = machine_to_json(machine);
  ASSERT_TRUE(machine_from_json(text).has_value());
  EXPECT_EQ(*machine_from_json(text), machine);
  for (const char* wrong : {"", "AbCdEf-0000-1111-2222-3333-4444-GhIj/l", "AbCdEf"}) {
    json record = json::parse(text);
    record["devices"][0]["volume"]["id"] = wrong;
    const auto read = machine_from_json(record.dump());
    ASSERT_FALSE(read.has_value()) << wrong;
    EXPECT_THAT(read.error().message, HasSubstr("/devices/0/volume/id: is no id of lvm"));
  }
}

TEST(MachineJson, KeepsTheMembersOfAnArray) {
  MachineFacts machine = *machine_from_json(record_text());
  machine.devices[0].array = Array{.metadata = "1.2",
                                   .uuid = "6b64756d:70004000:80000000:00000082",
                                   .disks = 2,
                                   .members = {{.device = "sda1", .id = "0123abcd"}},
                                   .problem = "it is being reshaped"};
  const std::string text = machine_to_json(machine);
  ASSERT_TRUE(machine_from_json(text).has_value());
  EXPECT_EQ(*machine_from_json(text), machine);
}

TEST(MachineJson, WatchdogsAreAMemberThatOlderRecordsHaveNot) {
  MachineFacts machine = *machine_from_json(record_text());
  EXPECT_TRUE(machine.watchdogs.empty());
  machine.watchdogs = {{.name = "watchdog0",
                        .chain = {{.path = "devices/pci0000:00/0000:00:05.0",
                                   .subsystem = "pci",
                                   .modalias = "",
                                   .driver = "i6300esb",
                                   .module = "i6300esb"}}}};
  const auto again = machine_from_json(machine_to_json(machine));
  ASSERT_TRUE(again.has_value()) << again.error().message;
  EXPECT_EQ(*again, machine);
}

TEST(MachineJson, WritesSchemaFirstAndEndsWithANewline) {
  const std::string text = record_text();
  EXPECT_THAT(text, StartsWith("{\n  \"schema\": 2,\n  \"architecture\": "));
  EXPECT_TRUE(text.ends_with("}\n"));
}

TEST(CheckMachine, RefusesTextThatIsNoUtf8) {
  const auto machine = *machine_from_json(record_text());
  EXPECT_TRUE(check_machine(machine).has_value());
  for (const char* text : {"/caf\xe9", "/\xc3", "/\xc0\xaf", "/\xed\xa0\x80", "/\xf4\x90\x80\x80",
                           "/\xe0\x80\xaf", "/\xf0\x80\x80\xaf", "/\xff", "/\x80"}) {
    MachineFacts damaged = machine;
    damaged.dump_directory = text;
    const auto checked = check_machine(damaged);
    ASSERT_FALSE(checked.has_value()) << text;
    EXPECT_THAT(checked.error().message, StartsWith("/dump_directory: is not UTF-8"));
  }
  MachineFacts fine = machine;
  fine.dump_directory = "/caf\u00e9/\u20ac/\U0001f4be";
  EXPECT_TRUE(check_machine(fine).has_value());
  EXPECT_EQ(machine_from_json(machine_to_json(fine))->dump_directory, fine.dump_directory);
}

TEST(CheckMachine, NamesWhatIsNotWellFormed) {
  MachineFacts machine = *machine_from_json(record_text());
  machine.devices.at(2).chain.at(0).driver = "a/b";
  const auto checked = check_machine(machine);
  ASSERT_FALSE(checked.has_value());
  EXPECT_THAT(checked.error().message, StartsWith("/devices/2/chain/0/driver: is no name"));
}

struct Damage {
  const char* path;     // what is replaced (or added) in the record
  const char* value;    // its new value as JSON
  const char* message;  // how the message starts
  friend void PrintTo(const Damage& test, std::ostream* out) {
    *out << test.path << " = " << test.value;
  }
};

class DamagedRecord : public testing::TestWithParam<Damage> {};

TEST_P(DamagedRecord, IsRefusedWithItsPath) {
  json record = json::parse(record_text());
  record[json::json_pointer(GetParam().path)] = json::parse(GetParam().value);
  const auto machine = machine_from_json(record.dump());
  ASSERT_FALSE(machine.has_value());
  EXPECT_EQ(machine.error().kind, ErrorKind::kFailed);
  EXPECT_THAT(machine.error().message, StartsWith(GetParam().message));
}

constexpr Damage kDamages[] = {
    {"/schema", "1", "/schema: is 1, this program reads version 2"},
    {"/schema", "\"1\"", "/schema: is \"1\""},
    {"/schema", "null", "/schema: is null"},
    {"/extra", "1", "/extra: is not a member of the schema"},
    {"/a~1b", "1", "/a~1b: is not a member of the schema"},
    {"/devices/2/serial", "\"x\"", "/devices/2/serial: is not a member"},
    {"/devices/2/chain/0/x", "1", "/devices/2/chain/0/x: is not a member"},
    {"/architecture", "1", "/architecture: is no string"},
    {"/architecture", "\"\"", "/architecture: is no name"},
    {"/architecture", "\"../x\"", "/architecture: is no name"},
    {"/dump_directory", "\"var\"", "/dump_directory: is no absolute path"},
    {"/dump_directory", "\"/var/../x\"", "/dump_directory: is no absolute path"},
    {"/dump_directory", "\"/var/..\"", "/dump_directory: is no absolute path"},
    {"/dump_directory", "\"/a\\u0000b\"", "/dump_directory: has a control character"},
    {"/dump_mount", "null", "/dump_mount: is no object"},
    {"/dump_mount", "[]", "/dump_mount: is no object"},
    {"/dump_mount/mount_point", "\"\"", "/dump_mount/mount_point: is no absolute path"},
    {"/dump_mount/root", "\"@\"", "/dump_mount/root: is no absolute path"},
    {"/dump_mount/fs_type", "\"a/b\"", "/dump_mount/fs_type: is no name"},
    {"/dump_mount/fs_type", "\"\"", "/dump_mount/fs_type: is no name"},
    {"/dump_mount/source", "\"a\\nb\"", "/dump_mount/source: has a control character"},
    {"/dump_mount/uuid", "\"a b\"", "/dump_mount/uuid: is no UUID"},
    {"/dump_mount/device", "\"sdz\"", "/dump_mount/device: there is no device 'sdz'"},
    {"/dump_mount/device", "\"a/b\"", "/dump_mount/device: is no name"},
    {"/dump_mount/members", "[\"vda\", \"sdz\"]", "/dump_mount/members/1: there is no device"},
    {"/dump_mount/members", "[\"\"]", "/dump_mount/members/0: is no name"},
    {"/root_mount/device", "\"sdz\"", "/root_mount/device: there is no device"},
    {"/root_mount", "1", "/root_mount: is no object"},
    {"/fstab", "{}", "/fstab: is not a member of the schema"},
    {"/usr_source", "null", "/usr_source: is no string"},
    {"/dump_mount/journal", "\"a b\"", "/dump_mount/journal: is no UUID"},
    {"/devices", "{}", "/devices: is no array"},
    {"/devices/1", "null", "/devices/1: is no object"},
    {"/devices/0/name", "\"a/b\"", "/devices/0/name: is no name"},
    {"/devices/0/name", "\"..\"", "/devices/0/name: is no name"},
    {"/devices/0/name", "\".\"", "/devices/0/name: is no name"},
    {"/devices/0/name", "\"a\\u007f\"", "/devices/0/name: has a control character"},
    {"/devices/1/name", "\"dm-0\"", "/devices/1/name: 'dm-0' is there twice"},
    {"/devices/2/kind", "\"tape\"", "/devices/2/kind: is none of disk, partition"},
    {"/devices/2/kind", "0", "/devices/2/kind: is none of disk, partition"},
    {"/ram", "-1", "/ram: is no whole number"},
    {"/ram", "1.5", "/ram: is no whole number"},
    {"/ram", "\"1\"", "/ram: is no whole number"},
    {"/ram", "18446744073709551616", "/ram: is no whole number"},
    {"/devices/0/below/0", "\"sdz\"", "/devices/0/below/0: there is no device 'sdz'"},
    {"/devices/0/below/0", "1", "/devices/0/below/0: is no string"},
    {"/devices/2/below", "[\"dm-0\"]", "/devices: a device is below itself"},
    {"/devices/2/chain/0/path", "\"/etc\"", "/devices/2/chain/0/path: is no path in devices/"},
    {"/devices/2/chain/0/path", "\"devices/../x\"", "/devices/2/chain/0/path: is no path"},
    {"/devices/2/chain/0/driver", "\"a/b\"", "/devices/2/chain/0/driver: is no name"},
    {"/devices/2/chain/0/module", "\"..\"", "/devices/2/chain/0/module: is no name"},
    {"/loaded_modules/0", "\"a/b\"", "/loaded_modules/0: is no name"},
    {"/ram", "null", "/ram: is no whole number"},
    {"/time_zone", "\"UTC\\n\"", "/time_zone: has a control character"},
};
INSTANTIATE_TEST_SUITE_P(MachineJson, DamagedRecord, testing::ValuesIn(kDamages));

// Takes away one member after the other, at every depth.
void expect_each_member_needed(const json& record, const json::json_pointer& path) {
  const json& here = record[path];
  if (here.is_array() && !here.empty()) return expect_each_member_needed(record, path / 0);
  if (!here.is_object()) return;
  for (const auto& [name, value] : here.items()) {
    expect_each_member_needed(record, path / name);
    if (name == "volume") continue;  // only LVM has it
    json damaged = record;
    damaged[path].erase(name);
    const auto machine = machine_from_json(damaged.dump());
    ASSERT_FALSE(machine.has_value()) << (path / name).to_string();
    EXPECT_EQ(machine.error().message, (path / name).to_string() + ": is missing");
  }
}

TEST(MachineJson, NeedsEveryMember) {
  json record = json::parse(record_text());
  // One level of nesting must not hide the next: the first device has to have a chain.
  std::swap(record["devices"][0]["chain"], record["devices"][2]["chain"]);
  expect_each_member_needed(record, json::json_pointer());
}

void expect_refused(std::string_view text, const char* message) {
  const auto machine = machine_from_json(text);
  ASSERT_FALSE(machine.has_value());
  EXPECT_THAT(machine.error().message, HasSubstr(message));
}

TEST(MachineJson, RefusesWhatIsNoRecord) {
  expect_refused("", "no JSON: parse error at line 1, column 1");
  expect_refused("{\n\"schema\": }", "no JSON: parse error at line 2, column 11");
  expect_refused(record_text() + "x", "no JSON: parse error at line");
  expect_refused("{\"a\": \"\xff\"}", "no JSON");
  expect_refused("[]", "/: is no object");
  expect_refused("null", "/: is no object");
  expect_refused("{}", "/schema: is missing");
}

TEST(MachineJson, RefusesRepeatedMembers) {
  std::string text = record_text();
  text.replace(text.find("\"ram\""), 5, "\"ram\": 1, \"ram\"");
  expect_refused(text, "member 'ram' appears twice");
}

TEST(MachineJson, RefusesHostileSizes) {
  expect_refused(std::string(kMaxMachineJson + 1, ' '), "bytes are too many");
  expect_refused(std::string(1 << 20, '['), "nested too deep");
  json record = json::parse(record_text());
  record["loaded_modules"] = json::array();
  for (int i = 0; i < 9000; ++i) record["loaded_modules"].push_back("m");
  expect_refused(record.dump(), "/loaded_modules: has too many elements");
}

TEST(MachineJson, DoesNotCountBracketsInsideStrings) {
  auto machine = *machine_from_json(record_text());
  machine.command_line = std::string(100, '[') + "\\\"" + std::string(100, '{');
  const auto again = machine_from_json(machine_to_json(machine));
  ASSERT_TRUE(again.has_value()) << again.error().message;
  EXPECT_EQ(*again, machine);
}

}  // namespace
}  // namespace kd
