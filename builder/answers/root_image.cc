// SPDX-License-Identifier: GPL-2.0-or-later
#include <sys/stat.h>

#include <algorithm>

#include "builder/answers/answers.h"
#include "builder/layout.h"
#include "builder/policy/command_line.h"
#include "builder/report/verdict.h"
#include "cpio/image.h"

namespace kd {
namespace {

// zstd -9 and xz -6 of mkinitramfs(8) have a window of 8 MiB at most.
constexpr int kWindowLog = 23;

bool is_module(std::string_view path) {
  return path.ends_with(".ko") || path.find(".ko.") != std::string_view::npos;
}

// Files under several names are unpacked once.
void add_files(const cpio::SegmentContent& segment, std::vector<FileSize>& files) {
  for (const cpio::Entry& entry : segment.entries) {
    const bool regular = S_ISREG(entry.mode);
    files.push_back(
        {.bytes = regular ? entry.data.size() / std::max(entry.links, std::uint32_t{1}) : 0,
         .module = regular && is_module(entry.path)});
  }
}

}  // namespace

Result<Report> weigh_root_image(const std::string& file, std::uint64_t reservation,
                                const Roots& roots, const Facts& facts) {
  KD_TRY(const std::string image, read_host_file(roots, file));
  Result<std::vector<cpio::SegmentContent>> segments = cpio::read_image(image);
  if (!segments) return in_context(file, segments.error());

  // A target that is not known gets the command line that risks nothing.
  CommandLineInputs line = command_line_inputs(facts.machine, facts.config, facts.kernel.version);
  line.rootfs = true;
  line.profile = "stock";
  Report report{.kernel = facts.kernel.version,
                .target = "the real root, by " + file,
                .command_line = capture_command_line(line).text};
  ModelInput model{.variant = kVariants[0],
                   .image_size = image.size(),
                   .compression = {.codec = cpio::Codec::kNone, .window_log = kWindowLog},
                   .kernel = derived_memory(facts, report.command_line),
                   .reservation_end = facts.machine.reservation_end,
                   .cma = cma_in(reservation, facts),
                   .ram = facts.machine.ram,
                   .real_root = RealRoot{.modules = loaded_module_bytes(roots, facts)}};
  model.bounce_buffers = bounce_buffers({.command_line = report.command_line,
                                         .limits = facts.machine.dma_limits,
                                         .ram = facts.machine.ram});
  KD_TRY(model.dump_arguments, split_words(facts.config.makedump_args));
  for (const cpio::SegmentContent& segment : *segments) {
    add_files(segment, model.files);
    // Microcode comes first, and is not compressed.
    if (segment.codec != cpio::Codec::kNone) model.compression.codec = segment.codec;
    report.unpacked_size += segment.unpacked_size;
  }
  report.fit = predict(model);
  report.reservation = reservation;
  report.verdict = fit_verdict(report.fit.needed_with_cma, reservation);
  report.compression = cpio::name_of(model.compression.codec);
  report.compressed_size = image.size();
  return report;
}

}  // namespace kd
