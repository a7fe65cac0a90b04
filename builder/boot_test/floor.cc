// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/boot_test/floor.h"

#include <sys/stat.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <random>

#include "builder/boot_test/bisection.h"
#include "builder/boot_test/rig.h"
#include "builder/fit/kernel_memory.h"
#include "cpio/archive.h"

namespace kd {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::uint64_t kKiB = 1024;
constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;
// As large as what an image and its modules may be; a smaller one tells less of both moments.
constexpr std::uint64_t kPayload = 8 * kMiB;
// The first try, above the guess: for a kernel that nobody has measured.
constexpr std::uint64_t kRoomy = 24 * kMiB;
// Nobody reserves more for a kernel alone.
constexpr std::uint64_t kMost = std::uint64_t{1024} * kMiB;
// Init memory of a kernel, which is in use until init starts: 6 to 8 MiB of Debian's.
constexpr std::uint64_t kInitMemory = 12 * kMiB;
// A boot and a crash of Debian's kernels differ by 0.15 MiB at most.
constexpr std::uint64_t kSame = 512 * kKiB;

// struct page is made for whole sections (SECTION_SIZE_BITS of arch/x86/include/asm/sparsemem.h),
// 2 MiB for each, so both kernels have to see as many: that of the first 640 KiB, and one or more
// of the reservation.
constexpr std::uint64_t kSection = kMemorySection;
constexpr std::uint64_t kReservationStart = 2 * kSection;
// Where a bzImage that is not moved runs: CONFIG_PHYSICAL_START.
constexpr std::uint64_t kKernelStart = 16 * kMiB;

std::uint64_t sections(std::uint64_t bytes) { return (bytes + kSection - 1) / kSection; }

std::uint64_t without_map(std::uint64_t bytes) {
  return bytes - memory_map(bytes, kReservationStart + bytes);
}

// Does not compress, so that it is the same in every layer.
std::string noise(std::size_t bytes) {
  std::minstd_rand random(1);
  std::string text(bytes, '\0');
  std::ranges::generate(text, [&random] { return static_cast<char>(random()); });
  return text;
}

// The initrd of the kernel in question. Init comes last: without room for the payload it is not
// there.
Result<std::string> floor_image(const FloorInput& input, std::uint64_t payload) {
  std::vector<cpio::Entry> entries = {{.path = "proc", .mode = S_IFDIR | 0755, .data = {}}};
  if (payload > 0) {
    entries.push_back({.path = "payload", .mode = S_IFREG | 0600, .data = noise(payload)});
  }
  entries.push_back({.path = "init", .mode = S_IFREG | 0755, .data = input.floor_init});
  return cpio::write_archive(entries, 0);
}

class Search {
 public:
  Search(const FloorInput& input, ProgramRunner& runner,
         const std::function<void(const std::string&)>& say, const WorkDirectory& work)
      : input_(input), runner_(runner), say_(say), work_(work) {
    machine_.kvm = input.kvm;
    machine_.kernel = work.path("vmlinuz");
  }

  // Makes the files of tries with a payload; those before are not needed any more.
  Result<void> use_payload(std::uint64_t bytes) {
    KD_CHECK(write_work_file(machine_.kernel, input_.kernel));
    KD_TRY(const std::string image, floor_image(input_, bytes));
    KD_CHECK(write_work_file(work_.path("floor.img"), image));
    KD_TRY(const std::string first, first_initrd({.crash_init = input_.crash_init,
                                                  .kernel = input_.kernel,
                                                  .image = image,
                                                  .command_line = capture_line()}));
    return write_work_file(work_.path("first.img"), first);
  }

  // Whether init starts after a panic in a reservation of that size.
  Result<std::optional<FloorReport>> crash(std::uint64_t bytes) {
    ++floor_.crashes;
    machine_.memory = kReservationStart + bytes + 2 * kSection;
    machine_.command_line = first_command_line(bytes, kReservationStart);
    machine_.initrd = work_.path("first.img");
    return run("panic", bytes);
  }

  // The same without a crash.
  Result<std::optional<FloorReport>> boot(std::uint64_t bytes) {
    ++floor_.boots;
    const std::uint64_t seen = bytes - std::min(bytes, lost_);
    machine_.memory = kKernelStart + bytes + 3 * kSection;
    machine_.command_line = boot_command_line(capture_line(), seen);
    machine_.initrd = work_.path("floor.img");
    return run("boot", bytes);
  }

  // What a crash has in use, and whether boots can take the place of crashes.
  Result<FloorReport> compare(std::uint64_t bytes) {
    KD_TRY(const std::optional<FloorReport> crashed, crash(bytes));
    if (!crashed) {
      return fail(ErrorKind::kFailed,
                  "the kernel does not start init after a panic with {} MiB: {}", bytes / kMiB,
                  reason_);
    }
    KD_TRY(const std::optional<FloorReport> booted, boot(bytes));
    if (booted && booted->map >= crashed->map) lost_ = (booted->map - crashed->map) * kKiB;
    const std::uint64_t a = crashed->in_use(), b = booted ? booted->in_use() : 0;
    by_crashes_ = (std::max(a, b) - std::min(a, b)) * kKiB > kSame;
    if (by_crashes_) say_("a boot is not like a crash here: every try is a panic");
    return *crashed;
  }

