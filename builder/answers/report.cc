// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/answers/answers.h"
#include "builder/report/verdict.h"

namespace kd {

Report report_of(const ImageInputs& inputs, const Candidate& candidate) {
  Report report = make_report(candidate.plan, candidate.entries);
  report.variant = candidate.plan.variant.name;
  report.fit = predict(candidate.model);
  report.reservation = candidate.basis.reservation;
  report.verdict = fit_verdict(report.fit.needed_with_cma, candidate.basis.reservation);
  report.command_line = inputs.command_line;
  report.notes = inputs.notes;
  return report;
}

std::string report_as(const Presentation& show, const Report& report) {
  if (show.json) return report_json(report);
  if (show.list) return report_list(report);
  return report_text(report, show.verbose ? Detail::kFull : Detail::kShort);
}

}  // namespace kd
