// SPDX-License-Identifier: GPL-2.0-or-later
//
// kdump-config(8): one row for each verb.
#include <syslog.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <sstream>

#include "hooks/dumps.h"
#include "hooks/estimate.h"
#include "hooks/load.h"
#include "hooks/propagate.h"
#include "hooks/rehearse.h"
#include "hooks/savecore.h"
#include "hooks/status.h"

namespace {

using kd::Context;
using kd::Result;

struct Arguments {
  std::string version;
  std::string dump;
  std::string hotplug;
  std::string facts;
  std::string sysroot;
  std::string config = std::string(kd::kKdumpConfigPath);
  bool json = false;
  bool fallback = false;
  bool finish = false;
  bool if_enabled = false;
  bool only_new = false;
  bool write = false;
  bool cancel = false;
  bool begin = false;
};

// An int is the exit code; an error's kind is one too.
Result<int> done(const Result<void>& result) {
  if (!result) return tl::unexpected(result.error());
  return 0;
}

Result<int> run_status(const Context& context, const Arguments& arguments) {
  const Result<kd::StatusFacts> facts = kd::gather_status(context);
  // Its exit codes 2 and 3 have another meaning than those of errors.
  if (!facts) return kd::fail(kd::ErrorKind::kFailed, "{}", facts.error().message);
  std::fputs((arguments.json ? status_json(*facts) : status_text(*facts)).c_str(), stdout);
  return assess(*facts).code;
}

Result<int> run_show(const Context& context, const Arguments&) {
  KD_TRY(const kd::StatusFacts facts, kd::gather_status(context));
  std::fputs(show_text(facts).c_str(), stdout);
  return 0;
}

Result<int> run_test(const Context& context, const Arguments&) {
  KD_TRY(const kd::StatusFacts facts, kd::gather_status(context, kd::PlanFor::kTest));
  std::fputs(test_text(facts).c_str(), stdout);
  return would_load(facts) ? 0 : 1;
}

Result<int> run_estimate(const Context& context, const Arguments& arguments) {
  KD_TRY(const std::string text, kd::estimate(context, arguments.write));
  std::fputs(text.c_str(), stdout);
  return 0;
}

// Whether --if-enabled lets the verb go on.
Result<bool> is_wanted(const Context& context, const Arguments& arguments) {
  if (!arguments.if_enabled) return true;
  KD_TRY(const kd::KdumpConfig config, kd::read_kdump_config(context.reader, context.config_path));
  return config.use_kdump;
}

Result<int> run_load(const Context& context, const Arguments& arguments) {
  KD_TRY(const bool wanted, is_wanted(context, arguments));
  if (!wanted) return 0;
  const Result<void> loaded = kd::load(context);
  if (const Result<kd::KdumpConfig> config =
          kd::read_kdump_config(context.reader, context.config_path)) {
    kd::start_verification(context, *config);
  }
  return done(loaded);
}

Result<int> run_verify(const Context& context, const Arguments& arguments) {
  KD_TRY(const kd::KdumpConfig config, kd::read_kdump_config(context.reader, context.config_path));
  if (arguments.only_new) {
    const Result<void> verified = kd::verify_new_dumps(context, config);
    KD_CHECK(kd::judge_rehearsal(context));
    return done(verified);
  }
  return kd::verify_dump(context, config, arguments.dump, arguments.json);
}

Result<int> run_rehearse(const Context& context, const Arguments& arguments) {
  if (arguments.begin) return done(kd::begin_rehearsal(context));
  return done(arguments.cancel ? kd::cancel_rehearsal(context) : kd::arm_rehearsal(context));
}

// Of a hook of a kernel package.
Result<int> build_after(const Context& context, const Arguments& arguments,
                        const kd::KernelEvent& event) {
  KD_TRY(const bool wanted, is_wanted(context, arguments));
  if (!wanted) {
    context.say(fmt::format("{}: USE_KDUMP is not 1, no image is built", context.config_path));
    return 0;
  }
  return done(kd::build(context, event));
}

Result<int> run_build(const Context& context, const Arguments& arguments) {
  return build_after(context, arguments,
                     {.installed = arguments.version, .removed = {}, .facts = arguments.facts});
}

Result<int> run_removed(const Context& context, const Arguments& arguments) {
  return build_after(context, arguments,
                     {.installed = {}, .removed = arguments.version, .facts = arguments.facts});
}

Result<int> run_savecore(const Context& context, const Arguments& arguments) {
  Result<kd::KdumpConfig> config = kd::read_kdump_config(context.reader, context.config_path);
  if (!config) {
    // Late for a mistake in the configuration: the defaults save a dump as well.
    context.say(config.error().message + "; using the defaults");
    config = kd::KdumpConfig{};
  }
  kd::SavePlaces places{.restart_when_stuck = arguments.finish};
  places.stall_timeout = kd::stall_timeout_for(*config, places.vmcore);
  const Result<void> saved = kd::savecore(context, *config, places);
  if (!saved) context.say(saved.error().message);
  if (arguments.finish) return finish_capture(context, *config, saved.has_value(), places) ? 0 : 1;
  return saved ? 0 : 1;
}

Result<int> run_propagate(const Context& context, const Arguments&) {
  KD_TRY(const kd::KdumpConfig config, kd::read_kdump_config(context.reader, context.config_path));
  return done(kd::propagate(context, config));
}

Result<int> run_calibrate(const Context& context, const Arguments& arguments) {
  if (!arguments.version.empty()) return kd::calibrate(context, arguments.version);
  KD_TRY(const kd::KdumpState state, kd::read_state(context.reader, context.config_path));
  return kd::calibrate(context, state.running);
}

enum Takes : unsigned {
  kNothing = 0,
  kVersion = 1,
  kFallback = 2,
  kJson = 4,
  kHotplug = 8,
  kFinish = 16,
  kIfEnabled = 32,
  // Does things to the live machine, which a tree of files cannot stand for.
  kLive = 64,
  kHidden = 128,
  kFacts = 256,
  kDump = 512,
  kWrite = 1024,
  kCancel = 2048,
  kMayHaveVersion = 4096,
};

struct Verb {
  const char* name;
  const char* summary;
  unsigned takes;
  Result<int> (*run)(const Context&, const Arguments&);
};

constexpr Verb kVerbs[] = {
    {"test", "show what load would do, without doing it", kNothing, run_test},
    {"show", "show the state, all settings and the kexec command", kNothing, run_show},
    {"status", "say whether kdump is ready; exit code 0 ready, 1 not, 2 ready but stale", kJson,
     run_status},
    {"estimate", "recommend a crashkernel= for this machine, with the reasons", kWrite,
     run_estimate},
    {"calibrate", "find with QEMU what a kernel takes for itself, which the model then goes by",
     kMayHaveVersion, run_calibrate},
    {"load", "build the image when needed, set the links and load the kdump kernel",
     kIfEnabled | kLive, run_load},
    {"unload", "unload the kdump kernel", kLive,
     [](const Context& context, const Arguments&) { return done(kd::unload(context)); }},
    {"reload", "load again in place of what is loaded", kLive,
     [](const Context& context, const Arguments&) { return done(kd::reload(context)); }},
    {"try-reload", "reload only when a kdump kernel is loaded", kHotplug | kLive,
     [](const Context& context, const Arguments& arguments) {
       return done(kd::reload_if_loaded(context, arguments.hotplug));
     }},
    {"condreload", "the same as try-reload", kHotplug | kLive,
     [](const Context& context, const Arguments& arguments) {
       return done(kd::reload_if_loaded(context, arguments.hotplug));
     }},
    {"savecore", "save /proc/vmcore below KDUMP_COREDIR", kFinish | kLive, run_savecore},
    {"verify", "tell whether a dump is whole and can be read; exit code 0 whole, 1 not",
     kJson | kDump | kLive, run_verify},
    {"rehearse", "crash the machine on purpose at the next reboot, and judge the dump",
     kCancel | kLive, run_rehearse},
    {"propagate", "send the public ssh key to the host in SSH", kLive, run_propagate},
    {"symlinks", "point the links in /var/lib/kdump to a kernel version", kVersion | kFallback,
     [](const Context& context, const Arguments& arguments) {
       return done(kd::set_links(context, arguments.version, arguments.fallback));
     }},
    {"build", "build the image of a kernel version", kVersion | kFacts | kIfEnabled | kHidden,
     run_build},
    {"removed", "build the image of the kernel that takes the place of a version",
     kVersion | kFacts | kIfEnabled | kHidden, run_removed},
};

void describe(CLI::App& app, Arguments& arguments, const Verb*& chosen) {
  app.add_option("--sysroot", arguments.sysroot)->group("");
  app.add_option("--config", arguments.config)->group("");
  app.require_subcommand(1);
  app.failure_message(CLI::FailureMessage::help);
  app.fallthrough();
  for (const Verb& verb : kVerbs) {
    CLI::App* sub = app.add_subcommand(verb.name, verb.summary);
    sub->callback([&chosen, &verb] { chosen = &verb; });
    if (verb.takes & kHidden) sub->group("");
    if (verb.takes & kVersion) {
      sub->add_option("VERSION", arguments.version, "kernel release, as uname -r prints it")
          ->required();
    }
    if (verb.takes & kMayHaveVersion) {
      sub->add_option("VERSION", arguments.version, "kernel release, else the running one");
    }
    if (verb.takes & kFallback) {
      sub->add_flag("--fallback", arguments.fallback,
                    "use the newest other kernel that has an image when VERSION cannot be used");
    }
    if (verb.takes & kWrite) {
      sub->add_flag("--write", arguments.write, "keep it for the next update-grub");
    }
    if (verb.takes & kCancel) {
      sub->add_flag("--cancel", arguments.cancel, "make the next reboot an ordinary one again");
      sub->add_flag("--begin", arguments.begin)->group("");  // kdump-tools-rehearse.service
    }
    if (verb.takes & kJson) sub->add_flag("--json", arguments.json, "print JSON");
    if (verb.takes & kHotplug) {
      sub->add_option("--hotplug", arguments.hotplug, "only when the kernel does not follow itself")
          ->check(CLI::IsMember({"cpu", "memory"}));
    }
    if (verb.takes & kFinish) {
      sub->add_flag("--finish", arguments.finish, "then reboot, or run KDUMP_FAIL_CMD");
    }
    if (verb.takes & kFacts) {
      sub->add_option("--facts", arguments.facts, "a machine recorded by kdump-mkinitrd --record");
    }
    if (verb.takes & kDump) {
      sub->add_option("DUMP", arguments.dump, "file to read, else the newest of KDUMP_COREDIR");
      sub->add_flag("--new", arguments.only_new, "all dumps that were not verified")->group("");
    }
    if (verb.takes & kIfEnabled) {
      sub->add_flag("--if-enabled", arguments.if_enabled, "do nothing while USE_KDUMP=0");
    }
  }
}

void say(const std::string& line) {
  std::printf("%s\n", line.c_str());
  std::fflush(stdout);
  // Started by udev nobody sees stdout; started by systemd the journal has it already.
  if (std::getenv("JOURNAL_STREAM") == nullptr) ::syslog(LOG_INFO, "%s", line.c_str());
}

Result<int> run(const Verb& verb, const Arguments& arguments) {
  if (!arguments.sysroot.empty() && (verb.takes & kLive)) {
    return kd::fail(kd::ErrorKind::kUsage, "{} works on the live machine only", verb.name);
  }
  KD_TRY(const kd::RootedReader reader,
         kd::RootedReader::open(arguments.sysroot.empty() ? "/" : arguments.sysroot));
  kd::SystemRunner runner;
  return verb.run({.reader = reader,
                   .runner = runner,
                   .say = say,
                   .sysroot = arguments.sysroot,
                   .config_path = arguments.config},
                  arguments);
}

// An exit code when the command line was answered already: help, the version, a mistake.
std::optional<int> parse(int argc, char** argv, Arguments& arguments, const Verb*& chosen) {
  try {
    CLI::App app("Load the kdump kernel, tell its state, save a crash dump.", "kdump-config");
    app.set_version_flag("-V,--version", std::string("kdump-config ") + KD_VERSION);
    describe(app, arguments, chosen);
    app.add_subcommand("help", "print this page");
    try {
      app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
      std::ostringstream out;
      const int code = app.exit(error, out, out);
      std::fputs(out.str().c_str(), code == 0 ? stdout : stderr);
      return code == 0 ? 0 : static_cast<int>(kd::ErrorKind::kUsage);
    }
    if (chosen != nullptr) return std::nullopt;
    app.clear();  // else it is the help of the verb "help"
    std::fputs(app.help().c_str(), stdout);
    return 0;
  } catch (const CLI::Error& error) {
    std::fprintf(stderr, "kdump-config: %s\n", error.what());
    return static_cast<int>(kd::ErrorKind::kFailed);
  }
}

}  // namespace

int main(int argc, char** argv) {
  Arguments arguments;
  const Verb* chosen = nullptr;
  if (const std::optional<int> code = parse(argc, argv, arguments, chosen)) return *code;
  ::openlog("kdump-config", 0, LOG_DAEMON);
  const Result<int> code = run(*chosen, arguments);
  if (code) return *code;
  std::fprintf(stderr, "kdump-config: %s\n", code.error().message.c_str());
  ::syslog(LOG_ERR, "%s", code.error().message.c_str());
  return static_cast<int>(code.error().kind);
}
