// SPDX-License-Identifier: GPL-2.0-or-later
#include "hooks/rehearsal_crash.h"

#include <fcntl.h>
#include <unistd.h>

#include "builder/base/fd.h"
#include "builder/facts/reservation.h"
#include "builder/init/dump_directory.h"

namespace kd {
namespace {

bool write_to(const RootedReader& reader, std::string_view path, std::string_view text,
              int flags = 0) {
  const Fd fd(::open(reader.host_path(path).value_or("").c_str(), O_WRONLY | O_CLOEXEC | flags));
  return fd.valid() &&
         ::write(fd.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
}

// Nobody else takes a message at this time. <2>: "quiet" lets nothing but errors through.
bool log_line(const RootedReader& reader, std::string_view text) {
  return write_to(reader, "/dev/kmsg", fmt::format("<2>{}{}\n", kdinit::kRehearsalMark, text),
                  O_APPEND);
}

}  // namespace

std::string first_line(const FileReader& reader, std::string_view path) {
  const std::string text = reader.read(path).value_or("");
  return text.substr(0, text.find('\n'));
}

ShutdownFacts read_shutdown_facts(const FileReader& reader, std::string_view verb) {
  return {.verb = std::string(verb),
          .begun = first_line(reader, kRehearsalBegun),
          .boot_id = first_line(reader, kBootId),
          .loaded = read_crash_attribute(reader, "loaded").value_or("") == "1"};
}

CrashDecision decide_crash(const ShutdownFacts& facts) {
  if (facts.begun.empty()) return {};
  if (facts.verb != "reboot") return {false, fmt::format("this is no reboot but {}", facts.verb)};
  if (facts.begun != facts.boot_id) return {false, "it was begun in another boot"};
  if (!facts.loaded) return {false, "no kdump kernel is loaded"};
  return {true, {}};
}

int crash_for_rehearsal(const RootedReader& reader, std::string_view verb,
                        unsigned seconds_before) {
  const ShutdownFacts facts = read_shutdown_facts(reader, verb);
  const CrashDecision decision = decide_crash(facts);
  if (!decision.crash) {
    if (decision.why_not.empty()) return 0;
    log_line(reader, "not shown: " + decision.why_not);
    return 1;
  }
  const Result<std::string> begun = reader.host_path(kRehearsalBegun);
  if (!begun || ::unlink(begun->c_str()) != 0) return 1;
  ::sleep(seconds_before);
  // Without this line nobody could tell the dump from that of a real crash, and remove it.
  if (!log_line(reader, facts.boot_id + ": crashing on purpose")) return 1;
  write_to(reader, "/proc/sysrq-trigger", "c");
  log_line(reader, "failed: the kernel did not crash");
  return 1;
}

}  // namespace kd
