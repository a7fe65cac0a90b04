// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/layout.h"

#include "builder/own_file.h"
#include "builder/write/contents.h"

namespace kd {

Result<ImagePlan> plan_variant(const ImageInputs& inputs, const Variant& variant) {
  PlanInput input = inputs.plan;
  input.variant = variant;
  KD_TRY(input.init_path, own_file(variant.packed ? "kdump-init-packed" : "kdump-init"));
  return make_plan(input);
}

std::uint64_t reservation_for(const ImageRequest& request, const Facts& facts) {
  return request.reservation.value_or(facts.machine.reservation);
}

Result<Candidate> choose_variant(const ImageRequest& request, const Roots& roots,
                                 const Facts& facts, const ImageInputs& inputs) {
  Candidate candidate;
  candidate.reservation = reservation_for(request, facts);
  for (const Variant& variant : kVariants) {
    if (!request.variant.empty() && request.variant != variant.name) continue;
    KD_TRY(candidate.plan, plan_variant(inputs, variant));
    KD_TRY(std::vector<std::string> contents,
           load_contents(candidate.plan, {roots.machine, roots.kernel, roots.host}));
    candidate.digests = digest_contents(candidate.plan, contents);
    KD_TRY(candidate.entries, plain_entries(candidate.plan, std::move(contents)));
    candidate.model = {.variant = variant,
                       .files = file_sizes(candidate.plan, candidate.entries),
                       .image_size = 0,
                       .compression = inputs.settings.compression,
                       .kernel = inputs.kernel_memory,
                       .ram = facts.machine.ram,
                       .dump_arguments = inputs.plan.requirements.dump.first};
    candidate.model.image_size = estimate_image_size(candidate.model);
    if (candidate.reservation == 0) break;
    if (predict(candidate.model).needed <= candidate.reservation) break;
  }
  return candidate;
}

}  // namespace kd
