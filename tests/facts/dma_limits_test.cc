// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/facts/dma_limits.h"

#include <gmock/gmock.h>

#include "builder/facts/gather.h"
#include "builder/facts/machine_json.h"
#include "tests/facts/fake_machines.h"

namespace kd {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

std::vector<std::string> with_flags(const std::string& flags) {
  return parse_memory_encryption("processor\t: 0\nflags\t\t: fpu vme " + flags + "\nbugs\t: sev\n");
}

TEST(MemoryEncryption, IsToldFromTheFlags) {
  EXPECT_THAT(with_flags("nx lm"), IsEmpty());
  EXPECT_THAT(with_flags("sme sev sev_es"), ElementsAre("sme")) << "a host";
  EXPECT_THAT(with_flags("hypervisor lm sev sev_es"), ElementsAre("sev")) << "a guest";
  EXPECT_THAT(with_flags("hypervisor tdx_guest"), ElementsAre("tdx"));
  EXPECT_THAT(with_flags("hypervisor sevx"), IsEmpty());
  EXPECT_THAT(parse_memory_encryption(""), IsEmpty());
}

TEST(DmaLimits, AreRecordedWhereThereAreAny) {
  FakeRoot root;
  add_small_files(root);
  add_virtio_disk(root, "vda", "254:0");
  root.file("/proc/self/mountinfo", "26 1 254:0 / / rw - ext4 /dev/vda rw\n");
  EXPECT_THAT(machine_to_json(gather_machine(root.reader(), "/var/crash").value()),
              Not(HasSubstr("dma_limits")));
  root.file("/sys/firmware/acpi/tables/SRAT", "SRAT");
  root.file("/proc/iomem", "26f000000-27affffff : Crash kernel\n");
  root.file("/sys/kernel/kexec/crash_cma_ranges", "40000000-40ffffff\n");
  const MachineFacts facts = gather_machine(root.reader(), "/var/crash").value();
  EXPECT_THAT(facts.dma_limits, ElementsAre("srat", "high"));
  EXPECT_EQ(facts.reservation_cma, 16U << 20);
  EXPECT_EQ(machine_from_json(machine_to_json(facts)).value(), facts);
}

}  // namespace
}  // namespace kd
