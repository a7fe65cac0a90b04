// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/fit/memory_model.h"

#include <sys/stat.h>

#include <algorithm>
#include <utility>

#include "builder/fit/layer_memory.h"
#include "builder/fit/makedumpfile_memory.h"

namespace kd {
namespace {

constexpr std::uint64_t kPage = 4096;
constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;
// An inode of ramfs (600 bytes) with its dentry (192), in slabs that are not full.
constexpr std::uint64_t kEntryCost = 1024;
// What decoding allocates besides the window: contexts, literals, input and output buffers of
// lib/decompress_*.c.
constexpr std::uint64_t kDecoderCost = 256 << 10;
// lib/decompress_unlz4.c allocates the largest block that lz4 may have, whatever is in the file.
constexpr std::uint64_t kLz4Block = 8 * kMiB;
// The watermark below which only atomic allocations go, 0.5 MiB in a small memory, pages in per-CPU
// lists, as much again, and 1 MiB that is in too small pieces: xfs and btrfs, the largest modules,
// did not load with less.
constexpr std::uint64_t kKeptFree = 2 * kMiB;
// Journal, superblock and pages on their way to the disk, below which write-back stalls.
constexpr std::uint64_t kFileSystem = 2 * kMiB;
// Code, data and relocations that stay of a module are about half of its file: symbols, unwind
// tables and type information go.
constexpr std::uint64_t kModuleShare = 2;

// A small Debian 12 saved its dump with 115 MiB, of which the kernel had 77: systemd, udev with its
// workers, the journal and the pages of their programs had what modules (4 MiB there), makedumpfile
// and the file system left of the rest.
constexpr std::uint64_t kUserland = 32 * kMiB;
// Of a machine that nobody can look at: a server with its storage, network and graphics drivers.
constexpr std::uint64_t kUsualModules = 16 * kMiB;

std::uint64_t pages(std::uint64_t bytes) { return (bytes + kPage - 1) / kPage * kPage; }

std::uint64_t largest_module(const ModelInput& input) {
  std::uint64_t bytes = 0;
  for (const FileSize& file : input.files) {
    if (file.module) bytes = std::max(bytes, pages(file.bytes));
  }
  return bytes;
}

std::uint64_t decoder(const ModelInput& input) {
  const bool compressed = !input.variant.packed && input.compression.codec != cpio::Codec::kNone;
  if (!compressed) return 0;
  switch (input.compression.codec) {
    case cpio::Codec::kZstd:
    case cpio::Codec::kXz:
      return kDecoderCost + (std::uint64_t{1} << input.compression.window_log);
    case cpio::Codec::kLz4:
      return kLz4Block;
    case cpio::Codec::kGzip:
    case cpio::Codec::kNone:
      break;
  }
  return kDecoderCost;
}

// What lies in the ramfs once the kernel has unpacked the initrd.
std::uint64_t unpacked(const ModelInput& input) {
  std::uint64_t bytes = input.files.size() * kEntryCost;
  // The packed files are nearly all of an uncompressed archive.
  if (input.variant.packed) return bytes + pages(input.image_size);
  for (const FileSize& file : input.files) bytes += pages(file.bytes);
  return bytes;
}

std::uint64_t sum(const ModelInput& input, bool modules) {
  std::uint64_t bytes = 0;
  for (const FileSize& file : input.files) {
    if (file.module == modules) bytes += pages(file.bytes);
  }
  return bytes;
}

// What stays of the image's modules. An image for many machines holds more than this one loads.
Term loaded_modules(const ModelInput& input) {
  const std::uint64_t half = sum(input, true) / kModuleShare;
  if (input.real_root && input.real_root->modules > 0 && input.real_root->modules < half) {
    return {"modules", input.real_root->modules, "as loaded here"};
  }
  return {"modules", half, "half of their files"};
}

Peak real_root_peak(const ModelInput& input) {
  const std::uint64_t modules = input.real_root->modules;
  return {.name = "saving from the real root",
          .terms = {{"kernel", input.kernel.capturing, input.kernel.source},
                    {"modules", modules > 0 ? modules : kUsualModules,
                     modules > 0 ? "as loaded here" : "as servers have; unknown here"},
                    {"services", kUserland, "of a small Debian 12 that saved with 115 MiB"}}};
}

// Of one range, which may lie across a border.
std::uint64_t cma_map(std::uint64_t bytes) {
  return bytes == 0 ? 0 : memory_map(bytes, 0) - kMapOfLowMemory;
}

// kexec-tools puts kernel, initrd and the rest from the top down (bzImage64_load()): the kernel in
// one piece, aligned.
Peak place_peak(const ModelInput& input) {
  // Copy of the low 640 KiB, ELF headers, purgatory, boot parameters.
  constexpr std::uint64_t kBeside = 768 << 10;
  const KernelImage& image = input.kernel.image;
  return {.name = "placing",
          .terms = {{"kernel", image.piece, "init_size of its header, in one piece"},
                    {"alignment", image.alignment, "kernel_alignment of its header"},
                    {"initrd", pages(input.image_size), "the file"},
                    {"beside them", image.piece == 0 ? 0 : kBeside, "as kexec -p has it"}}};
}

Peak direct_peak(const ModelInput& input) {
  return {.name = "capturing",
          .terms = {{"kernel", input.kernel.capturing, input.kernel.source},
                    {"init, programs, libraries", sum(input, false), "the plan, in pages"},
                    loaded_modules(input)}};
}

// The larger of two moments. The kernel unpacks beside its initcalls, and the initrd is freed when
// the last of them still come.
Peak unpack_peak(const ModelInput& input) {
  const Term files{"unpacked files", unpacked(input), "the plan, in pages"};
  Peak unpacking{.name = "unpacking",
                 .terms = {{"kernel", input.kernel.unpacking, input.kernel.source},
                           {"initrd", pages(input.image_size), "the file"},
                           files,
                           {"decoder", decoder(input), "window and buffers"}}};
  Peak starting{.name = "starting init",
                .terms = {{"kernel", input.kernel.starting, input.kernel.source}, files}};
  return starting.total() > unpacking.total() ? starting : unpacking;
}

// Percent of the unpacked bytes, measured on Debian 12.
std::uint64_t percent_left(const ModelInput& input) {
  if (input.variant.packed) return 30;
  switch (input.compression.codec) {
    case cpio::Codec::kZstd:
      return 37;
    case cpio::Codec::kXz:
      return 29;
    case cpio::Codec::kGzip:
      return 36;
    case cpio::Codec::kLz4:
      return 43;
    case cpio::Codec::kNone:
      break;
  }
  return 100;
}

}  // namespace

std::uint64_t whole_mebibytes(std::uint64_t bytes) { return (bytes + kMiB - 1) / kMiB * kMiB; }

std::uint64_t Peak::total() const {
  std::uint64_t bytes = 0;
  for (const Term& term : terms) bytes += term.bytes;
  return bytes;
}

std::vector<FileSize> file_sizes(const ImagePlan& plan, const std::vector<cpio::Entry>& entries) {
  std::vector<FileSize> files;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    files.push_back({.bytes = S_ISREG(entries[i].mode) ? entries[i].data.size() : 0,
                     .module = plan.entries[i].group == Group::kModule});
  }
  return files;
}

