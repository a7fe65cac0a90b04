// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/inputs.h"

#include <filesystem>

#include "builder/facts/gather.h"
#include "builder/facts/machine_json.h"

namespace kd {
namespace {

// Only the file of the system may be missing: what somebody names has to be there.
Result<KdumpConfig> configuration(const InputPlaces& places, const Roots& roots) {
  constexpr std::string_view kSystem = "/etc/default/kdump-tools";
  if (places.config.empty()) return read_kdump_config(roots.machine, kSystem);
  KD_CHECK(roots.machine.status(places.config));
  return read_kdump_config(roots.machine, places.config);
}

Result<InitramfsConfig> additions_of(const InputPlaces& places, const Roots& roots) {
  if (places.confdir.empty()) return InitramfsConfig{};
  return read_initramfs_config(roots.machine, places.confdir);
}

Result<MachineFacts> machine_facts(const InputPlaces& places, const Roots& roots,
                                   const KdumpConfig& config) {
  if (places.facts.empty()) return gather_machine(roots.machine, config.core_dir);
  KD_TRY(const std::string text, read_host_file(roots, places.facts));
  Result<MachineFacts> machine = machine_from_json(text);
  if (!machine) return in_context(places.facts, machine.error());
  return machine;
}

}  // namespace

Result<Roots> open_roots(const InputPlaces& places) {
  const auto or_host = [](const std::string& root) { return root.empty() ? "/" : root; };
  KD_TRY(RootedReader machine, RootedReader::open(or_host(places.sysroot)));
  KD_TRY(RootedReader kernel, RootedReader::open(or_host(places.kernel_root)));
  KD_TRY(RootedReader host, RootedReader::open("/"));
  return Roots{std::move(machine), std::move(kernel), std::move(host)};
}

std::string absolute(const std::string& path) { return std::filesystem::absolute(path).string(); }

Result<std::string> read_host_file(const Roots& roots, const std::string& path) {
  return roots.host.read(absolute(path));
}

Result<Facts> read_facts(const InputPlaces& places, const Roots& roots) {
  Facts facts{.recorded = !places.facts.empty(),
              .root_of_host = !places.facts.empty() && places.sysroot.empty()};
  KD_TRY(facts.config, configuration(places, roots));
  KD_TRY(facts.additions, additions_of(places, roots));
  KD_TRY(facts.machine, machine_facts(places, roots, facts.config));
  return facts;
}

}  // namespace kd
