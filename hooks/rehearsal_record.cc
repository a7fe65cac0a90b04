// SPDX-License-Identifier: GPL-2.0-or-later
//
// The file that keeps a rehearsal.
#include <algorithm>
#include <array>

#include "builder/base/json.h"
#include "hooks/rehearsal.h"

namespace kd {
namespace {

constexpr unsigned kVersion = 1;
// The steps of a capture and some sentences have a tenth of this.
constexpr std::size_t kMostBytes = std::size_t{64} << 10;

using State = Rehearsal::State;
constexpr std::array kStates = {State::kArmed,  State::kBegun,  State::kSaved,
                                State::kPassed, State::kFailed, State::kNotShown};

void read_setup(JsonObject& record, CaptureSetup& setup) {
  const Json* member = record.find("setup");
  if (member == nullptr) return;
  JsonObject object(*member, record.path_of("setup"), record.problem());
  object.read("running", setup.running);
  object.read("kernel", setup.kernel);
  object.read("image", setup.image);
  object.read("command_line", setup.command_line);
  object.read("reservation", setup.reservation);
  object.read("target", setup.target);
}

void read_figures(JsonObject& record, CaptureFigures& figures) {
  record.read("milliseconds", figures.milliseconds);
  record.read("dump_bytes", figures.dump_bytes);
  record.read_array("steps", [&](const Json& element, const std::string& path) {
    JsonObject object(element, path, record.problem());
    CaptureStep& step = figures.steps.emplace_back();
    object.read("name", step.name);
    object.read("milliseconds", step.milliseconds);
    object.read("available_kib", step.available_kib);
  });
}

}  // namespace

std::string rehearsal_to_json(const Rehearsal& rehearsal) {
  const CaptureSetup& setup = rehearsal.setup;
  Json steps = Json::array();
  for (const CaptureStep& step : rehearsal.figures.steps) {
    steps.push_back({{"name", step.name},
                     {"milliseconds", step.milliseconds},
                     {"available_kib", step.available_kib}});
  }
  const Json json = {{"version", kVersion},
                     {"state", name_of(rehearsal.state)},
                     {"boot_id", rehearsal.boot_id},
                     {"date", rehearsal.date},
                     {"newest_run", rehearsal.newest_run},
                     {"why", rehearsal.why},
                     {"run", rehearsal.run},
                     {"setup",
                      {{"running", setup.running},
                       {"kernel", setup.kernel},
                       {"image", setup.image},
                       {"command_line", setup.command_line},
                       {"reservation", setup.reservation},
                       {"target", setup.target}}},
                     {"milliseconds", rehearsal.figures.milliseconds},
                     {"dump_bytes", rehearsal.figures.dump_bytes},
                     {"steps", steps}};
  return json_text(json);
}

Result<Rehearsal> rehearsal_from_json(std::string_view text) {
  KD_TRY(const Json json, parse_json(text, kMostBytes));
  Rehearsal rehearsal;
  std::string problem, state;
  JsonObject record(json, "", problem);
  record.expect_version(kVersion);
  record.read("state", state);
  const auto* const known =
      std::ranges::find(kStates, state, [](State each) { return name_of(each); });
  if (known == kStates.end()) record.complain("/state", "is not a known state");
  record.read("boot_id", rehearsal.boot_id);
  record.read("date", rehearsal.date);
  record.read("newest_run", rehearsal.newest_run);
  record.read("why", rehearsal.why);
  record.read("run", rehearsal.run);
  read_setup(record, rehearsal.setup);
  read_figures(record, rehearsal.figures);
  if (!problem.empty()) return fail(ErrorKind::kFailed, "{}", problem);
  rehearsal.state = *known;
  return rehearsal;
}

}  // namespace kd
