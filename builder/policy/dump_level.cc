// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/policy/dump_level.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <iterator>

namespace kd {
namespace {

// From a kernel on, older programs lose pages that a debugger cannot do without. Rows of which only
// the size of a dump depends (compound pages from 6.3, hugetlb from 6.9, free pages from 6.12) are
// not here.
struct Loss {
  Version kernel;
  std::optional<Version> right_from;  // the first release that filters right; nullopt: none yet
  std::string_view what;
};
constexpr Loss kLosses[] = {
    // makedumpfile's files of before 2016 were not looked through.
    {{0, 0}, Version{1, 6, 0}, "is older than what is known of it"},
    // makedumpfile 5f17bdd212, for kernel commit 130d4df57390: slab.slabs lies over page.mapping.
    {{6, 2}, Version{1, 7, 3}, "takes pages of slabs for memory of programs"},
    // makedumpfile bad2a7c4fa, for kernel commit 46df8e73a4a3: PG_slab left page.flags.
    {{6, 10}, Version{1, 7, 6}, "takes pages of slabs for memory of programs"},
    // makedumpfile f50c015f15, which came after 1.7.9 and is in no release, for kernel commit
    // d50569612c29: page.compound_head became compound_info. Measured on 7.3.4 with 1.7.6 and
    // 1.7.8: of a dump with -d 31 drgn reads no task, with -d 17 and -d 1 all.
    {{7, 1}, std::nullopt, "takes tail pages of slabs for memory of programs"},
};

// LATEST_VERSION in makedumpfile.h of each release.
struct Release {
  Version makedumpfile;
  Version newest_kernel;
};
constexpr Release kReleases[] = {
    {{1, 6, 8}, {5, 9}},  {{1, 6, 9}, {5, 12}}, {{1, 7, 0}, {5, 15}}, {{1, 7, 1}, {5, 17}},
    {{1, 7, 2}, {6, 0}},  {{1, 7, 3}, {6, 3}},  {{1, 7, 4}, {6, 6}},  {{1, 7, 5}, {6, 8}},
    {{1, 7, 6}, {6, 11}}, {{1, 7, 7}, {6, 14}}, {{1, 7, 8}, {6, 17}}, {{1, 7, 9}, {7, 0}},
};

// Pages of zeros (1) and free pages (16): neither is told from the fields of struct page that
// moved.
constexpr unsigned kSafeLevel = 17;
constexpr std::string_view kSafeArguments[] = {"-c", "-d", "17"};

// Why this pair cannot be trusted with more than kSafeLevel; empty when it can.
std::string distrust(const DumpPair& pair) {
  const std::optional<Version> kernel = parse_version(pair.kernel);
  if (!kernel) return "the version of the kernel cannot be told";
  const std::optional<Version> program = parse_version(pair.makedumpfile);
  if (!program) return "the version of makedumpfile cannot be told";
  const auto loss = std::find_if(std::rbegin(kLosses), std::rend(kLosses), [&](const Loss& row) {
    return *kernel >= row.kernel && (!row.right_from || *program < *row.right_from);
  });
  if (loss == std::rend(kLosses)) return {};
  return fmt::format("makedumpfile {} {} with kernel {}", pair.makedumpfile, loss->what,
                     pair.kernel);
}

// The levels after -d, which getopt(3) also takes in one word and behind other letters: "-d17",
// "-cd 1,31". Without any, makedumpfile leaves nothing out.
std::vector<std::string> levels_of(const std::vector<std::string>& arguments) {
  // Letters without a value (makedumpfile.h, getopt string of main()).
  constexpr std::string_view kFlags = "cDeEFfhlpRvz";
  std::vector<std::string> levels;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string& word = arguments[i];
    if (!word.starts_with('-') || word.starts_with("--")) continue;
    const std::size_t at = word.find_first_not_of(kFlags, 1);
    if (at == std::string::npos || word[at] != 'd') continue;
    if (at + 1 < word.size()) {
      levels.push_back(word.substr(at + 1));
    } else if (i + 1 < arguments.size()) {
      levels.push_back(arguments[++i]);
    }
  }
  return levels;
}

// `list` is one level, or several that makedumpfile tries while the target is full. What is no
// number is not safe.
bool is_safe(std::string_view list) {
  const char* at = list.data();
  const char* const end = at + list.size();
  while (true) {
    unsigned level = 0;
    const auto [stop, error] = std::from_chars(at, end, level);
    if (error != std::errc{} || (level & ~kSafeLevel) != 0) return false;
    if (stop == end) return true;
    if (*stop != ',') return false;
    at = stop + 1;
  }
}

bool is_set(const KdumpConfig& config) {
  const auto found = config.all.find("MAKEDUMP_ARGS");
  return found != config.all.end() && !found->second.empty();
}

}  // namespace

