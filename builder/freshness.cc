// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/freshness.h"

#include <algorithm>

#include "builder/base/digest.h"
#include "builder/layout.h"

namespace kd {

std::string manifest_path(const std::string& image) { return image + ".manifest"; }

std::string memory_figures(const ImageInputs& inputs, const Facts& facts) {
  return fmt::format("{}; {} MiB in the machine", describe(inputs.kernel_memory),
                     facts.machine.ram >> 20);
}

// No input is held for this: the same inputs, reservation and memory figures lead to the layout of
// the manifest again.
Result<Reasons> stale_reasons(const std::string& image, const ImageRequest& request,
                              const Roots& roots, const Facts& facts, const ImageInputs& inputs) {
  const Result<std::string> text = read_host_file(roots, manifest_path(image));
  if (!text) return Reasons{text.error().message};
  const Result<Manifest> before = manifest_from_json(*text);
  if (!before) {
    return Reasons{fmt::format("{}: {}", manifest_path(image), before.error().message)};
  }
  const Result<FileDigest> file = digest_of_file(roots.host, absolute(image));
  if (!file) return Reasons{file.error().message};
  if (file->size != before->image_size || file->digest != before->image_digest) {
    return Reasons{fmt::format("{} is not the file its manifest describes", image)};
  }
  const std::string& layout = request.variant.empty() ? before->variant : request.variant;
  const auto variant = std::ranges::find(kVariants, layout, &Variant::name);
  if (variant == kVariants.end()) return Reasons{fmt::format("layout {} is not known", layout)};
  KD_TRY(const ImagePlan plan, plan_variant(inputs, *variant));
  KD_TRY(const std::vector<std::string> digests,
         digest_contents(plan, {roots.machine, roots.kernel, roots.host}));
  return differences(*before,
                     make_manifest(plan, digests, inputs.settings, inputs.notes,
                                   reservation_for(request, facts), memory_figures(inputs, facts)));
}

ImageRequest with_layout_on_disk(ImageRequest request, const std::string& image,
                                 const Roots& roots) {
  const Result<std::string> text = read_host_file(roots, manifest_path(image));
  const Result<Manifest> manifest = text ? manifest_from_json(*text) : tl::unexpected(text.error());
  if (manifest && request.variant.empty() &&
      std::ranges::find(kVariants, manifest->variant, &Variant::name) != kVariants.end()) {
    request.variant = manifest->variant;
  }
  return request;
}

}  // namespace kd