  // The smallest reservation in which init starts, and what is left of it then.
  struct Found {
    std::uint64_t bytes = 0;
    FloorReport report;
  };
  // Between `low` and `high` bytes, likely.
  Result<Found> smallest(std::uint64_t low, std::uint64_t high) {
    Bisection bisection(static_cast<unsigned>(low / kFloorStep),
                        static_cast<unsigned>(high / kFloorStep),
                        static_cast<unsigned>(kMost / kFloorStep));
    Found last;
    while (const std::optional<unsigned> steps = bisection.next()) {
      const std::uint64_t bytes = *steps * kFloorStep;
      KD_TRY(const std::optional<FloorReport> report,
             by_crashes_ || bisection.confirms() ? crash(bytes) : boot(bytes));
      bisection.tell(report.has_value());
      if (report) last = {bytes, *report};
    }
    if (bisection.found()) return last;
    return fail(ErrorKind::kFailed, "the kernel never starts init: {}", reason_);
  }

  [[nodiscard]] Floor result() const {
    Floor floor = floor_;
    floor.kvm = machine_.kvm;
    return floor;
  }

 private:
  // No message of the kernel is read, and a panic ends the try.
  [[nodiscard]] std::string capture_line() const {
    return input_.command_line + " console=ttyS0 quiet panic=-1";
  }

  Result<std::optional<FloorReport>> run(std::string_view how, std::uint64_t bytes) {
    const Clock::time_point start = Clock::now();
    KD_TRY(const MachineRun run, run_machine(machine_, limits_, runner_));
    const auto seconds = std::chrono::duration<double>(Clock::now() - start).count();
    const std::optional<FloorReport> report = parse_floor_report(run.console);
    // The first try is the longest; without enough memory a kernel may as well go on for ever.
    if (report && floor_.boots + floor_.crashes == 1) {
      limits_.emulated = std::min(limits_.emulated, 10 + 4 * static_cast<unsigned>(seconds));
      limits_.kvm = std::min(limits_.kvm, 10 + 4 * static_cast<unsigned>(seconds));
    }
    if (!report) reason_ = run.timed_out ? "nothing happens any more" : last_line(run.console);
    say_(fmt::format("{:5.1f} MiB, {}: {} ({:.0f} s)", static_cast<double>(bytes) / kMiB, how,
                     report ? "init starts" : "fails", seconds));
    return report;
  }

  static std::string last_line(std::string_view console) {
    while (!console.empty() && (console.back() == '\n' || console.back() == '\r')) {
      console.remove_suffix(1);
    }
    const std::size_t before = console.rfind('\n');
    return std::string(before == std::string_view::npos ? console : console.substr(before + 1));
  }

  const FloorInput& input_;
  ProgramRunner& runner_;
  const std::function<void(const std::string&)>& say_;
  const WorkDirectory& work_;
  TestMachine machine_;
  TimeLimits limits_;
  Floor floor_;
  std::uint64_t lost_ = 0;  // bytes of a reservation that its kernel does not see
  bool by_crashes_ = false;
  std::string reason_;  // of the last failure
};

}  // namespace

std::optional<FloorReport> parse_floor_report(std::string_view console) {
  constexpr std::string_view kMark = "floor: map_kib=";
  const std::size_t at = console.rfind(kMark);
  if (at == std::string_view::npos) return std::nullopt;
  std::string_view rest = console.substr(at + kMark.size());
  FloorReport report;
  const auto number = [&rest](std::string_view name, std::uint64_t& value) {
    if (!rest.starts_with(name)) return false;
    rest.remove_prefix(name.size());
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), value);
    rest.remove_prefix(static_cast<std::size_t>(end - rest.data()));
    return error == std::errc{};
  };
  const bool whole = number("", report.map) && number(" start_free_kib=", report.free) &&
                     number(" start_cached_kib=", report.cached);
  const bool possible = whole && report.map < kMost / kKiB * 2 && report.free < report.map &&
                        report.cached < report.map - report.free;
  return possible ? std::optional(report) : std::nullopt;
}

std::string boot_command_line(std::string_view command_line, std::uint64_t bytes) {
  std::string line = fmt::format("{} nokaslr memmap=exactmap memmap=639K@0 memmap={}K@{}M",
                                 command_line, bytes / kKiB, kKernelStart / kMiB);
  const std::uint64_t here = sections(kKernelStart + bytes);
  // The first section is that of the first 640 KiB as well.
  if (here < 1 + sections(bytes)) line += fmt::format(" memmap=4K@{}M", here * kSection / kMiB);
  return line;
}

Result<Floor> find_floor(const FloorInput& input, ProgramRunner& runner,
                         const std::function<void(const std::string&)>& say) {
  // Before anything is written.
  KD_CHECK(find_program(runner, "qemu-system-x86_64"));
  KD_TRY(const WorkDirectory work, WorkDirectory::create());
  Search search(input, runner, say, work);
  KD_CHECK(search.use_payload(0));
  const std::uint64_t roomy = input.guess + kRoomy;
  KD_TRY(const FloorReport report, search.compare(roomy));
  const std::uint64_t in_use = roomy - report.left();
  KD_TRY(const Search::Found empty, search.smallest(in_use, in_use + kInitMemory));
  KD_CHECK(search.use_payload(kPayload));
  KD_TRY(const Search::Found full,
         search.smallest(empty.bytes + kPayload - kFloorStep, empty.bytes + 2 * kPayload));
  Floor floor = search.result();
  floor.starting = without_map(empty.bytes);
  floor.unpacking = without_map(full.bytes) - 2 * kPayload;
  floor.capturing = without_map(empty.bytes) - empty.report.left();
  return floor;
}

}  // namespace kd
