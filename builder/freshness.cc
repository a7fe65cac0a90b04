// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/freshness.h"

#include <algorithm>

#include "builder/base/digest.h"
#include "builder/layout.h"

namespace kd {
namespace {

Freshness stale(std::string reason) { return {.reasons = {std::move(reason)}, .manifest = {}}; }

// No input is held for this: what chooses like before leads to the layout of before again.
Result<Manifest> as_before(const Manifest& before, const Variant& variant, LayoutBasis basis,
                           const Roots& roots, const ImageInputs& inputs) {
  KD_TRY(const ImagePlan plan, plan_variant(inputs, variant));
  KD_TRY(const std::vector<std::string> digests,
         digest_contents(plan, {roots.machine, roots.kernel, roots.host}));
  Manifest now = make_manifest(plan, digests, inputs.settings, inputs.notes, std::move(basis));
  now.needed = before.needed;
  return now;
}

// The layout chosen anew, and what the image on disk needs if it is the one.
Result<Manifest> chosen_anew(const Manifest& before, const ImageRequest& request, LayoutBasis basis,
                             const Roots& roots, const Facts& facts, const ImageInputs& inputs) {
  KD_TRY(Candidate candidate, choose_variant(request, roots, facts, inputs));
  candidate.model.image_size = before.image_size;
  Manifest now = make_manifest(candidate.plan, candidate.digests, inputs.settings, inputs.notes,
                               std::move(basis));
  now.needed = predict(candidate.model).needed;
  return now;
}

}  // namespace

std::string manifest_path(const std::string& image) { return image + ".manifest"; }

Result<Manifest> read_manifest(const std::string& image, const Roots& roots) {
  KD_TRY(const std::string text, read_host_file(roots, manifest_path(image)));
  Result<Manifest> manifest = manifest_from_json(text);
  if (!manifest) return in_context(manifest_path(image), manifest.error());
  return manifest;
}

Result<Freshness> freshness(const std::string& image, const ImageRequest& request,
                            const Roots& roots, const Facts& facts, const ImageInputs& inputs) {
  const Result<Manifest> before = read_manifest(image, roots);
  if (!before) return stale(before.error().message);
  const Result<FileDigest> file = digest_of_file(roots.host, absolute(image));
  if (!file) return stale(file.error().message);
  if (file->size != before->image_size || file->digest != before->image_digest) {
    return stale(fmt::format("{} is not the file its manifest describes", image));
  }
  const auto variant = std::ranges::find(kVariants, before->variant, &Variant::name);
  if (variant == kVariants.end()) {
    return stale(fmt::format("layout {} is not known", before->variant));
  }
  LayoutBasis basis = layout_basis(request, facts, inputs);
  Result<Manifest> now =
      basis.chooses_like(before->basis)
          ? as_before(*before, *variant, std::move(basis), roots, inputs)
          : chosen_anew(*before, request, std::move(basis), roots, facts, inputs);
  if (!now) return tl::unexpected(now.error());
  now->image_digest = before->image_digest;
  now->image_size = before->image_size;
  Freshness result{.reasons = differences(*before, *now), .manifest = {}};
  if (!result.reasons.empty()) return result;
  result.outdated_manifest = *now != *before;
  result.manifest = std::move(*now);
  return result;
}

}  // namespace kd
