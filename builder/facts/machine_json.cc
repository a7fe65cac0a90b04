// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/facts/machine_json.h"

#include <algorithm>
#include <concepts>
#include <type_traits>
#include <utility>

#include "builder/base/json.h"
#include "builder/facts/machine_check.h"

namespace kd {
namespace {

template <typename T, typename Struct>
concept Of = std::same_as<std::remove_const_t<T>, Struct>;

constexpr std::pair<BlockKind, std::string_view> kKinds[] = {
    {BlockKind::kDisk, "disk"},
    {BlockKind::kPartition, "partition"},
    {BlockKind::kDeviceMapper, "device-mapper"},
    {BlockKind::kMd, "md"},
    {BlockKind::kLoop, "loop"},
    {BlockKind::kOther, "other"}};

// The schema: what visit() lists, in this order, is written and is all that is read.
template <typename Visitor>
void visit(Visitor& v, Of<BusNode> auto& node) {
  v("path", node.path, Check::kSysPath);
  v("subsystem", node.subsystem, Check::kNameOrEmpty);
  v("modalias", node.modalias, Check::kText);
  v("driver", node.driver, Check::kNameOrEmpty);
  v("module", node.module, Check::kNameOrEmpty);
}

template <typename Visitor>
void visit(Visitor& v, Of<LogicalVolume> auto& volume) {
  v("group", volume.group, Check::kLvmId);
  v("id", volume.id, Check::kLvmId);
  v("layout", volume.layout, Check::kText);
  v("problem", volume.problem, Check::kText);
}

template <typename Visitor>
void visit(Visitor& v, Of<MultipathDisk> auto& disk) {
  v("digest", disk.digest, Check::kUuid);
  v("partition", disk.partition, Check::kText);
  v("paths", disk.paths, Check::kText);
  v("handler", disk.handler, Check::kNameOrEmpty);
  v("problem", disk.problem, Check::kText);
}

template <typename Visitor>
void visit(Visitor& v, Of<ArrayMember> auto& member) {
  v("device", member.device, Check::kName);
  v("id", member.id, Check::kName);
}

template <typename Visitor>
void visit(Visitor& v, Of<Array> auto& array) {
  v("metadata", array.metadata, Check::kText);
  v("uuid", array.uuid, Check::kUuid);
  v("disks", array.disks, Check::kText);
  v("members", array.members, Check::kText);
  v("problem", array.problem, Check::kText);
}

template <typename Visitor>
void visit(Visitor& v, Of<EncryptedVolume> auto& volume) {
  v("uuid", volume.uuid, Check::kUuid);
  v("name", volume.name, Check::kName);
  v("cipher", volume.cipher, Check::kText);
  v("key_size", volume.key_size, Check::kText);
  v("problem", volume.problem, Check::kText);
}

template <typename Visitor>
void visit(Visitor& v, Of<BlockDevice> auto& device) {
  v("name", device.name, Check::kName);
  v("kind", device.kind, Check::kText);
  v("layer", device.layer, Check::kNameOrEmpty);
  v("below", device.below, Check::kName);
  v("chain", device.chain, Check::kText);
  v.unless_empty("volume", device.volume, Check::kText);
  v.unless_empty("multipath", device.multipath, Check::kText);
  v.unless_empty("array", device.array, Check::kText);
  v.unless_empty("encrypted", device.encrypted, Check::kText);
}

template <typename Visitor>
void visit(Visitor& v, Of<Watchdog> auto& watchdog) {
  v("name", watchdog.name, Check::kName);
  v("chain", watchdog.chain, Check::kText);
}

template <typename Visitor>
void visit(Visitor& v, Of<DumpMount> auto& mount) {
  v("mount_point", mount.mount_point, Check::kPath);
  v("root", mount.root, Check::kPath);
  v("fs_type", mount.fs_type, Check::kName);
  v("source", mount.source, Check::kText);
  v("options", mount.options, Check::kText);
  v("device", mount.device, Check::kNameOrEmpty);
  v("uuid", mount.uuid, Check::kUuid);
  v("journal", mount.journal, Check::kUuid);
  v("members", mount.members, Check::kName);
  v.unless_empty("container", mount.container, Check::kNameOrEmpty);
}

template <typename Visitor>
void visit(Visitor& v, Of<MachineFacts> auto& machine) {
  v("architecture", machine.architecture, Check::kName);
  v("dump_directory", machine.dump_directory, Check::kPath);
  v("dump_mount", machine.dump_mount, Check::kText);
  v("root_mount", machine.root_mount, Check::kText);
  v("usr_source", machine.usr_source, Check::kText);
  v("devices", machine.devices, Check::kText);
  v.unless_empty("watchdogs", machine.watchdogs, Check::kText);
  v("reservation", machine.reservation, Check::kText);
  v("ram", machine.ram, Check::kText);
  v("command_line", machine.command_line, Check::kText);
  v("loaded_modules", machine.loaded_modules, Check::kName);
  v("time_zone", machine.time_zone, Check::kText);
  v.unless_empty("pci_devices", machine.pci_devices, Check::kText);
  v.unless_empty("acpi_devices", machine.acpi_devices, Check::kText);
  v.unless_empty("reservation_end", machine.reservation_end, Check::kText);
  v.unless_empty("reservation_cma", machine.reservation_cma, Check::kText);
  v.unless_empty("dma_limits", machine.dma_limits, Check::kName);
  v.unless_empty("disk_integrity", machine.disk_integrity, Check::kNameOrEmpty);
}

class Writer {
 public:
  template <typename T>
  void operator()(const char* name, const T& value, Check) {
    object[name] = write(value);
  }
  // Not written where it is empty, which most machines have it.
  template <typename T>
  void unless_empty(const char* name, const T& value, Check check) {
    if (value != T{}) (*this)(name, value, check);
  }
  Json object = Json::object();

