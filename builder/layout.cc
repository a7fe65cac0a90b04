// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/layout.h"

#include "builder/facts/reservation.h"
#include "builder/own_file.h"
#include "builder/report/verdict.h"
#include "builder/write/contents.h"

namespace kd {
namespace {

// The memory model of one layout without its files.
ModelInput model_of(const Variant& variant, std::uint64_t reservation, const Facts& facts,
                    const ImageInputs& inputs) {
  const MachineFacts& machine = facts.machine;
  return {.variant = variant,
          .files = {},
          .image_size = 0,
          .compression = inputs.settings.compression,
          .kernel = inputs.kernel_memory,
          .reservation_end = machine.reservation_end,
          .cma = cma_in(reservation, facts),
          .ram = machine.ram,
          .dump_arguments = inputs.plan.requirements.dump.first,
          .bounce_buffers = inputs.bounce_buffers,
          .real_root = inputs.real_root,
          .layers = inputs.plan.requirements.layers};
}

// Whatever the model goes by shows in the peaks of an image without files.
std::string figures_of(std::uint64_t reservation, const Facts& facts, const ImageInputs& inputs) {
  std::string text = fmt::format("{}; map {}", cpio::name_of(inputs.settings.compression.codec),
                                 memory_map(reservation, facts.machine.reservation_end));
  for (const Variant& variant : kVariants) {
    text += fmt::format("; {}", variant.name);
    const Fit fit = predict(model_of(variant, reservation, facts, inputs));
    for (const Peak* peak : fit.peaks()) text += fmt::format(" {}", peak->total());
  }
  return text;
}

std::string memory_for_people(const Facts& facts, const ImageInputs& inputs) {
  std::string text = fmt::format("{}; {} MiB in the machine", describe(inputs.kernel_memory),
                                 facts.machine.ram >> 20);
  if (inputs.bounce_buffers.bytes > 0) {
    text += fmt::format("; bounce buffers: {}", inputs.bounce_buffers.reason);
  }
  return text;
}

}  // namespace

Result<ImagePlan> plan_variant(const ImageInputs& inputs, const Variant& variant) {
  PlanInput input = inputs.plan;
  input.variant = variant;
  KD_TRY(input.init_path,
         own_file(fmt::format("kdump-init{}{}", variant.packed ? "-packed" : "",
                              input.requirements.layers.empty() ? "" : "-layers")));
  return make_plan(input);
}

std::uint64_t reservation_for(const ImageRequest& request, const Facts& facts) {
  return request.reservation.value_or(usable_reservation(
      facts.machine.reservation, facts.machine.reservation_cma, facts.config.kexec_args));
}

std::uint64_t cma_in(std::uint64_t reservation, const Facts& facts) {
  const MachineFacts& machine = facts.machine;
  const std::uint64_t cma = usable_reservation(0, machine.reservation_cma, facts.config.kexec_args);
  return reservation == machine.reservation + cma ? cma : 0;
}

LayoutBasis layout_basis(const ImageRequest& request, const Facts& facts,
                         const ImageInputs& inputs) {
  const CompressionRequest& compression = request.compression;
  return {.asked = {.variant = request.variant,
                    .compression = compression.codec,
                    .level = compression.level ? std::to_string(*compression.level) : ""},
          .reservation = reservation_for(request, facts),
          .figures = figures_of(reservation_for(request, facts), facts, inputs),
          .memory = memory_for_people(facts, inputs)};
}

Result<Candidate> choose_variant(const ImageRequest& request, const Roots& roots,
                                 const Facts& facts, const ImageInputs& inputs) {
  Candidate candidate;
  candidate.basis = layout_basis(request, facts, inputs);
  for (const Variant& variant : kVariants) {
    if (!request.variant.empty() && request.variant != variant.name) continue;
    KD_TRY(candidate.plan, plan_variant(inputs, variant));
    KD_TRY(std::vector<std::string> contents,
           load_contents(candidate.plan, {roots.machine, roots.kernel, roots.host}));
    candidate.digests = digest_contents(candidate.plan, contents);
    KD_TRY(candidate.entries, plain_entries(candidate.plan, std::move(contents)));
    candidate.model = model_of(variant, candidate.basis.reservation, facts, inputs);
    candidate.model.files = file_sizes(candidate.plan, candidate.entries);
    candidate.model.image_size = estimate_image_size(candidate.model);
    if (fits(predict(candidate.model).needed_with_cma, candidate.basis.reservation)) break;
  }
  return candidate;
}

}  // namespace kd
