// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/write_image.h"

#include <filesystem>

#include "builder/answers/answers.h"
#include "builder/base/atomic_file.h"
#include "builder/base/digest.h"
#include "builder/freshness.h"
#include "builder/report/verdict.h"

namespace kd {
namespace {

// kdump-tools keeps the unpacked size in MiB beside the image, where its kdump-config and other
// estimators of crashkernel= look.
Result<void> write_unpacked_size(const std::string& image, const std::string& version,
                                 std::uint64_t bytes) {
  const std::filesystem::path path(image);
  if (path.filename() != "initrd.img-" + version) return {};
  const std::filesystem::path size = path.parent_path() / ("size_" + path.filename().string());
  KD_TRY(AtomicFile file, AtomicFile::create(size.string()));
  constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;
  return write_file(file, fmt::format("{}\n", (bytes + kMiB - 1) / kMiB));
}

}  // namespace

Result<void> write_manifest(const std::string& image, const Manifest& manifest) {
  KD_TRY(AtomicFile file, AtomicFile::create(manifest_path(image)));
  return write_file(file, manifest_to_json(manifest));
}

// The image is published before its manifest: a crash between the two leaves a new image with an
// old manifest, which the next run finds stale.
Result<Report> write_image(const std::string& image, bool strict, const Facts& facts,
                           const ImageInputs& inputs, Candidate candidate, Progress& progress) {
  progress.step("packing, compressing and verifying");
  KD_TRY(const std::string bytes, make_image(candidate.plan, candidate.entries, inputs.settings));
  candidate.model.image_size = bytes.size();
  Report report = report_of(inputs, candidate);
  if (strict) KD_CHECK(require_fit(report.fit.needed_with_cma, report.reservation));

  progress.step("writing");
  KD_TRY(AtomicFile image_file, AtomicFile::create(image));
  KD_CHECK(write_file(image_file, bytes));
  Manifest manifest = make_manifest(candidate.plan, candidate.digests, inputs.settings,
                                    inputs.notes, candidate.basis);
  manifest.needed = report.fit.needed;
  manifest.image_digest = digest(bytes);
  manifest.image_size = bytes.size();
  KD_CHECK(write_manifest(image, manifest));

  KD_CHECK(write_unpacked_size(image, facts.kernel.version, report.unpacked_size));

  report.output = image;
  report.compression =
      candidate.plan.variant.packed ? "packed" : cpio::name_of(inputs.settings.compression.codec);
  report.compressed_size = bytes.size();
  report.seconds = progress.seconds();
  return report;
}

}  // namespace kd
