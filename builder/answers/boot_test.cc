// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/boot_test/boot_test.h"

#include <unistd.h>

#include <algorithm>

#include "builder/answers/answers.h"
#include "builder/base/atomic_file.h"
#include "builder/base/json.h"
#include "builder/boot_test/virtual_machine.h"
#include "builder/fit/measurement.h"
#include "builder/own_file.h"
#include "builder/write/image_file.h"

namespace kd {
namespace {

// An image and what it is tested in.
struct Tested {
  MachineFacts machine;
  std::vector<std::string> left_out;
  std::string image;  // bytes
  std::uint64_t reservation = 0;
};

// The image for the machine without the layers, which the real one would wait for.
Result<Tested> tested_without(WithoutLayers without, ImageRequest request, const std::string& image,
                              const Roots& roots, const Facts& facts, const ImageInputs& inputs) {
  KD_TRY(const Candidate real, choose_variant(request, roots, facts, inputs));
  Facts plain = facts;
  plain.machine = std::move(without.machine);
  request.variant = real.plan.variant.name;
  KD_TRY(const ImageInputs plain_inputs, choose_inputs(request, image, roots, plain));
  KD_TRY(Candidate made, choose_variant(request, roots, plain, plain_inputs));
  Tested result{.machine = std::move(plain.machine), .left_out = std::move(without.left_out)};
  KD_TRY(result.image, make_image(made.plan, made.entries, plain_inputs.settings));
  result.reservation = reservation_for(request, facts);
  // While it captures: at other moments layers take nothing but their modules.
  const std::uint64_t with = predict(real.model).capture.total(),
                      alone = predict(made.model).capture.total();
  const std::uint64_t more = whole_mebibytes(with - std::min(with, alone));
  result.reservation -= std::min(result.reservation, more);
  return result;
}

Result<Tested> what_is_tested(const std::string& image, const ImageRequest& request,
                              const Roots& roots, const Facts& facts, const ImageInputs& inputs) {
  WithoutLayers without = without_layers(facts.machine);
  // A real root is more than the layers that lead to it.
  if (!without.left_out.empty() && facts.config.capture != "rootfs") {
    return tested_without(std::move(without), request, image, roots, facts, inputs);
  }
  Tested result{.machine = facts.machine, .reservation = reservation_for(request, facts)};
  KD_TRY(result.image, read_host_file(roots, image));
  return result;
}

Result<BootTestResult> crash(const std::string& image, const ImageRequest& request,
                             const Roots& roots, const Facts& facts, const ImageInputs& inputs) {
  if (reservation_for(request, facts) == 0) {
    return fail(ErrorKind::kUsage,
                "--boot-test has no reservation to test; add --crashkernel SIZE");
  }
  if (facts.kernel.vmlinuz.empty()) {
    return fail(ErrorKind::kKernelNotFound, "--boot-test needs vmlinuz-{}", facts.kernel.version);
  }
  KD_TRY(Tested tested, what_is_tested(image, request, roots, facts, inputs));
  BootTestInput input{.machine = tested.machine,
                      .image = std::move(tested.image),
                      .command_line = inputs.command_line,
                      .reservation = tested.reservation,
                      .left_out = std::move(tested.left_out),
                      .kvm = ::access("/dev/kvm", R_OK | W_OK) == 0};
  KD_TRY(const std::string crash_init, own_file("kdump-init-crash"));
  KD_TRY(input.crash_init, roots.host.read(crash_init));
  KD_TRY(input.kernel, roots.kernel.read(facts.kernel.vmlinuz));
  SystemRunner runner;
  return run_boot_test(input, runner);
}

}  // namespace

Result<Outcome> boot_test(const std::string& image, const ImageRequest& request, const Roots& roots,
                          const Facts& facts, const ImageInputs& inputs, const Presentation& show,
                          const Outcome& before) {
  KD_TRY(const BootTestResult result, crash(image, request, roots, facts, inputs));
  KD_TRY(AtomicFile file, AtomicFile::create(boot_test_path(image)));
  KD_CHECK(write_file(file, result.json));
  const int code = result.passed ? 0 : kExitBootTestFailed;
  if (show.json) {
    Json json = {{"result", "tested"}};
    json.update(Json::parse(result.json));
    return Outcome{code, json_text(json)};
  }
  return Outcome{code, before.out + (show.quiet ? "" : result.text)};
}

}  // namespace kd
