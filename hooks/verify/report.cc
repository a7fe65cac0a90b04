// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>
#include <nlohmann/json.hpp>

#include "hooks/verify/verify.h"

namespace kd::verify {
namespace {

// Names of processes and modules come out of a damaged kernel: nothing of them may reach a terminal
// as a control character.
std::string printable(std::string text) {
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = '?';
  }
  return text;
}

// What a walk missed says what the page belongs to, if it could tell the page.
const Check* first_failed(const Verification& verification) {
  const auto failed = [](const Check& check) { return check.missing_count > 0; };
  const auto walk_tells = [&](const Check& check) {
    return failed(check) && check.name != "descriptors" && check.name != "pages" &&
           check.first_missing->unread.page;
  };
  const auto& checks = verification.checks;
  auto found = std::ranges::find_if(checks, walk_tells);
  if (found == checks.end()) found = std::ranges::find_if(checks, failed);
  return found == checks.end() ? nullptr : &*found;
}

std::string line(const Check& check) {
  std::string text = fmt::format("  {:<12} ", check.name);
  if (!check.not_checked.empty()) return text + "not checked: " + check.not_checked + "\n";
  text += std::to_string(check.count);
  if (!check.detail.empty()) text += fmt::format(", {}", check.detail);
  if (check.missing_count > 0) {
    text += fmt::format(", {} missing: {}", check.missing_count, describe(*check.first_missing));
  }
  return text + "\n";
}

}  // namespace

std::string describe(const Missing& missing) {
  const Unread& unread = missing.unread;
  const std::string page = unread.page ? fmt::format("page {:#x}", *unread.page)
                                       : fmt::format("address {:#x}", unread.address);
  switch (unread.kind) {
    case Unread::Kind::kNotInDump:
      return fmt::format("{} is not in the dump: {}", page, missing.belongs_to);
    case Unread::Kind::kDamaged:
      return !unread.page && unread.address == 0
                 ? fmt::format("{}: {}", unread.reason, missing.belongs_to)
                 : fmt::format("{} is damaged ({}): {}", page, unread.reason, missing.belongs_to);
    case Unread::Kind::kNotMapped:
      return fmt::format("address {:#x} cannot be translated ({}): {}", unread.address,
                         unread.reason, missing.belongs_to);
    case Unread::Kind::kCircle:
      break;
  }
  return fmt::format("{} at {:#x}: {}", unread.reason, unread.address, missing.belongs_to);
}

Outcome outcome(const Verification& verification) {
  if (!verification.unreadable.empty() || first_failed(verification) != nullptr) {
    return Outcome::kDamaged;
  }
  const bool all = std::ranges::all_of(
      verification.checks, [](const Check& check) { return check.not_checked.empty(); });
  return all ? Outcome::kWhole : Outcome::kPartlyChecked;
}

std::string_view name_of(Outcome outcome) {
  switch (outcome) {
    case Outcome::kWhole:
      return "whole";
    case Outcome::kDamaged:
      return "damaged";
    case Outcome::kPartlyChecked:
      break;
  }
  return "partly checked";
}

std::string reason(const Verification& verification) {
  if (!verification.unreadable.empty()) return printable(verification.unreadable);
  if (const Check* failed = first_failed(verification)) {
    return printable(describe(*failed->first_missing));
  }
  for (const Check& check : verification.checks) {
    if (!check.not_checked.empty()) {
      return printable(fmt::format("{} not checked: {}", check.name, check.not_checked));
    }
  }
  return {};
}

std::string to_text(const Verification& verification) {
  const Outcome result = outcome(verification);
  std::string out = fmt::format("{}: {}\n", verification.dump, name_of(result));
  if (!verification.unreadable.empty()) return out + "  " + reason(verification) + "\n";
  out += fmt::format("  {:<12} {}, {} bytes\n", "format", verification.format, verification.bytes);
  out += fmt::format("  {:<12} {}\n", "kernel", printable(verification.kernel));
  for (const Check& check : verification.checks) {
    std::string text = line(check);
    text.pop_back();
    out += printable(text) + "\n";
  }
  if (result != Outcome::kWhole) out += reason(verification) + "\n";
  return out;
}

std::string to_json(const Verification& verification) {
  nlohmann::ordered_json checks = nlohmann::ordered_json::array();
  for (const Check& check : verification.checks) {
    nlohmann::ordered_json row = {{"name", check.name}, {"count", check.count}};
    if (!check.detail.empty()) row["detail"] = check.detail;
    row["missing"] = check.missing_count;
    if (check.first_missing) {
      row["first_missing"] = describe(*check.first_missing);
      if (check.first_missing->unread.page) row["page"] = *check.first_missing->unread.page;
      row["belongs_to"] = check.first_missing->belongs_to;
    }
    if (!check.not_checked.empty()) row["not_checked"] = check.not_checked;
    checks.push_back(std::move(row));
  }
  const nlohmann::ordered_json json = {{"schema", 1},
                                       {"dump", verification.dump},
                                       {"bytes", verification.bytes},
                                       {"result", name_of(outcome(verification))},
                                       {"reason", reason(verification)},
                                       {"format", verification.format},
                                       {"kernel", verification.kernel},
                                       {"checks", checks}};
  // A log may hold any byte.
  return json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace kd::verify