 private:
  static Json write(const std::string& value) { return value; }
  static Json write(const std::uint64_t& value) { return value; }
  static Json write(const BlockKind& value) {
    return std::find_if(std::begin(kKinds), std::end(kKinds),
                        [&](const auto& kind) { return kind.first == value; })
        ->second;
  }
  template <typename T>
  static Json write(const std::vector<T>& values) {
    Json array = Json::array();
    for (const T& value : values) array.push_back(write(value));
    return array;
  }
  template <typename T>
  static Json write(const std::optional<T>& value) {
    return value ? write(*value) : Json(nullptr);
  }
  template <typename T>
  static Json write(const T& value) {
    Writer writer;
    visit(writer, value);
    return std::move(writer.object);
  }
};

// Looks at every string of a struct. The first complaint stays in `error`.
class Checker {
 public:
  Checker(Json::json_pointer path, std::string& error) : path_(std::move(path)), error_(error) {}

  template <typename T>
  void operator()(const char* name, const T& value, Check check) {
    if (error_.empty()) look_at(path_ / name, value, check);
  }
  template <typename T>
  void unless_empty(const char* name, const T& value, Check check) {
    (*this)(name, value, check);
  }

 private:
  void look_at(const Json::json_pointer& path, const std::string& value, Check check) {
    if (const std::string problem = problem_of(value, check); !problem.empty()) {
      error_ = fmt::format("{}: {}", path.to_string(), problem);
    }
  }
  void look_at(const Json::json_pointer&, const std::uint64_t&, Check) {}
  void look_at(const Json::json_pointer&, const BlockKind&, Check) {}
  template <typename T>
  void look_at(const Json::json_pointer& path, const std::vector<T>& values, Check check) {
    for (std::size_t i = 0; i < values.size() && error_.empty(); ++i) {
      look_at(path / i, values[i], check);
    }
  }
  template <typename T>
  void look_at(const Json::json_pointer& path, const std::optional<T>& value, Check check) {
    if (value) look_at(path, *value, check);
  }
  template <typename T>
  void look_at(const Json::json_pointer& path, const T& value, Check) {
    Checker checker(path, error_);
    visit(checker, value);
  }

  Json::json_pointer path_;
  std::string& error_;
};

// Fills a struct from an object. The first complaint stays in `error` and ends
// all reading.
class Reader {
 public:
  Reader(const Json& json, std::string path, std::string& error)
      : json_(json), object_(json, std::move(path), error) {}

  template <typename T>
  void operator()(const char* name, T& value, Check) {
    if (const Json* member = object_.find(name)) read(*member, object_.path_of(name), value);
  }

  template <typename T>
  void unless_empty(const char* name, T& value, Check check) {
    if (json_.contains(name)) (*this)(name, value, check);
  }

  [[nodiscard]] JsonObject& object() { return object_; }

 private:
  void read(const Json& from, const std::string& path, std::string& value) {
    object_.to(from, path, value);
  }
  void read(const Json& from, const std::string& path, std::uint64_t& value) {
    object_.to(from, path, value);
  }
  void read(const Json& from, const std::string& path, BlockKind& value) {
    for (const auto& [kind, name] : kKinds) {
      if (from.is_string() && from.get_ref<const std::string&>() == name) {
        value = kind;
        return;
      }
    }
    object_.complain(path, "is none of disk, partition, device-mapper, md, loop, other");
  }
  template <typename T>
  void read(const Json& from, const std::string& path, std::vector<T>& values) {
    object_.each(from, path, [&](const Json& element, const std::string& place) {
      read(element, place, values.emplace_back());
    });
  }
  template <typename T>
  void read(const Json& from, const std::string& path, std::optional<T>& value) {
    if (!from.is_null()) read(from, path, value.emplace());
  }
  template <typename T>
  void read(const Json& from, const std::string& path, T& value) {
    Reader reader(from, path, object_.problem());
    visit(reader, value);
    reader.object().refuse_other_members();
  }

  const Json& json_;
  JsonObject object_;
};

}  // namespace

std::string machine_to_json(const MachineFacts& machine) {
  Writer writer;
  writer.object["schema"] = kMachineSchemaVersion;
  visit(writer, machine);
  // Facts that passed check_machine() have nothing to replace.
  return writer.object.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

Result<void> check_machine(const MachineFacts& machine) {
  std::string error;
  Checker checker(Json::json_pointer(), error);
  visit(checker, machine);
  if (error.empty()) error = problem_of_references(machine);
  if (!error.empty()) return fail(ErrorKind::kFailed, "{}", error);
  return {};
}

Result<MachineFacts> machine_from_json(std::string_view text) {
  KD_TRY(const Json parsed, parse_json(text, kMaxMachineJson));
  MachineFacts machine;
  std::string error;
  Reader reader(parsed, "", error);
  if (const Json* schema = reader.object().find("schema");
      schema != nullptr && *schema != kMachineSchemaVersion) {
    return fail(ErrorKind::kFailed, "/schema: is {}, this program reads version {}; record anew",
                schema->dump(-1, ' ', true, Json::error_handler_t::replace).substr(0, 40),
                kMachineSchemaVersion);
  }
  visit(reader, machine);
  reader.object().refuse_other_members();
  if (!error.empty()) return fail(ErrorKind::kFailed, "{}", error);
  KD_CHECK(check_machine(machine));
  return machine;
}

}  // namespace kd
