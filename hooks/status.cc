// SPDX-License-Identifier: GPL-2.0-or-later
#include "hooks/status.h"

#include <filesystem>
#include <nlohmann/json.hpp>

#include "hooks/candidates.h"
#include "hooks/estimate.h"
#include "hooks/learn.h"
#include "hooks/reservation.h"

namespace kd {
namespace {

namespace fs = std::filesystem;

std::string mib(std::uint64_t bytes) {
  return fmt::format("{:.1f} MiB", static_cast<double>(bytes) / (1024.0 * 1024.0));
}

bool newer(const RootedReader& reader, std::string_view path, std::string_view than) {
  const Result<std::string> a = reader.host_path(path), b = reader.host_path(than);
  if (!a || !b) return false;
  std::error_code error_a, error_b;
  const fs::file_time_type time_a = fs::last_write_time(*a, error_a);
  return time_a > fs::last_write_time(*b, error_b) && !error_a && !error_b;
}

std::string invalid_link(const CheckedLink& checked) {
  return fmt::format("Invalid symlink : {} {}", checked.path,
                     explain_link(checked.state, checked.link, checked.wanted));
}

// As file(1) says it, which is where kdump-tools has the line from.
std::string describe_file(const std::string& path, const std::string& file) {
  if (path.empty()) return "none";
  return path == file ? path : fmt::format("{}: symbolic link to {}", path, file);
}

bool fits(const StatusFacts& facts) {
  return facts.state.reservation == 0 || facts.needed <= facts.state.reservation;
}

// For crashkernel=, always a multiple of 1 MiB.
std::string megabytes(std::uint64_t bytes) { return fmt::format("{}M", bytes >> 20); }

std::string describe_fit(const StatusFacts& facts) {
  if (facts.needed == 0) return "needed memory unknown";
  if (facts.plan->direct) return fmt::format("needs crashkernel={}", megabytes(facts.needed));
  return fmt::format("needs crashkernel={}, better {}", megabytes(facts.needed),
                     megabytes(recommended_reservation({facts.needed, true})));
}

std::string too_small(const StatusFacts& facts) {
  const std::string wanted = facts.wanted.empty() ? std::string("512M-:192M") : facts.wanted;
  const bool grub_knows = reserved_by(wanted, facts.state.ram).value_or(0) >= facts.needed;
  return fmt::format(
      "the image does not fit: it needs crashkernel={}, the reservation is {}; {}run update-grub "
      "and "
      "reboot, which sets crashkernel={} unless /etc/default/grub has one of its own: raise that",
      megabytes(facts.needed), megabytes(facts.state.reservation),
      grub_knows ? "" : "run kdump-config estimate --write, then ",
      grub_knows ? wanted
                 : megabytes(recommended_reservation({facts.needed, !facts.plan->direct})));
}

// The image of mkinitramfs that load would have made.
bool would_need_more(const StatusFacts& facts) {
  return facts.build && !*facts.build && facts.needed == 0 && facts.state.reservation > 0 &&
         facts.state.reservation < recommended_reservation({0, true});
}

// An image nobody looked at is unknown without a reason.
bool could_not_be_checked(const Freshness& image) {
  return image.state == Freshness::State::kUnknown && !image.reasons.empty();
}

std::string_view freshness_name(Freshness::State state) {
  switch (state) {
    case Freshness::State::kFresh:
      return "fresh";
    case Freshness::State::kStale:
      return "stale";
    case Freshness::State::kUnknown:
      break;
  }
  return "unknown";
}

std::string state_name(const StatusFacts& facts) {
  return facts.state.loaded ? "ready to kdump" : "Not ready to kdump";
}

void put_network(const KdumpConfig& config, std::string& out) {
  const auto put = [&out](std::string_view label, std::string_view value) {
    out += fmt::format("{:<18}{}\n", label, value);
  };
  if (!config.ssh.empty()) {
    put("SSH:", config.ssh);
    put("SSH_KEY:", config.ssh_key);
  }
  if (!config.nfs.empty()) {
    put("NFS:", config.nfs);
    put("NFS_TIMEO:", std::to_string(config.nfs_timeo));
    put("NFS_RETRANS:", std::to_string(config.nfs_retrans));
  }
  if (!config.ftp.empty()) {
    put("FTP:", config.ftp);
    if (!config.ftp_user.empty()) put("FTP_USER:", config.ftp_user);
    if (!config.ftp_password.empty()) put("FTP_PASSWORD:", "is set");
    put("FTP_PORT:", std::to_string(config.ftp_port));
  }
  if (!config.ssh.empty() || !config.nfs.empty() || !config.ftp.empty()) {
    put("HOSTTAG:", config.hosttag);
  }
}

std::string passphrase_problem(std::string_view device) {
  return fmt::format(
      "the image boots the real root, which waits for the passphrase of the encrypted {} unless "
      "something else opens it; set KDUMP_COREDIR to a directory on a disk that is not encrypted",
      device);
}

// Than the one that was chosen.
std::string another_kernel(const StatusFacts& facts) {
  const std::string& chosen = facts.choice.version;
  if (chosen == facts.state.running) {
    return fmt::format(
        "the capture kernel is {}: the running kernel {} has no image, kdump-mkinitrd {} builds it",
        facts.plan->version, chosen, chosen);
  }
  return fmt::format(
      "the capture kernel is {}: {} has no image, kdump-config reload builds it ({})",
      facts.plan->version, chosen, facts.choice.reason);
}

// The last dump may be damaged while everything is ready for the next one.
std::string last_dump_text(const StatusFacts& facts) {
  if (!facts.last_dump) return {};
  return fmt::format("last dump       : {}\n  {}\n", facts.last_dump->path,
                     describe_result(*facts.last_dump));
}

std::string rehearsal_text(const StatusFacts& facts) {
  if (!facts.rehearsal) return {};
  return fmt::format("rehearsal       : {}\n", facts.rehearsal->text);
}

void put_rows(std::string_view title, const std::vector<CommandLineRow>& rows, std::string& out) {
  if (rows.empty()) return;
  out += fmt::format("{}\n", title);
  for (const CommandLineRow& row : rows) {
    out += fmt::format("  {:<39} {}\n", row.parameter, row.reason);
  }
}

// An image that kdump-mkinitrd has not made.
void weigh(const Context& context, const std::string& image, std::string_view version,
           StatusFacts& facts) {
  const Result<Need> need = need_of_file(context, image, version);
  if (need) facts.needed = need->bytes;
  if (!need) facts.cannot_weigh = need.error().message;
}

}  // namespace

Result<StatusFacts> gather_status(const Context& context, PlanFor purpose) {
  StatusFacts facts;
  KD_TRY(facts.state, read_state(context.reader, context.config_path));
  const KdumpConfig& config = facts.state.config;
  facts.refused = refusals(facts.state);
  facts.choice = choose_capture_kernel(context, choice_inputs(facts.state));
  facts.plan = plan_load(context, facts.state, facts.choice, purpose);
  facts.last_command = context.reader.read(config.core_dir + "/kexec_cmd").value_or("");
  if (std::vector<Dump> dumps = list_dumps(context.reader, config); !dumps.empty()) {
    facts.last_dump = std::move(dumps.front());
  }
  const std::string version = facts.plan ? facts.plan->version : facts.state.running;
  facts.links = check_links(context.reader, config, version);
  facts.dump = check_dump(context, config, facts.state.running,
                          facts.plan ? facts.plan->version : "", facts.plan && facts.plan->direct);
  facts.rehearsal = rehearsal_status(context, facts.state, facts.plan);
  if (!facts.plan || facts.plan->initrd_file.empty()) return facts;
  const std::string& image = facts.plan->initrd_file;
  if (const Result<FileStatus> status = context.reader.status(image)) {
    facts.image_size = status->size;
  }
  facts.memory_source = memory_source(context.reader, config, version, facts.plan->kernel_file,
                                      facts.plan->command_line.text);
  facts.image_newer_than_load = facts.state.loaded && newer(context.reader, image, kLoadedMark);
  const std::string usual = image_path(version);
  facts.wanted = wanted_reservation(context.reader);
  // With KDUMP_INITRD set nobody but the administrator knows what it is made of.
  if (image != usual && image != context.reader.resolve(usual).value_or("")) {
    weigh(context, image, version, facts);
    return facts;
  }
  if (has_image(context.reader, version)) {
    const Result<Need> need = need_of_image(context, config, version);
    if (need) facts.needed = need->bytes;
    if (!need && !context.reader.exists(manifest_path(version))) {
      facts.cannot_weigh = need.error().message;
    }
  }
  const std::string crashed = crashed_kernel(config, facts.state.running, version);
  facts.image = check_image(context, version, crashed);
  if (purpose == PlanFor::kTest && facts.image.state != Freshness::State::kFresh) {
    facts.build = try_build(context, version, crashed);
  }
  return facts;
}

Assessment assess(const StatusFacts& facts) {
  Assessment result;
  for (const Error& error : facts.refused) result.reasons.push_back(error.message);
  if (!facts.state.loaded && facts.refused.empty()) {
    result.reasons.emplace_back("no kdump kernel is loaded; kdump-config load loads it");
  }
  for (const CheckedLink& link : facts.links) {
    if (link.state != LinkState::kRight) result.reasons.push_back(invalid_link(link));
  }
  if (!facts.plan) {
    result.reasons.push_back(facts.plan.error().message);
  } else if (!facts.plan->version.empty() && facts.plan->version != facts.choice.version) {
    result.reasons.push_back(another_kernel(facts));
  }
  if (!facts.choice.followed) result.reasons.push_back(facts.choice.reason);
  if (facts.image.state == Freshness::State::kStale) {
    result.reasons.push_back(fmt::format("the image is stale, kdump-config reload renews it: {}",
                                         fmt::join(facts.image.reasons, "; ")));
  }
  if (could_not_be_checked(facts.image)) {
    result.reasons.push_back(fmt::format("cannot tell whether the image is fresh: {}",
                                         fmt::join(facts.image.reasons, "; ")));
  }
  if (facts.image_newer_than_load) {
    result.reasons.emplace_back(
        "the image on disk is newer than the loaded one; kdump-config reload loads it");
  }
  if (!fits(facts)) result.reasons.push_back(too_small(facts));
  if (!facts.cannot_weigh.empty()) {
    result.reasons.push_back("cannot tell whether the image fits: " + facts.cannot_weigh);
  }
  if (facts.plan && !facts.plan->locked.empty()) {
    result.reasons.push_back(passphrase_problem(facts.plan->locked));
  }
  for (std::string& problem : dump_problems(facts.dump)) {
    result.reasons.push_back(std::move(problem));
  }
  result.code = !facts.state.loaded ? kNotReady : result.reasons.empty() ? kReady : kReadyButStale;
  return result;
}

// Notes are no reasons: with them alone the machine is ready.
void put_reasons(const StatusFacts& facts, std::string& out) {
  for (const std::string& reason : assess(facts).reasons) out += fmt::format("  {}\n", reason);
  for (const std::string& note : dump_notes(facts.dump)) out += fmt::format("  note: {}\n", note);
}

std::string status_text(const StatusFacts& facts) {
  std::string out = fmt::format("current state   : {}\n", state_name(facts));
  put_reasons(facts, out);
  return out + last_dump_text(facts) + rehearsal_text(facts);
}

std::string status_json(const StatusFacts& facts) {
  const Assessment assessment = assess(facts);
  nlohmann::ordered_json links = nlohmann::ordered_json::array();
  for (const CheckedLink& link : facts.links) {
    links.push_back({{"path", link.path},
                     {"target", link.link.target},
                     {"wanted", link.wanted},
                     {"right", link.state == LinkState::kRight}});
  }
  nlohmann::ordered_json json = {
      {"schema", 1},
      {"state", assessment.code == kReady                                          ? "ready"
                : assessment.code == kNotReady                                     ? "not ready"
                : !fits(facts)                                                     ? "does not fit"
                : !dump_problems(facts.dump).empty()                               ? "dump at risk"
                : could_not_be_checked(facts.image) || !facts.cannot_weigh.empty() ? "unknown"
                                                                                   : "stale"},
      {"reasons", assessment.reasons},
      {"notes", dump_notes(facts.dump)},
      {"enabled", facts.state.config.use_kdump},
      {"loaded", facts.state.loaded},
      {"running_kernel", facts.state.running},
      {"reservation", facts.state.reservation},
      {"core_directory", facts.state.config.core_dir},
      {"file_load_only", facts.state.file_load_only},
      {"links", links},
      {"image", {{"state", freshness_name(facts.image.state)}, {"reasons", facts.image.reasons}}}};
  if (facts.plan) {
    json["image"]["path"] = facts.plan->initrd_file;
    json["image"]["size"] = facts.image_size;
    json["image"]["needed"] = facts.needed;
    json["image"]["memory_source"] = facts.memory_source;
    json["image"]["capture"] = facts.plan->direct ? "direct" : "rootfs";
    json["capture_kernel"] = facts.plan->version;
    json["capture_kernel_reason"] = facts.choice.reason;
    json["kernel"] = facts.plan->kernel_file;
    json["command_line"] = facts.plan->command_line.text;
  }
  if (facts.last_dump) {
    json["last_dump"] = {
        {"path", facts.last_dump->path},
        {"result", facts.last_dump->result.empty() ? "not verified" : facts.last_dump->result},
        {"reason", facts.last_dump->reason}};
  }
  if (facts.rehearsal) {
    json["rehearsal"] = {{"state", name_of(facts.rehearsal->record.state)},
                         {"counts", facts.rehearsal->counts},
                         {"text", facts.rehearsal->text}};
  }
  // The command line may hold any byte.
  return json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

std::string show_text(const StatusFacts& facts) {
  const KdumpConfig& config = facts.state.config;
  std::string out = fmt::format("DUMP_MODE:\t\t{}\nUSE_KDUMP:\t\t{}\nKDUMP_COREDIR:\t\t{}\n",
                                facts.state.firmware_dump ? "fadump" : "kdump",
                                config.use_kdump ? 1 : 0, config.core_dir);
  out += fmt::format("crashkernel addr: {}\n", facts.state.crash_address);
  out += fmt::format("crashkernel size: {}\n", mib(facts.state.reservation));
  if (facts.plan) {
    out += fmt::format("   {}\nkdump initrd: \n   {}\n",
                       describe_file(facts.plan->kernel, facts.plan->kernel_file),
                       describe_file(facts.plan->initrd, facts.plan->initrd_file));
    out += fmt::format(
        "   {}, {}, {}, {}\n", mib(facts.image_size), freshness_name(facts.image.state),
        describe_fit(facts),
        facts.plan->direct ? "saves the dump itself" : "boots the real root, which saves the dump");
    if (!facts.choice.reason.empty()) out += fmt::format("   {}\n", facts.choice.reason);
    if (!facts.memory_source.empty()) {
      out += fmt::format("   memory of the kernel: {}\n", facts.memory_source);
    }
  }
  out += fmt::format("   {}\n", describe_dump(facts.dump));
  put_network(config, out);
  out += fmt::format("current state:    {}\n", state_name(facts));
  put_reasons(facts, out);
  out += last_dump_text(facts) + rehearsal_text(facts);
  if (facts.rehearsal) out += step_lines(facts.rehearsal->record.figures);
  if (facts.plan) {
    const CaptureCommandLine& line = facts.plan->command_line;
    out += fmt::format("\ncapture command line:\n  {}\n", line.text);
    put_rows(
        config.cmdline_append.empty()
            ? fmt::format("added by profile {} (KDUMP_CMDLINE_PROFILE):",
                          facts.plan->direct || config.capture == "rootfs" ? config.cmdline_profile
                                                                           : "stock")
            : "added:",
        line.added, out);
    put_rows("left out of /proc/cmdline:", line.removed, out);
  }
  out +=
      fmt::format("\nkexec command:\n  {}",
                  facts.last_command.empty() ? "no kexec command recorded\n" : facts.last_command);
  return out;
}

// An image that cannot be built is no obstacle where an older one is.
bool would_load(const StatusFacts& facts) {
  return facts.refused.empty() && facts.plan && (facts.build || facts.image_size > 0);
}

std::string test_text(const StatusFacts& facts) {
  const KdumpConfig& config = facts.state.config;
  std::string out;
  for (const Error& error : facts.refused) out += error.message + "\n";
  for (const CheckedLink& link : facts.links) {
    if (link.state != LinkState::kRight) out += invalid_link(link) + ", load corrects it\n";
  }
  if (facts.image.state != Freshness::State::kFresh) {
    for (const std::string& reason : facts.image.reasons) {
      out += fmt::format("image {}: {}\n", freshness_name(facts.image.state), reason);
    }
  }
  if (!facts.build) out += facts.build.error().message + "\n";
  if (facts.plan && !fits(facts)) out += too_small(facts) + "\n";
  if (would_need_more(facts)) {
    out += fmt::format(
        "the image will boot the real root, which takes crashkernel={} on a small system; reserved "
        "are {}: run kdump-config estimate --write and update-grub, and reboot\n",
        megabytes(recommended_reservation({0, true})), megabytes(facts.state.reservation));
  }
  for (const std::string& problem : dump_problems(facts.dump)) out += problem + "\n";
  for (const std::string& note : dump_notes(facts.dump)) out += note + "\n";
  out += fmt::format("USE_KDUMP:\t\t{}\nKDUMP_COREDIR:\t\t{}\ncrashkernel addr\t\t{}\n",
                     config.use_kdump ? 1 : 0, config.core_dir, facts.state.crash_address);
  if (!facts.choice.reason.empty()) out += facts.choice.reason + "\n";
  if (!facts.plan) return out + facts.plan.error().message + "\n";
  out +=
      fmt::format("kdump kernel addr\t\trelocatable\nkdump kernel:\n   {}\nkdump initrd: \n   {}\n",
                  describe_file(facts.plan->kernel, facts.plan->kernel_file),
                  describe_file(facts.plan->initrd, facts.plan->initrd_file));
  if (!facts.state.file_load_only.empty()) {
    out += fmt::format("{} is on: kexec_file_load only\n", facts.state.file_load_only);
  }
  out += fmt::format("kexec command to be used:\n  {}\n",
                     describe_command(facts.plan->commands.front()));
  if (facts.plan->commands.size() > 1) out += "and if it fails, the same with -c for -s\n";
  return out;
}

}  // namespace kd
