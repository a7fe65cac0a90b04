// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/facts/reservation.h"

#include <algorithm>
#include <charconv>

namespace kd {
namespace {

constexpr std::uint64_t kFourGiB = std::uint64_t{4} << 30;
// More than any machine has; what says so is not believed.
constexpr std::uint64_t kMost = std::uint64_t{1} << 52;

// "FIRST-LAST" in hexadecimal after blanks, removed from `line`; 0 when it is none.
std::uint64_t take_range(std::string_view& line, std::uint64_t& first) {
  line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
  std::uint64_t last = 0;
  const auto number = [&line](std::uint64_t& value) {
    const auto [stop, error] = std::from_chars(line.data(), line.data() + line.size(), value, 16);
    line.remove_prefix(static_cast<std::size_t>(stop - line.data()));
    return error == std::errc{};
  };
  if (!number(first) || !line.starts_with('-')) return 0;
  line.remove_prefix(1);
  if (!number(last) || last <= first || last >= kMost) return 0;
  return last - first + 1;
}

template <typename Use>
void for_each_range(std::string_view text, std::string_view name, Use use) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    std::uint64_t first = 0;
    const std::uint64_t bytes = take_range(line, first);
    if (bytes > 0 && line == name) use(first, bytes);
  }
}

}  // namespace

Reservation parse_reservation(std::string_view iomem, std::string_view crash_size,
                              std::string_view cma_ranges) {
  Reservation reservation;
  std::uint64_t told = 0;
  std::from_chars(crash_size.data(), crash_size.data() + crash_size.size(), told);
  if (told == 0) return reservation;
  for_each_range(iomem, " : Crash kernel", [&](std::uint64_t first, std::uint64_t bytes) {
    reservation.bytes += bytes;
    reservation.end = std::max(reservation.end, first + bytes);
    reservation.high = reservation.high || first >= kFourGiB;
  });
  reservation.bytes = std::max(reservation.bytes, told);
  for_each_range(cma_ranges, "",
                 [&](std::uint64_t, std::uint64_t bytes) { reservation.cma += bytes; });
  return reservation;
}

Reservation read_reservation(const FileReader& reader) {
  return parse_reservation(reader.read("/proc/iomem").value_or(""),
                           read_crash_attribute(reader, "size").value_or(""),
                           read_crash_attribute(reader, "cma_ranges").value_or(""));
}

std::uint64_t usable_reservation(std::uint64_t bytes, std::uint64_t cma,
                                 std::string_view kexec_args) {
  // As words: quotes do not matter for these.
  const std::string_view args = kexec_args;
  for (std::size_t at = 0; at < args.size();) {
    const std::size_t end = std::min(args.find(' ', at), args.size());
    const std::string_view word = args.substr(at, end - at);
    if (word == "-c" || word == "--kexec-syscall") return bytes;
    at = end + 1;
  }
  return bytes + cma;
}

Result<std::string> read_crash_attribute(const FileReader& reader, std::string_view name) {
  Result<std::string> text = reader.read(fmt::format("/sys/kernel/kexec/crash_{}", name));
  if (!text) text = reader.read(fmt::format("/sys/kernel/kexec_crash_{}", name));
  if (!text) return text;
  while (text->ends_with('\n') || text->ends_with(' ')) text->pop_back();
  return text;
}

}  // namespace kd
