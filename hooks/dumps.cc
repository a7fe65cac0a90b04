// SPDX-License-Identifier: GPL-2.0-or-later
#include "hooks/dumps.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "builder/base/atomic_file.h"
#include "builder/base/fd.h"
#include "builder/init/dump_directory.h"
#include "hooks/rehearse.h"

namespace kd {
namespace {

constexpr std::size_t kMostDumps = 20;
// A record has 3 KiB; the names in it come out of the dump.
constexpr std::uint64_t kLargestRecord = 1 << 18;
constexpr std::string_view kUnit = "kdump-tools-verify.service";
// Beside us as in a build tree: bin/ or sbin/ and lib/ are neighbours.
constexpr std::string_view kProgram = "../lib/kdump-mkinitrd/kdump-verify";

std::string record_path(const std::string& dump) {
  return fmt::format("{}/{}", dump.substr(0, dump.rfind('/')), kVerifyRecord);
}

// What the record says, unless it is of another file.
void read_record(const FileReader& reader, Dump& dump) {
  const std::string path = record_path(dump.path);
  const Result<FileStatus> record = reader.status(path), file = reader.status(dump.path);
  if (!record || !file || record->size > kLargestRecord) return;
  const nlohmann::json json = nlohmann::json::parse(reader.read(path).value_or(""), nullptr, false);
  if (!json.is_object() || json.value("/bytes"_json_pointer, nlohmann::json()) != file->size)
    return;
  const auto text = [&json](const char* key) {
    const auto found = json.find(key);
    return found != json.end() && found->is_string() ? found->get<std::string>() : std::string();
  };
  dump.result = text("result");
  dump.reason = text("reason");
}

// The best file of a run: dump.STAMP, perhaps packed, else vmcore.STAMP, which is there because
// makedumpfile failed, else dump-incomplete.
std::string dump_among(const std::vector<std::string>& names) {
  for (const std::string_view prefix : {"dump.", "vmcore.", "dump-"}) {
    const auto found = std::ranges::find_if(
        names, [&](const std::string& name) { return name.starts_with(prefix); });
    if (found != names.end()) return *found;
  }
  return {};
}

Result<std::string> find_program(const Context& context) {
  const std::optional<std::string> program = context.runner.find(kProgram);
  if (program) return *program;
  return fail(ErrorKind::kFailed, "kdump-verify is missing; install kdump-mkinitrd again");
}

// A result for a dump that let kdump-verify itself fail, so that it is not tried at every boot.
Result<void> record_failure(const std::string& dump, std::uint64_t bytes,
                            const std::string& reason) {
  const nlohmann::ordered_json json = {
      {"schema", 1}, {"dump", dump}, {"bytes", bytes}, {"result", "failed"}, {"reason", reason}};
  const std::string path = record_path(dump);
  KD_TRY(const FileLock held, FileLock::acquire_beside(path));
  KD_TRY(AtomicFile file, AtomicFile::create(path));
  return write_file(file,
                    json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
}

Result<void> verify_new_dump(const Context& context, const std::string& program, const Dump& dump) {
  KD_TRY(const std::string path, context.reader.host_path(dump.path));
  KD_TRY(const FileStatus status, context.reader.status(dump.path));
  KD_TRY(const ProgramOutcome done,
         context.runner.run({program, "--record", record_path(path), path}));
  Dump found = dump;
  read_record(context.reader, found);
  if (found.result.empty()) {
    KD_CHECK(record_failure(path, status.size,
                            fmt::format("kdump-verify ended with status {}", done.status)));
    return fail(ErrorKind::kFailed, "{}: kdump-verify ended with status {}: {}", dump.path,
                done.status, done.output);
  }
  context.say(fmt::format("{}: {}", dump.path, describe_result(found)));
  return {};
}

}  // namespace

std::vector<std::string> list_runs(const RootedReader& reader, const KdumpConfig& config) {
  const std::string host = reader.host_path(config.core_dir).value_or("");
  const Fd parent(::open(host.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  std::vector<std::string> runs = reader.list(config.core_dir).value_or(std::vector<std::string>{});
  std::erase_if(runs, [&](const std::string& name) {
    return !kdinit::is_run_name(name) || !kdinit::is_own(parent.get(), name.c_str(), S_IFDIR);
  });
  std::ranges::reverse(runs);  // the order of the names is that of the captures
  for (std::string& run : runs) run.insert(0, config.core_dir + "/");
  return runs;
}

std::vector<Dump> list_dumps(const RootedReader& reader, const KdumpConfig& config) {
  std::vector<Dump> dumps;
  for (const std::string& directory : list_runs(reader, config)) {
    if (dumps.size() == kMostDumps) break;
    const std::string name =
        dump_among(reader.list(directory).value_or(std::vector<std::string>{}));
    if (name.empty()) continue;
    dumps.push_back({.path = fmt::format("{}/{}", directory, name)});
    read_record(reader, dumps.back());
  }
  return dumps;
}

std::string describe_result(const Dump& dump) {
  if (dump.result.empty()) return "not verified; kdump-config verify reads it";
  return dump.reason.empty() ? dump.result : fmt::format("{}: {}", dump.result, dump.reason);
}

Result<int> verify_dump(const Context& context, const KdumpConfig& config, std::string path,
                        bool json) {
  KD_TRY(const std::string program, find_program(context));
  std::vector<std::string> command = {program};
  if (json) command.emplace_back("--json");
  if (path.empty()) {
    const std::vector<Dump> dumps = list_dumps(context.reader, config);
    if (dumps.empty())
      return fail(ErrorKind::kFailed, "there is no dump below {}", config.core_dir);
    KD_TRY(path, context.reader.host_path(dumps.front().path));
    command.insert(command.end(), {"--record", record_path(path)});
  }
  command.push_back(path);
  KD_TRY(const ProgramOutcome done, context.runner.run_attached(command));
  if (done.status >= 128) {
    return fail(ErrorKind::kFailed, "{}: kdump-verify ended with status {}", path, done.status);
  }
  return done.status;
}

Result<void> verify_new_dumps(const Context& context, const KdumpConfig& config) {
  KD_TRY(const std::string program, find_program(context));
  Result<void> result;
  for (const Dump& dump : list_dumps(context.reader, config)) {
    if (!dump.result.empty()) continue;
    if (Result<void> done = verify_new_dump(context, program, dump); !done) {
      if (result) result = std::move(done);
    }
  }
  return result;
}

Result<Dump> verify_run(const Context& context, const std::string& directory) {
  KD_TRY(const std::string program, find_program(context));
  KD_TRY(const std::vector<std::string> names, context.reader.list(directory));
  const std::string name = dump_among(names);
  if (name.empty()) return fail(ErrorKind::kFailed, "there is no dump in {}", directory);
  Dump dump{.path = fmt::format("{}/{}", directory, name), .result = {}, .reason = {}};
  KD_CHECK(verify_new_dump(context, program, dump));
  read_record(context.reader, dump);
  return dump;
}

void start_verification(const Context& context, const KdumpConfig& config) {
  const auto is_new = [](const Dump& dump) { return dump.result.empty(); };
  if (std::ranges::none_of(list_dumps(context.reader, config), is_new) &&
      !is_waiting_for_judgement(context.reader)) {
    return;
  }
  const std::optional<std::string> systemctl = context.runner.find("systemctl");
  if (!systemctl || !context.reader.exists("/run/systemd/system")) return;
  const Result<ProgramOutcome> started =
      context.runner.run({*systemctl, "start", "--no-block", std::string(kUnit)});
  if (!started || started->status != 0) {
    context.say(fmt::format("the new dump is not verified: {}",
                            started ? started->output : started.error().message));
  }
}

}  // namespace kd
