// SPDX-License-Identifier: GPL-2.0-or-later
//
// A machine as a directory tree, and programs that only pretend.
#pragma once

#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>

#include "hooks/context.h"
#include "hooks/state.h"
#include "tests/base/fake_runner.h"
#include "tests/base/temporary_directory.h"

namespace kd {

inline constexpr const char* kRunning = "6.1.0-56-amd64";

inline bool has(const std::vector<std::string>& argv, std::string_view word) {
  return std::find(argv.begin(), argv.end(), word) != argv.end();
}

// Debian with kernel kRunning, kdump switched on, a reservation of 128 MiB, nothing built yet.
class FakeMachine {
 public:
  FakeMachine() : reader_(*RootedReader::open(root.path())) {
    root.write("proc/sys/kernel/osrelease", std::string(kRunning) + "\n");
    root.write("proc/sys/kernel/panic_on_oops", "0\n");
    root.write("proc/cmdline", "root=/dev/vda1 ro crashkernel=128M\n");
    root.write("proc/iomem",
               "00001000-0009fbff : System RAM\n00100000-3fffffff : System RAM\n"
               "  37000000-3effffff : Crash kernel\n");
    root.write("sys/kernel/kexec_crash_loaded", "0\n");
    root.write("sys/kernel/kexec_crash_size", "134217728\n");
    root.write("etc/default/kdump-tools", "USE_KDUMP=1\n");
    std::filesystem::create_directories(root.path("var/lib/kdump"));
    std::filesystem::create_directories(root.path("var/crash"));
    std::filesystem::create_directories(root.path("run"));
    install_makedumpfile("1.7.2");
    install_kernel(kRunning);

    runner.programs["kdump-mkinitrd"] = [this](const std::vector<std::string>& argv) {
      if (has(argv, "--check")) {
        return ProgramOutcome{check_status, check_status == 10 ? "x is stale:\n  why\n" : ""};
      }
      if (has(argv, "--root-image")) {
        if (root_needs == 0) return ProgramOutcome{1, "kdump-mkinitrd: not an initrd\n"};
        return ProgramOutcome{0, fmt::format(R"({{"kernel": "6.1", "target": "the real root",
          "fit": {{"needed_bytes": {}, "reservation_bytes": 100663296, "peaks": []}}}})",
                                             root_needs)};
      }
      if (const auto lacks = lacks_driver.find(argv.back()); lacks != lacks_driver.end()) {
        return ProgramOutcome{1, "kdump-mkinitrd: " + lacks->second + "\n"};
      }
      if (has(argv, "--dry-run") && has(argv, "--json") && build_status == 0) {
        return ProgramOutcome{0, report_on(argv.back())};
      }
      if (build_status == 0 && !has(argv, "--dry-run")) {
        const auto crashed = std::ranges::find(argv, "--crashed-kernel");
        add_image(argv.back(), true, crashed == argv.end() ? argv.back() : *(crashed + 1));
      }
      return ProgramOutcome{build_status,
                            build_status == 0 ? "built\n" : "kdump-mkinitrd: no way\n"};
    };
    runner.programs["kexec"] = [this](const std::vector<std::string>& argv) { return kexec(argv); };
  }

  // A load that fails has freed what was loaded, as Linux does; an unload that fails has not.
  ProgramOutcome kexec(const std::vector<std::string>& argv) {
    const bool unloads = has(argv, "-u");
    const auto fails = [&](const std::string& why) {
      if (!unloads) set_loaded(false);
      return ProgramOutcome{255, "kexec: refused " + why + "\n"};
    };
    for (const std::string& choice : kexec_refuses) {
      if (has(argv, choice)) return fails(choice);
    }
    for (const std::string& word : argv) {
      if (!word.starts_with("--initrd=") || unloads) continue;
      const std::string image = reader_.read(word.substr(9)).value_or("");
      if (image == kexec_refuses_image) return fails("the image");
      loaded_image = image;
    }
    set_loaded(!unloads);
    return ProgramOutcome{0, ""};
  }
  void install_makedumpfile(const std::string& version) const {
    root.write("usr/bin/makedumpfile",
               "\x7f"
               "ELF ... makedumpfile: version " +
                   version + " (released on 20 Oct 2022)\n");
  }
  void install_kernel(const std::string& version) const {
    root.write("boot/vmlinuz-" + version, "kernel " + version);
    root.write("lib/modules/" + version + "/modules.dep", "");
  }
  void add_image(const std::string& version, bool direct = true,
                 const std::string& crashed = {}) const {
    root.write("var/lib/kdump/initrd.img-" + version, "image " + version);
    if (direct) {
      root.write("var/lib/kdump/initrd.img-" + version + ".manifest",
                 crashed.empty() ? "{}" : fmt::format(R"({{"crashed_kernel": "{}"}})", crashed));
    }
  }
  // As kdump-mkinitrd --json prints it.
  [[nodiscard]] std::string report_on(const std::string& version) const {
    const auto found = needs.find(version);
    const std::uint64_t needed = found == needs.end() ? 71 : found->second;
    return fmt::format(R"({{"kernel": "{}", "target": "ext4 on vda for /var/crash",
      "entries": [{{"path": "lib/modules/virtio_blk.ko"}}],
      "fit": {{"needed_bytes": {}, "reservation_bytes": 134217728, "decides": "unpacking",
      "peaks": [{{"name": "unpacking", "bytes": 1, "terms": [
        {{"name": "kernel", "bytes": 1, "source": "measured for {}"}}]}}]}}}})",
                       version, needed << 20, version);
  }
  void set_loaded(bool loaded) const {
    root.write("sys/kernel/kexec_crash_loaded", loaded ? "1\n" : "0\n");
  }
  void configure(const std::string& more) const {
    root.write("etc/default/kdump-tools", "USE_KDUMP=1\n" + more);
  }
  void link(const std::string& name, const std::string& target) const {
    const std::string path = root.path("var/lib/kdump/" + name);
    std::filesystem::remove(path);
    std::filesystem::create_symlink(target, path);
  }
  void right_links(const std::string& version = kRunning) const {
    link("vmlinuz", "/boot/vmlinuz-" + version);
    link("initrd.img", "/var/lib/kdump/initrd.img-" + version);
  }
  void reserve(int mebibytes) const {
    const std::uint64_t bytes = std::uint64_t(mebibytes) << 20;
    root.write("sys/kernel/kexec_crash_size", std::to_string(bytes));
    root.write("proc/iomem", fmt::format("00001000-0009fbff : System RAM\n"
                                         "00100000-3fffffff : System RAM\n"
                                         "  30000000-{:08x} : Crash kernel\n",
                                         0x30000000 + bytes - 1));
  }
  [[nodiscard]] std::string wanted() const {
    return reader_.read("/var/lib/kdump/crashkernel").value_or("");
  }
  [[nodiscard]] std::string link_text(const std::string& name) const {
    std::error_code error;
    return std::filesystem::read_symlink(root.path("var/lib/kdump/" + name), error).string();
  }
  [[nodiscard]] const RootedReader& reader() const { return reader_; }
  [[nodiscard]] Context context() {
    return {.reader = reader_,
            .runner = runner,
            .say = [this](const std::string& line) { said += line + "\n"; },
            .sysroot = {}};
  }
  [[nodiscard]] KdumpState state() const { return *read_state(reader_, kKdumpConfigPath); }
  // The commands that went to kexec.
  [[nodiscard]] std::vector<std::vector<std::string>> kexec_calls() const {
    std::vector<std::vector<std::string>> calls;
    for (const auto& argv : runner.calls) {
      if (argv[0] == "/usr/sbin/kexec") calls.push_back(argv);
    }
    return calls;
  }

  TemporaryDirectory root;
  FakeRunner runner;
  std::string said;
  std::map<std::string, std::uint64_t> needs;       // MiB of reservation, by version; others 71
  std::map<std::string, std::string> lacks_driver;  // what the builder says of a version
  int build_status = 0;
  int check_status = 0;
  std::uint64_t root_needs = 0;            // bytes; 0: the image cannot be read
  std::vector<std::string> kexec_refuses;  // options it fails with
  std::string kexec_refuses_image = "-";   // content of an initrd it fails with
  std::string loaded_image;                // content of the initrd that is loaded

 private:
  RootedReader reader_;
};

// While it lives, nothing in `directory` can be created, replaced or removed, as on a read-only
// file system. Root has to give up its rights for that.
class ReadOnly {
 public:
  ReadOnly(const FakeMachine& machine, const std::string& directory)
      : path_(machine.root.path(directory)), was_root_(::geteuid() == 0) {
    using std::filesystem::perms;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(machine.root.path())) {
      if (!entry.is_symlink()) std::filesystem::permissions(entry.path(), perms::all);
    }
    std::filesystem::permissions(machine.root.path(), perms::all);
    std::filesystem::permissions(path_, perms(0555));
    if (was_root_ && ::seteuid(65534) != 0) std::abort();
  }
  ~ReadOnly() {
    if (was_root_ && ::seteuid(0) != 0) std::abort();
    std::filesystem::permissions(path_, std::filesystem::perms(0755));
  }
  ReadOnly(const ReadOnly&) = delete;
  ReadOnly& operator=(const ReadOnly&) = delete;

 private:
  std::string path_;
  bool was_root_;
};

}  // namespace kd
