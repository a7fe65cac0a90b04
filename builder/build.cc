// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/build.h"

#include <optional>

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

// Answers about the plan, of which only the one about the image on disk looks at it.
Result<Outcome> answer(const Options& options, const Roots& roots, const Facts& facts,
                       const ImageInputs& inputs) {
  const ImageRequest request = options.verify
                                   ? with_layout_on_disk(options.request, options.output, roots)
                                   : options.request;
  KD_TRY(const Candidate candidate, choose_variant(request, roots, facts, inputs));
  if (!options.why.empty()) return explain(options.why, candidate.plan);
  if (options.verify) return verify(options.output, roots, candidate, options.show);
  const Report report = report_of(inputs, candidate);
  if (options.strict) KD_CHECK(require_fit(report.fit.needed, report.reservation));
  return Outcome{0, report_as(options.show, report)};
}

// An image that does not fit may have been built before somebody was strict.
Result<void> require_fit_on_disk(const Options& options, const Roots& roots, const Facts& facts,
                                 const ImageInputs& inputs) {
  KD_TRY(Candidate candidate, choose_variant(options.request, roots, facts, inputs));
  KD_TRY(const FileStatus image, roots.host.status(absolute(options.output)));
  candidate.model.image_size = image.size;
  return require_fit(predict(candidate.model).needed, candidate.reservation);
}

Result<Outcome> build_unless_fresh(const Options& options, const Roots& roots, const Facts& facts,
                                   const ImageInputs& inputs, Progress& progress) {
  KD_TRY(const FileLock lock, FileLock::acquire_beside(options.output));
  if (!options.force) {
    KD_TRY(const Reasons reasons,
           stale_reasons(options.output, options.request, roots, facts, inputs));
    if (reasons.empty()) {
      if (options.strict) KD_CHECK(require_fit_on_disk(options, roots, facts, inputs));
      return not_built_again(options.output, options.show);
    }
  }
  progress.step("choosing a layout that fits");
  KD_TRY(Candidate candidate, choose_variant(options.request, roots, facts, inputs));
  // From here on nothing is decided.
  KD_TRY(const Report report, write_image(options.output, options.strict, facts, inputs,
                                          std::move(candidate), progress));
  return Outcome{0, options.show.quiet ? "" : report_as(options.show, report)};
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

  // Decision and plan.
  progress.step("choosing modules and programs");
  KD_TRY(const ImageInputs inputs, choose_inputs(options.request, options.output, roots, facts));
  if (options.check) {
    KD_TRY(const Reasons reasons,
           stale_reasons(options.output, options.request, roots, facts, inputs));
    return say_freshness(options.output, reasons, options.show);
  }
  if (!writes_image(options)) return answer(options, roots, facts, inputs);

  // Image.
  KD_TRY(Outcome built, build_unless_fresh(options, roots, facts, inputs, progress));
  if (!options.boot_test) return built;
  progress.step("crashing a machine with it");
  return boot_test(options.output, reservation_for(options.request, facts), roots, facts, inputs,
                   options.show, built);
}

}  // namespace kd
