// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/build.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>

#include "builder/base/atomic_file.h"
#include "builder/base/digest.h"
#include "builder/boot_test/boot_test.h"
#include "builder/facts/gather.h"
#include "builder/fit/measurement.h"
#include "builder/report/report.h"
#include "builder/selection.h"
#include "builder/write/manifest.h"

namespace kd {
namespace {

class Progress {
 public:
  explicit Progress(const Options& options)
      : verbose_(options.verbose),
        transient_(!options.quiet && !options.verbose && isatty(2) == 1) {}
  ~Progress() {
    if (transient_) std::fputs("\r\033[K", stderr);
  }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void step(std::string_view what) {
    if (verbose_) fmt::print(stderr, "{:7.3f}s {}\n", seconds(), what);
    if (transient_) fmt::print(stderr, "\r\033[K{} ...", what);
  }
  [[nodiscard]] double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  bool verbose_;
  bool transient_;
};

std::string absolute(const std::string& path) { return std::filesystem::absolute(path).string(); }

Result<std::string> read_host_file(const Roots& roots, const std::string& path) {
  return roots.host.read(absolute(path));
}

// Only the file of the system may be missing: what somebody names has to be there.
Result<KdumpConfig> configuration(const Options& options, const Roots& roots) {
  constexpr std::string_view kSystem = "/etc/default/kdump-tools";
  if (options.config.empty()) return read_kdump_config(roots.machine, kSystem);
  KD_CHECK(roots.machine.status(options.config));
  return read_kdump_config(roots.machine, options.config);
}

Result<MachineFacts> machine_facts(const Options& options, const Roots& roots,
                                   const KdumpConfig& config) {
  if (options.facts.empty()) return gather_machine(roots.machine, config.core_dir);
  KD_TRY(const std::string text, read_host_file(roots, options.facts));
  Result<MachineFacts> machine = machine_from_json(text);
  if (!machine) return in_context(options.facts, machine.error());
  return machine;
}

Result<InitramfsConfig> additions_of(const Options& options, const Roots& roots) {
  if (options.confdir.empty()) return InitramfsConfig{};
  return read_initramfs_config(roots.machine, options.confdir);
}

std::string manifest_path(const Options& options) { return options.output + ".manifest"; }

using Reasons = std::vector<std::string>;

// All that the prediction of memory rests on besides the files and the reservation.
std::string memory_figures(const Selection& selection, const Facts& facts) {
  return fmt::format("{}; {} MiB in the machine", describe(selection.kernel_memory),
                     facts.machine.ram >> 20);
}

// Why the image on disk has to be built again; empty when it is fresh. No input is held for that:
// the same inputs, reservation and memory figures lead to the layout of the manifest again.
Result<Reasons> stale_reasons(const Options& options, const Roots& roots, const Facts& facts,
                              const Selection& selection) {
  const Result<std::string> text = read_host_file(roots, manifest_path(options));
  if (!text) return Reasons{text.error().message};
  const Result<Manifest> before = manifest_from_json(*text);
  if (!before) {
    return Reasons{fmt::format("{}: {}", manifest_path(options), before.error().message)};
  }
  const Result<FileDigest> image = digest_of_file(roots.host, absolute(options.output));
  if (!image) return Reasons{image.error().message};
  if (image->size != before->image_size || image->digest != before->image_digest) {
    return Reasons{fmt::format("{} is not the file its manifest describes", options.output)};
  }
  const std::string& layout = options.variant.empty() ? before->variant : options.variant;
  const auto variant = std::ranges::find(kVariants, layout, &Variant::name);
  if (variant == kVariants.end()) return Reasons{fmt::format("layout {} is not known", layout)};
  KD_TRY(const ImagePlan plan, plan_variant(selection, *variant));
  KD_TRY(const std::vector<std::string> digests,
         digest_contents(plan, {roots.machine, roots.kernel, roots.host}));
  return differences(
      *before, make_manifest(plan, digests, selection.settings, selection.notes,
                             reservation_for(options, facts), memory_figures(selection, facts)));
}

// What is on disk is held against what it was built as.
Options with_layout_on_disk(Options options, const Roots& roots) {
  const Result<std::string> text = read_host_file(roots, manifest_path(options));
  const Result<Manifest> manifest = text ? manifest_from_json(*text) : tl::unexpected(text.error());
  if (manifest && options.variant.empty() &&
      std::ranges::find(kVariants, manifest->variant, &Variant::name) != kVariants.end()) {
    options.variant = manifest->variant;
  }
  return options;
}

Result<Outcome> check(const Options& options, const Roots& roots, const Facts& facts,
                      const Selection& selection) {
  KD_TRY(const Reasons reasons, stale_reasons(options, roots, facts, selection));
  const bool fresh = reasons.empty();
  return Outcome{
      fresh ? 0 : kExitStale,
      options.quiet ? ""
      : fresh       ? options.output + " is fresh\n"
              : fmt::format("{} is stale:\n  {}\n", options.output, fmt::join(reasons, "\n  "))};
}

Outcome not_built_again(const Options& options) {
  return {0, options.quiet ? "" : options.output + " is fresh, not built again\n"};
}

Result<Outcome> record(const Options& options, const MachineFacts& machine) {
  KD_TRY(AtomicFile file, AtomicFile::create(options.record));
  KD_CHECK(write_file(file, machine_to_json(machine)));
  return Outcome{0, options.quiet ? "" : fmt::format("recorded in {}\n", options.record)};
}

std::string megabytes(std::uint64_t bytes) { return fmt::format("{}M", bytes >> 20); }

// What the model says of the finished or estimated image, in the user's words.
Result<std::string> judge_fit(const Options& options, const Candidate& candidate) {
  const std::uint64_t needed = predict(candidate.model).needed;
  if (candidate.reservation == 0) {
    return fmt::format("needs crashkernel={}; no reservation is known here", megabytes(needed));
  }
  if (needed <= candidate.reservation) {
    return fmt::format("fits {} with {} to spare", megabytes(candidate.reservation),
                       megabytes(candidate.reservation - needed));
  }
  const std::string message = fmt::format(
      "does not fit: needs crashkernel={}, {} more than the reservation of {}; raise it in "
      "/etc/default/grub.d/kdump-tools.cfg, run update-grub and reboot",
      megabytes(needed), megabytes(needed - candidate.reservation),
      megabytes(candidate.reservation));
  if (options.strict) return fail(ErrorKind::kDoesNotFit, "{}", message);
  return message;
}

Result<Report> make_full_report(const Options& options, const Selection& selection,
                                const Candidate& candidate) {
  Report report = make_report(candidate.plan, candidate.entries);
  report.variant = candidate.plan.variant.name;
  report.fit = predict(candidate.model);
  report.reservation = candidate.reservation;
  KD_TRY(report.verdict, judge_fit(options, candidate));
  report.command_line = selection.command_line;
  report.notes = selection.notes;
  return report;
}

std::string text_of(const Options& options, const Report& report) {
  if (options.json) return report_json(report);
  if (options.list) return report_list(report);
  return report_text(report, options.verbose ? Detail::kFull : Detail::kShort);
}

bool writes_image(const Options& options) {
  return options.why.empty() && !options.verify && !options.list && !options.dry_run;
}

// Read-only answers about the plan and the image on disk.
Result<std::optional<Outcome>> answer(const Options& options, const Roots& roots,
                                      const Selection& selection, const Candidate& candidate) {
  if (!options.why.empty()) {
    KD_TRY(const std::vector<std::string> chain, why(candidate.plan, options.why));
    return Outcome{0, fmt::format("{}\n", fmt::join(chain, "\n  <- "))};
  }
  if (options.verify) {
    KD_TRY(const std::string image, read_host_file(roots, options.output));
    KD_CHECK(verify_image(image, candidate.plan, candidate.entries));
    return Outcome{0, options.quiet ? "" : options.output + " holds what it should\n"};
  }
  if (options.list || options.dry_run) {
    KD_TRY(const Report report, make_full_report(options, selection, candidate));
    return Outcome{0, text_of(options, report)};
  }
  return std::nullopt;
}

// kdump-tools keeps the unpacked size in MiB beside the image, where its kdump-config and other
// estimators of crashkernel= look.
Result<void> write_unpacked_size(const Options& options, std::uint64_t bytes) {
  const std::filesystem::path image(options.output);
  if (image.filename() != "initrd.img-" + options.version) return {};
  const std::filesystem::path path = image.parent_path() / ("size_" + image.filename().string());
  KD_TRY(AtomicFile file, AtomicFile::create(path.string()));
  constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;
  return write_file(file, fmt::format("{}\n", (bytes + kMiB - 1) / kMiB));
}

// The image is published before its manifest: a crash between the two leaves a new image with an
// old manifest, which the next run finds stale.
Result<Outcome> write_image_and_manifest(const Options& options, const Facts& facts,
                                         const Selection& selection, Candidate candidate,
                                         Progress& progress) {
  progress.step("packing, compressing and verifying");
  KD_TRY(const std::string image,
         make_image(candidate.plan, candidate.entries, selection.settings));
  candidate.model.image_size = image.size();
  KD_TRY(Report report, make_full_report(options, selection, candidate));

  progress.step("writing");
  KD_TRY(AtomicFile image_file, AtomicFile::create(options.output));
  KD_CHECK(write_file(image_file, image));
  Manifest manifest =
      make_manifest(candidate.plan, candidate.digests, selection.settings, selection.notes,
                    candidate.reservation, memory_figures(selection, facts));
  manifest.needed = report.fit.needed;
  manifest.image_digest = digest(image);
  manifest.image_size = image.size();
  KD_TRY(AtomicFile manifest_file, AtomicFile::create(manifest_path(options)));
  KD_CHECK(write_file(manifest_file, manifest_to_json(manifest)));

  KD_CHECK(write_unpacked_size(options, report.unpacked_size));

  report.output = options.output;
  report.compression = candidate.plan.variant.packed
                           ? "packed"
                           : cpio::name_of(selection.settings.compression.codec);
  report.compressed_size = image.size();
  report.seconds = progress.seconds();
  if (options.quiet) return Outcome{};
  return Outcome{0, text_of(options, report)};
}

// Crashes a machine with the image that is on disk now, and keeps what that told beside it.
Result<BootTestResult> boot_test(const Options& options, const Roots& roots, const Facts& facts,
                                 const Selection& selection) {
  BootTestInput input{.machine = facts.machine,
                      .command_line = selection.command_line,
                      .profile = std::string(memory_profile(facts.config)),
                      .reservation = reservation_for(options, facts),
                      .kvm = ::access("/dev/kvm", R_OK | W_OK) == 0};
  if (input.reservation == 0) {
    return fail(ErrorKind::kUsage,
                "--boot-test has no reservation to test; add --crashkernel SIZE");
  }
  if (facts.kernel.vmlinuz.empty()) {
    return fail(ErrorKind::kKernelNotFound, "--boot-test needs vmlinuz-{}", options.version);
  }
  KD_TRY(const std::string crash_init, own_file("kdump-init-crash"));
  KD_TRY(input.crash_init, roots.host.read(crash_init));
  KD_TRY(input.kernel, roots.kernel.read(facts.kernel.vmlinuz));
  KD_TRY(input.image, read_host_file(roots, options.output));
  SystemRunner runner;
  KD_TRY(BootTestResult result, run_boot_test(input, runner));
  KD_TRY(AtomicFile file, AtomicFile::create(boot_test_path(options.output)));
  KD_CHECK(write_file(file, result.json));
  return result;
}

// What is left to do once everything is chosen but the layout.
Result<Outcome> make_image_and_answer(const Options& options, const Roots& roots,
                                      const Facts& facts, const Selection& selection,
                                      Progress& progress) {
  std::optional<FileLock> lock;
  bool fresh = false;
  if (writes_image(options)) {
    KD_TRY(FileLock held, FileLock::acquire_beside(options.output));
    lock.emplace(std::move(held));
    if (!options.force) {
      KD_TRY(const Reasons reasons, stale_reasons(options, roots, facts, selection));
      fresh = reasons.empty();
    }
  }
  // An image that does not fit may have been built before somebody was strict.
  if (fresh && !options.strict) return not_built_again(options);
  progress.step("choosing a layout that fits");
  KD_TRY(Candidate candidate,
         choose_variant(options.verify ? with_layout_on_disk(options, roots) : options, roots,
                        facts, selection));
  if (fresh) {
    KD_TRY(const FileStatus image, roots.host.status(absolute(options.output)));
    candidate.model.image_size = image.size;
    KD_CHECK(judge_fit(options, candidate));
    return not_built_again(options);
  }
  KD_TRY(std::optional<Outcome> answered, answer(options, roots, selection, candidate));
  if (answered) return std::move(*answered);

  // From here on nothing is decided.
  return write_image_and_manifest(options, facts, selection, std::move(candidate), progress);
}

}  // namespace

Result<Outcome> build(const Options& options) {
  Progress progress(options);

  // Facts.
  progress.step("reading the machine");
  KD_TRY(RootedReader machine_root, RootedReader::open(options.sysroot));
  KD_TRY(RootedReader kernel_root, RootedReader::open(options.kernel_root));
  KD_TRY(RootedReader host_root, RootedReader::open("/"));
  const Roots roots{std::move(machine_root), std::move(kernel_root), std::move(host_root)};
  Facts facts;
  KD_TRY(facts.config, configuration(options, roots));
  KD_TRY(facts.additions, additions_of(options, roots));
  KD_TRY(facts.machine, machine_facts(options, roots, facts.config));
  if (!options.record.empty()) return record(options, facts.machine);
  KD_TRY(facts.kernel, gather_kernel(roots.kernel, options.version));

  // Decision and plan.
  progress.step("choosing modules and programs");
  KD_TRY(const Selection selection, select_inputs(options, roots, facts));
  if (options.check) return check(options, roots, facts, selection);
  KD_TRY(Outcome outcome, make_image_and_answer(options, roots, facts, selection, progress));
  if (!options.boot_test || !writes_image(options)) return outcome;
  progress.step("crashing a machine with it");
  KD_TRY(const BootTestResult test, boot_test(options, roots, facts, selection));
  if (options.json) {
    outcome.out = test.json;
  } else if (!options.quiet) {
    outcome.out += test.text;
  }
  outcome.exit_code = test.passed ? 0 : kExitBootTestFailed;
  return outcome;
}

}  // namespace kd
