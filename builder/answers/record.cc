// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/answers/answers.h"
#include "builder/base/atomic_file.h"
#include "builder/base/json.h"
#include "builder/facts/machine_json.h"

namespace kd {

Result<Outcome> record(const std::string& file, const MachineFacts& machine,
                       const Presentation& show) {
  KD_TRY(AtomicFile record, AtomicFile::create(file));
  KD_CHECK(write_file(record, machine_to_json(machine)));
  if (show.json) return Outcome{0, json_text({{"result", "recorded"}, {"record", file}})};
  return Outcome{0, show.quiet ? "" : fmt::format("recorded in {}\n", file)};
}

}  // namespace kd
