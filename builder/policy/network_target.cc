// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/policy/network_target.h"

#include <utility>

namespace kd {

Result<void> refuse_network(const KdumpConfig& config) {
  for (const auto& [variable, value] :
       {std::pair{"SSH", &config.ssh}, {"NFS", &config.nfs}, {"FTP", &config.ftp}}) {
    if (value->empty()) continue;
    return fail(ErrorKind::kTargetNotSupported,
                "{}=\"{}\": dumps to the network are not supported yet; unset {} to dump to {}",
                variable, *value, variable, config.core_dir);
  }
  return {};
}

}  // namespace kd