std::optional<Version> parse_version(std::string_view text) {
  int numbers[3] = {};
  std::size_t count = 0;
  const char* at = text.data();
  const char* const end = at + text.size();
  while (count < std::size(numbers)) {
    const auto [stop, error] = std::from_chars(at, end, numbers[count]);
    if (error != std::errc{} || numbers[count] < 0) break;
    ++count;
    if (stop == end || *stop != '.') break;
    at = stop + 1;
  }
  if (count < 2) return std::nullopt;
  return Version{numbers[0], numbers[1], count == 3 ? numbers[2] : 0};
}

Result<DumpArguments> choose_dump_arguments(const KdumpConfig& config, const DumpPair& pair) {
  DumpArguments result;
  KD_TRY(result.first, split_words(config.makedump_args));
  // -F writes the flattened format for a pipe; into a file it would only make the dump unreadable
  // for crash(8) until it is rearranged.
  std::erase(result.first, "-F");
  // makedumpfile(8): one thread, no compression and only the pages a debugger needs.
  result.retry = {"-d", "31", "--num-threads", "0"};
  const std::string why = distrust(pair);
  if (why.empty()) return result;
  result.retry[1] = std::to_string(kSafeLevel);
  if (!is_set(config)) {
    result.first.assign(std::begin(kSafeArguments), std::end(kSafeArguments));
    result.larger = true;
    result.note = fmt::format(
        "{}: the dump is made with -d {} in place of -d 31, it also holds the memory of programs "
        "and the page cache and gets as large as the memory in use, less compression",
        why, kSafeLevel);
  } else if (!std::ranges::all_of(levels_of(result.first), is_safe)) {
    result.unreadable = true;
    result.note = fmt::format(
        "{}: with the level in MAKEDUMP_ARGS the dump may lack what crash and drgn need to read "
        "it; use -d {} there, or remove MAKEDUMP_ARGS to get the level that is safe",
        why, kSafeLevel);
  }
  return result;
}

// makedumpfile(8) writes every page of the RAM at the level 0, with an index of 24 bytes for each;
// filters and compression mostly leave a tenth, and promise nothing.
std::string largest_file_note(std::string_view fs_type, std::uint64_t ram) {
  constexpr std::uint64_t kLargestVfatFile = (std::uint64_t{4} << 30) - 1;
  if (fs_type != "vfat" || ram + ram / 128 <= kLargestVfatFile) return {};
  return fmt::format(
      "a file on vfat ends at 4 GiB, and the dump of {:.1f} GiB of memory may be larger: what is "
      "beyond would be lost; set KDUMP_COREDIR to a directory on ext4, xfs or btrfs",
      static_cast<double>(ram) / (1 << 30));
}

std::string newest_kernel_note(const DumpPair& pair) {
  const std::optional<Version> kernel = parse_version(pair.kernel);
  const std::optional<Version> program = parse_version(pair.makedumpfile);
  if (!kernel || !program) return {};
  const auto* const release = std::ranges::find(kReleases, *program, &Release::makedumpfile);
  if (release == std::end(kReleases)) return {};
  const auto& [major, minor, patch] = release->newest_kernel;
  if (Version{kernel->major, kernel->minor} <= release->newest_kernel) return {};
  return fmt::format(
      "makedumpfile {} was released for kernels up to {}.{}: with kernel {} it says \"The kernel "
      "version is not supported\", which alone spoils no dump",
      pair.makedumpfile, major, minor, pair.kernel);
}

}  // namespace kd
