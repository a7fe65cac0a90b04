// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/report/verdict.h"

namespace kd {
namespace {

std::string megabytes(std::uint64_t bytes) { return fmt::format("{}M", bytes >> 20); }

}  // namespace

bool fits(std::uint64_t needed, std::uint64_t reservation) {
  return reservation == 0 || needed <= reservation;
}

std::string fit_verdict(std::uint64_t needed, std::uint64_t reservation) {
  if (reservation == 0) {
    return fmt::format("needs crashkernel={}; no reservation is known here", megabytes(needed));
  }
  if (fits(needed, reservation)) {
    return fmt::format("fits {} with {} to spare", megabytes(reservation),
                       megabytes(reservation - needed));
  }
  return fmt::format(
      "does not fit: needs crashkernel={}, {} more than the reservation of {}; raise it in "
      "/etc/default/grub.d/kdump-tools.cfg, run update-grub and reboot",
      megabytes(needed), megabytes(needed - reservation), megabytes(reservation));
}

Result<void> require_fit(std::uint64_t needed, std::uint64_t reservation) {
  if (fits(needed, reservation)) return {};
  return fail(ErrorKind::kDoesNotFit, "{}", fit_verdict(needed, reservation));
}

Json fit_json(std::uint64_t needed, std::uint64_t reservation) {
  return {{"needed_bytes", needed},
          {"reservation_bytes", reservation},
          {"fits", reservation == 0 ? Json(nullptr) : Json(fits(needed, reservation))},
          {"verdict", fit_verdict(needed, reservation)}};
}

}  // namespace kd
