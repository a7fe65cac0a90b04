// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/options.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <span>
#include <sstream>

namespace kd {
namespace {

constexpr int kUsageExit = static_cast<int>(ErrorKind::kUsage);

// https://reproducible-builds.org/specs/source-date-epoch/; newc has 32 bits for it.
std::optional<std::int64_t> source_date_epoch() {
  const char* text = std::getenv("SOURCE_DATE_EPOCH");
  if (text == nullptr) return 0;
  std::int64_t value = 0;
  const char* end = text + std::strlen(text);
  const auto [stop, error] = std::from_chars(text, end, value);
  if (error != std::errc() || stop != end || value < 0 || value > 0xffffffffLL) return std::nullopt;
  return value;
}

void describe(CLI::App& app, Options& options) {
  app.add_option("VERSION", options.version, "kernel release, as in /lib/modules")->required();
  app.add_option("-o,--output", options.output,
                 "image to write (default: /var/lib/kdump/initrd.img-VERSION)")
      ->type_name("FILE");
  app.add_option("-d,--confdir", options.places.confdir,
                 "initramfs-tools style directory with modules and initramfs.conf")
      ->type_name("DIR");
  app.add_option("-c,--compress", options.request.compression.codec, "zstd, gzip, xz, lz4 or none")
      ->type_name("ALG");
  app.add_option("-l,--level", options.request.compression.level, "compression level of ALG")
      ->type_name("N");
  app.add_option("--variant", options.request.variant,
                 "layout of the image: whole or packed (default: the first that fits)")
      ->type_name("NAME")
      ->check(CLI::IsMember({"whole", "packed"}));
  app.add_option("--config", options.places.config,
                 "configuration (default: /etc/default/kdump-tools)")
      ->type_name("FILE");
  app.add_option("--sysroot", options.places.sysroot, "take every input below DIR")
      ->type_name("DIR");
  app.add_option("--kernel-root", options.places.kernel_root,
                 "take the kernel and its modules below DIR (default: the sysroot)")
      ->type_name("DIR");
  app.add_option("--facts", options.places.facts, "use a recorded machine")->type_name("FILE");
  app.add_option("--record", options.record, "record this machine in FILE and stop")
      ->type_name("FILE");
  app.add_option("--crashkernel", options.request.reservation,
                 "fit the image to this reservation, e.g. 96M (default: the live one)")
      ->type_name("SIZE")
      ->transform(CLI::AsSizeValue(false));
  app.add_option("--crashed-kernel", options.request.crashed_kernel,
                 "kernel whose memory is dumped (default: VERSION)")
      ->type_name("VERSION");
  app.add_flag("--strict", options.strict, "an image that does not fit is an error");
  app.add_flag("-n,--dry-run", options.dry_run, "decide and report, write nothing");
  app.add_flag("--list", options.show.list, "print every file of the image, with size and reason");
  // Of kdump-config, for images that it has others make.
  app.add_option("--root-image", options.root_image)->group("");
  app.add_option("--why", options.why, "print why PATH or a module is in the image")
      ->type_name("PATH");
  app.add_flag("--json", options.show.json, "print one JSON object, whatever the outcome");
  app.add_flag("--check", options.check, "exit 0 when the image is fresh, 10 when stale");
  app.add_flag("--force", options.force, "build even when the image is fresh");
  app.add_flag("--verify", options.verify, "prove that the existing image holds what it should");
  CLI::Option* const boot_test =
      app.add_flag("--boot-test", options.boot_test,
                   "crash a machine in QEMU and tell whether the image saves its dump");
  CLI::Option* const calibrate = app.add_flag(
      "--calibrate", options.calibrate, "find what the kernel takes for itself in QEMU and stop");
  for (const char* other : {"--record", "--dry-run", "--list", "--why", "--check", "--verify"}) {
    boot_test->excludes(app.get_option(other));
    calibrate->excludes(app.get_option(other));
  }
  calibrate->excludes(boot_test);
  app.add_flag("-v,--verbose", options.show.verbose, "say each step and its time");
  app.add_flag("-q,--quiet", options.show.quiet, "print only errors");
}

}  // namespace

tl::expected<Options, EarlyExit> parse_options(int argc, const char* const* argv) {
  Options options;
  CLI::App app("Build the initrd of a kdump capture kernel.", "kdump-mkinitrd");
  app.set_version_flag("-V,--version", std::string("kdump-mkinitrd ") + KD_VERSION);
  describe(app, options);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    std::ostringstream out;
    const int code = app.exit(error, out, out);
    // A line that does not parse leaves the options as they were.
    const std::span words(argv, static_cast<std::size_t>(argc));
    const Presentation show{.json = std::ranges::find(words, std::string_view("--json")) !=
                                    words.end()};
    return tl::unexpected(EarlyExit{code == 0 ? 0 : kUsageExit, out.str(), show});
  }
  const std::optional<std::int64_t> mtime = source_date_epoch();
  if (!mtime) {
    return tl::unexpected(
        EarlyExit{kUsageExit, "SOURCE_DATE_EPOCH is not a number of seconds from 0 to 2^32-1\n",
                  options.show});
  }
  options.request.mtime = *mtime;
  if (options.output.empty()) options.output = "/var/lib/kdump/initrd.img-" + options.version;
  if (options.request.crashed_kernel.empty()) options.request.crashed_kernel = options.version;
  if (options.places.kernel_root.empty()) options.places.kernel_root = options.places.sysroot;
  return options;
}

}  // namespace kd
