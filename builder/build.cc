// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/build.h"

#include <algorithm>

#include "builder/answers/answers.h"
#include "builder/base/atomic_file.h"
#include "builder/progress.h"
#include "builder/report/verdict.h"
#include "builder/write_image.h"

namespace kd {
namespace {

bool writes_image(const Options& options) {
  return options.why.empty() && !options.verify && !options.show.list && !options.dry_run;
}

// An image that does not fit may have been built before somebody was strict.
Result<void> require_fit_on_disk(bool strict, const Freshness& found) {
  if (!strict || !found.manifest) return {};
  return require_fit(found.manifest->needed, found.manifest->basis.reservation);
}

// What is on disk is held against what it was built as, unless a layout is named.
ImageRequest request_on_disk(const Options& options, const Roots& roots) {
  ImageRequest request = options.request;
  if (!request.variant.empty()) return request;
  if (const Result<Manifest> manifest = read_manifest(options.output, roots);
      manifest &&
      std::ranges::find(kVariants, manifest->variant, &Variant::name) != kVariants.end()) {
    request.variant = manifest->variant;
  }
  return request;
}

Result<Outcome> check(const Options& options, const Roots& roots, const Facts& facts,
                      const ImageInputs& inputs) {
  KD_TRY(const Freshness found, freshness(options.output, options.request, roots, facts, inputs));
  KD_CHECK(require_fit_on_disk(options.strict, found));
  return say_freshness(options.output, found, options.show);
}

// Answers about a plan: that of the image on disk, or of the one that would be built.
Result<Outcome> answer(const Options& options, const Roots& roots, const Facts& facts,
                       const ImageInputs& inputs) {
  KD_TRY(const Candidate candidate,
         choose_variant(options.verify ? request_on_disk(options, roots) : options.request, roots,
                        facts, inputs));
  if (!options.why.empty()) return explain(options.why, candidate.plan, options.show);
  if (options.verify) return verify(options.output, roots, candidate, options.show);
  const Report report = report_of(inputs, candidate);
  if (options.strict) KD_CHECK(require_fit(report.fit.needed, report.reservation));
  return Outcome{0, report_as(options.show, report)};
}

Result<Outcome> build_unless_fresh(const Options& options, const Roots& roots, const Facts& facts,
                                   const ImageInputs& inputs, Progress& progress) {
  KD_TRY(const FileLock lock, FileLock::acquire_beside(options.output));
  if (!options.force) {
    KD_TRY(const Freshness found, freshness(options.output, options.request, roots, facts, inputs));
    if (found.manifest) {
      if (found.outdated_manifest) KD_CHECK(write_manifest(options.output, *found.manifest));
      KD_CHECK(require_fit_on_disk(options.strict, found));
      return not_built_again(options.output, found, options.show);
    }
  }
  progress.step("choosing a layout that fits");
  KD_TRY(Candidate candidate, choose_variant(options.request, roots, facts, inputs));
  // From here on nothing is decided.
  KD_TRY(const Report report, write_image(options.output, options.strict, facts, inputs,
                                          std::move(candidate), progress));
  const bool silent = options.show.quiet && !options.show.json;
  return Outcome{0, silent ? "" : report_as(options.show, report)};
}

}  // namespace

Result<Outcome> build(const Options& options) {
  Progress progress(options.show);

  // Facts.
  progress.step("reading the machine");
  KD_TRY(const Roots roots, open_roots(options.places));
  KD_TRY(Facts facts, read_facts(options.places, roots));
  if (!options.record.empty()) return record(options.record, facts.machine, options.show);
  KD_TRY(facts.kernel, gather_kernel(roots.kernel, options.version));

  if (options.calibrate) return calibrate(options.output, roots, facts, options.show, progress);
  if (!options.root_image.empty()) {
    KD_TRY(const Report report,
           weigh_root_image(options.root_image, reservation_for(options.request, facts), roots,
                            facts));
    return Outcome{0, report_as(options.show, report)};
  }

  // Decision and plan.
  progress.step("choosing modules and programs");
  KD_TRY(const ImageInputs inputs, choose_inputs(options.request, options.output, roots, facts));
  if (options.check) return check(options, roots, facts, inputs);
  if (!writes_image(options)) return answer(options, roots, facts, inputs);

  // Image.
  KD_TRY(Outcome built, build_unless_fresh(options, roots, facts, inputs, progress));
  if (!options.boot_test) return built;
  progress.step("crashing a machine with it");
  return boot_test(options.output, options.request, roots, facts, inputs, options.show, built);
}

}  // namespace kd