std::uint64_t estimate_image_size(const ModelInput& input) {
  constexpr std::uint64_t kMargin = 105;
  return (sum(input, true) + sum(input, false)) * percent_left(input) / 100 * kMargin / 100;
}

const Peak& Fit::largest() const {
  const auto all = peaks();
  return **std::ranges::max_element(all, {}, [](const Peak* peak) { return peak->total(); });
}

namespace {

Fit predict_in(const ModelInput& input, std::uint64_t reservation) {
  Fit fit;
  fit.place = place_peak(input);
  fit.unpack = unpack_peak(input);
  // A packed module is unpacked for the kernel, which makes its own copy as it does of any other.
  const std::uint64_t copies = largest_module(input) * (input.variant.packed ? 2 : 1);
  fit.load = {
      .name = "loading modules",
      .terms = {{"kernel", input.kernel.capturing, input.kernel.source},
                {"unpacked files", unpacked(input), "the plan, in pages"},
                loaded_modules(input),
                {"largest module", copies,
                 input.variant.packed ? "unpacked, and the kernel's copy" : "the kernel's copy"},
                {"kept free", kKeptFree, "watermark and per-CPU lists"}}};
  fit.capture = input.real_root ? real_root_peak(input) : direct_peak(input);
  const MakedumpfileMemory makedumpfile = makedumpfile_memory(input.dump_arguments, input.ram);
  fit.capture.terms.push_back({"makedumpfile", makedumpfile.program, makedumpfile.program_source});
  fit.capture.terms.push_back({"file system", kFileSystem, "journal and write-back"});
  for (Term& term : layer_terms(input.layers)) fit.capture.terms.push_back(std::move(term));
  if (makedumpfile.threads > 0) {
    fit.capture.terms.push_back(
        {"threads of makedumpfile", makedumpfile.threads, makedumpfile.threads_source});
  }
  // They are there from the first moment to the last.
  const std::uint64_t fixed = reservation - std::min(reservation, input.cma);
  const Term map{"memory map", memory_map(fixed, input.reservation_end) + cma_map(input.cma),
                 "64 bytes a page, of whole sections of 128 MiB"};
  const Term buffers{"bounce buffers", input.bounce_buffers.bytes, input.bounce_buffers.reason};
  for (Peak* peak : {&fit.unpack, &fit.load, &fit.capture}) {
    peak->terms.push_back(map);
    if (buffers.bytes > 0) peak->terms.push_back(buffers);
  }
  // A driver may take more than any table knows: what a capture needed here is believed.
  if (input.kernel.measured_peak > 0) {
    const std::uint64_t peak =
        input.kernel.measured_peak + map.bytes - std::min(map.bytes, kMapOfMeasurements);
    const std::uint64_t known = fit.capture.total();
    if (peak > known) fit.capture.terms.push_back({"all else", peak - known, input.kernel.source});
  }
  fit.needed = whole_mebibytes(fit.largest().total());
  return fit;
}

}  // namespace

Fit predict(const ModelInput& input) {
  // The larger the reservation, the more sections it has a part of.
  constexpr std::uint64_t kSmall = 64 * kMiB;
  Fit fit = predict_in(input, kSmall);
  for (std::uint64_t tried = 0; tried != fit.needed;) {
    tried = fit.needed;
    fit = predict_in(input, tried);
    fit.needed = std::max(fit.needed, tried);
  }
  fit.needed_with_cma = fit.needed;
  if (input.cma > 0) {
    const std::uint64_t placed = whole_mebibytes(fit.place.total()) + input.cma;
    fit.needed_with_cma = std::max(fit.needed, placed);
  }
  return fit;
}

}  // namespace kd
