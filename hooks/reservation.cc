// SPDX-License-Identifier: GPL-2.0-or-later
#include "hooks/reservation.h"

#include <algorithm>
#include <charconv>

#include "builder/base/atomic_file.h"
#include "hooks/state.h"

namespace kd {
namespace {

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;
constexpr std::uint64_t kStep = 8 * kMiB;
constexpr std::uint64_t kLeast = 96 * kMiB;
constexpr std::uint64_t kLeastForTheRoot = 192 * kMiB;
constexpr std::size_t kLongest = 200;
// Firmware takes some of the memory; parse_crashkernel_mem() in kernel/crash_reserve.c rounds up
// before it looks for the range.
constexpr std::uint64_t kRamStep = 128 * kMiB;

// memparse() of the kernel, for decimal numbers.
std::optional<std::uint64_t> take_size(std::string_view& text) {
  std::uint64_t number = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{}) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(stop - text.data()));
  constexpr std::string_view kUnits = "KMGTPE";
  if (text.empty()) return number;
  const char upper = static_cast<char>(text.front() & ~0x20);
  const std::size_t unit = kUnits.find(upper);
  if (unit == std::string_view::npos) return number;
  text.remove_prefix(1);
  const unsigned shift = 10 * (static_cast<unsigned>(unit) + 1);
  if (number > (~std::uint64_t{0} >> shift)) return std::nullopt;
  return number << shift;
}

bool take(std::string_view& text, char c) {
  if (!text.starts_with(c)) return false;
  text.remove_prefix(1);
  return true;
}

// START-[END]:SIZE[,...]
std::optional<std::uint64_t> take_ranges(std::string_view& text, std::uint64_t ram) {
  std::optional<std::uint64_t> found;
  do {
    const std::optional<std::uint64_t> start = take_size(text);
    if (!start || !take(text, '-')) return std::nullopt;
    std::uint64_t end = ~std::uint64_t{0};
    if (!text.starts_with(':')) {
      const std::optional<std::uint64_t> given = take_size(text);
      if (!given) return std::nullopt;
      end = *given;
    }
    if (!take(text, ':')) return std::nullopt;
    const std::optional<std::uint64_t> size = take_size(text);
    if (!size) return std::nullopt;
    if (!found && ram >= *start && ram < end) found = size;
  } while (take(text, ','));
  return found.value_or(0);
}

// One crashkernel= parameter, read to its end.
std::optional<std::uint64_t> of_parameter(std::string_view value, std::uint64_t ram) {
  std::string_view rest = value;
  std::optional<std::uint64_t> size = take_size(rest);
  if (!size) return std::nullopt;
  if (rest.starts_with('-')) {
    rest = value;
    size = take_ranges(rest, ram);
  } else if (rest == ",high" || rest == ",low" || rest == ",cma") {
    return size;
  }
  if (take(rest, '@') && !take_size(rest)) return std::nullopt;
  return rest.empty() ? size : std::nullopt;
}

}  // namespace

std::uint64_t recommended_reservation(const Need& need) {
  const std::uint64_t more = (need.bytes + need.bytes / 8 + kStep - 1) / kStep * kStep;
  return std::max(more, need.real_root ? kLeastForTheRoot : kLeast);
}

std::optional<std::uint64_t> reserved_by(std::string_view value, std::uint64_t ram) {
  constexpr std::string_view kNext = " crashkernel=";
  const std::uint64_t rounded = (ram + kRamStep - 1) / kRamStep * kRamStep;
  std::uint64_t sum = 0;
  for (;;) {
    const std::size_t end = value.find(kNext);
    const std::optional<std::uint64_t> size = of_parameter(value.substr(0, end), rounded);
    if (!size) return std::nullopt;
    sum += *size;
    if (end == std::string_view::npos) return sum;
    value.remove_prefix(end + kNext.size());
  }
}

// What reserved_by() has read to its end holds nothing that a shell or a command line could
// misread.
std::string wanted_reservation(const FileReader& reader) {
  std::string kept = reader.read(kWantedReservation).value_or("");
  kept = kept.substr(0, kept.find('\n'));
  return kept.size() <= kLongest && reserved_by(kept, 0) ? kept : "";
}

Result<std::string> want_reservation(const Context& context, const Need& need, std::uint64_t ram) {
  std::string kept = wanted_reservation(context.reader);
  const std::uint64_t wanted = recommended_reservation(need);
  if (reserved_by(kept, ram).value_or(0) >= wanted) return kept;
  // With less memory a machine needs all of it itself.
  std::string value = fmt::format("512M-:{}M", wanted / kMiB);
  KD_TRY(const std::string directory, context.reader.host_path(kDataDir));
  KD_TRY(AtomicFile file,
         AtomicFile::create(directory + std::string(kWantedReservation.substr(kDataDir.size()))));
  KD_CHECK(write_file(file, value + "\n"));
  return value;
}

}  // namespace kd
