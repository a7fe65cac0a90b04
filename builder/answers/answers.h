// SPDX-License-Identifier: GPL-2.0-or-later
//
// What kdump-mkinitrd says besides building an image. Each answer has a file of its name.
#pragma once

#include <string>

#include "builder/freshness.h"
#include "builder/layout.h"
#include "builder/outcome.h"
#include "builder/progress.h"
#include "builder/report/report.h"

namespace kd {

// With --json every answer is one JSON object, whose "result" names it: built, planned, fresh,
// stale, recorded, explained, verified, tested, calibrated or failed. --quiet leaves out text
// alone.

// --record: writes the machine into `file`.
Result<Outcome> record(const std::string& file, const MachineFacts& machine,
                       const Presentation& show);

// --check: whether the image on disk is what would be built.
Outcome say_freshness(const std::string& image, const Freshness& freshness,
                      const Presentation& show);
// Of a build that found nothing to do.
Outcome not_built_again(const std::string& image, const Freshness& freshness,
                        const Presentation& show);

// --why: the chain of reasons for `path`.
Result<Outcome> explain(const std::string& path, const ImagePlan& plan, const Presentation& show);

// --verify: whether the image on disk holds what `candidate` says.
Result<Outcome> verify(const std::string& image, const Roots& roots, const Candidate& candidate,
                       const Presentation& show);

// The end of the program for an error: on stderr, and with --json on stdout as well.
Outcome failed(int exit_code, const std::string& message, const Presentation& show);

// --list, --dry-run and the end of a build.
Report report_of(const ImageInputs& inputs, const Candidate& candidate);
std::string report_as(const Presentation& show, const Report& report);

// The memory that a capture takes with the image `file` of somebody else, an initrd as
// mkinitramfs(8) makes it, which boots the real root.
Result<Report> weigh_root_image(const std::string& file, std::uint64_t reservation,
                                const Roots& roots, const Facts& facts);

// --boot-test: crashes a machine with the image that is on disk, and keeps what that told beside
// it. Where layers lead to the target, with one that is the same but for them, in a reservation
// that is smaller by what they take. `before` is the answer of the build.
Result<Outcome> boot_test(const std::string& image, const ImageRequest& request, const Roots& roots,
                          const Facts& facts, const ImageInputs& inputs, const Presentation& show,
                          const Outcome& before);

// --calibrate: finds what the kernel takes for itself with the command line of a capture here, and
// keeps it beside `image`, which need not be there. A minute or two.
Result<Outcome> calibrate(const std::string& image, const Roots& roots, const Facts& facts,
                          const Presentation& show, Progress& progress);

}  // namespace kd
