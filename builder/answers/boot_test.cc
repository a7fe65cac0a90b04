// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/boot_test/boot_test.h"

#include <unistd.h>

#include "builder/answers/answers.h"
#include "builder/base/atomic_file.h"
#include "builder/base/json.h"
#include "builder/fit/measurement.h"
#include "builder/own_file.h"
#include "builder/policy/command_line.h"

namespace kd {
namespace {

Result<BootTestResult> crash(const std::string& image, std::uint64_t reservation,
                             const Roots& roots, const Facts& facts, const ImageInputs& inputs) {
  if (reservation == 0) {
    return fail(ErrorKind::kUsage,
                "--boot-test has no reservation to test; add --crashkernel SIZE");
  }
  if (facts.kernel.vmlinuz.empty()) {
    return fail(ErrorKind::kKernelNotFound, "--boot-test needs vmlinuz-{}", facts.kernel.version);
  }
  BootTestInput input{.machine = facts.machine,
                      .command_line = inputs.command_line,
                      .reservation = reservation,
                      .kvm = ::access("/dev/kvm", R_OK | W_OK) == 0};
  KD_TRY(const std::string crash_init, own_file("kdump-init-crash"));
  KD_TRY(input.crash_init, roots.host.read(crash_init));
  KD_TRY(input.kernel, roots.kernel.read(facts.kernel.vmlinuz));
  KD_TRY(input.image, read_host_file(roots, image));
  SystemRunner runner;
  return run_boot_test(input, runner);
}

}  // namespace

Result<Outcome> boot_test(const std::string& image, std::uint64_t reservation, const Roots& roots,
                          const Facts& facts, const ImageInputs& inputs, const Presentation& show,
                          const Outcome& before) {
  KD_TRY(const BootTestResult result, crash(image, reservation, roots, facts, inputs));
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
