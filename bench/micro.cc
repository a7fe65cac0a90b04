// SPDX-License-Identifier: GPL-2.0-or-later
//
// The three parts of a build that cost time, on one real kernel: KD_KERNEL_ROOT is an unpacked
// kernel package, the modules of a usual storage stack are the load.
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "builder/base/rooted_reader.h"
#include "cpio/archive.h"
#include "cpio/compression.h"
#include "modsel/kmod_index.h"
#include "modsel/select.h"

namespace {

template <class T>
T need(kd::Result<T> result) {
  if (result) return std::move(*result);
  fmt::print(stderr, "{}\n", result.error().message);
  exit(1);
}

std::string modules_directory() {
  const char* root = std::getenv("KD_KERNEL_ROOT");
  if (root == nullptr) {
    fmt::print(stderr, "KD_KERNEL_ROOT is not set; try build/kernels/bookworm\n");
    exit(1);
  }
  const std::filesystem::path modules = std::filesystem::path(root) / "lib/modules";
  return std::filesystem::directory_iterator(modules)->path();
}

modsel::ModuleRequest storage() {
  modsel::ModuleRequest request;
  for (const char* name : {"ext4", "virtio_blk", "virtio_pci", "nvme", "ahci", "sd_mod", "xfs",
                           "btrfs", "usb_storage", "xhci_pci"}) {
    request.wanted.push_back({.what = name, .otherwise = {}, .options = {}, .reason = "storage"});
  }
  return request;
}

modsel::ModuleSet selected() {
  const auto index = need(modsel::open_kmod_index(modules_directory(), {}));
  return need(modsel::select(storage(), *index));
}

std::vector<cpio::Entry> entries() {
  const kd::RootedReader reader = need(kd::RootedReader::open("/"));
  std::vector<cpio::Entry> all;
  for (const modsel::Module& module : selected().load_order) {
    all.push_back({.path = "lib/modules/" + module.name + ".ko",
                   .mode = 0100644,
                   .data = need(cpio::decompress(need(reader.read(module.path))))});
  }
  return all;
}

void closure(benchmark::State& state) {
  std::size_t count = 0;
  for (auto _ : state) count = selected().load_order.size();
  state.counters["modules"] = static_cast<double>(count);
}
BENCHMARK(closure)->MeasureProcessCPUTime()->Unit(benchmark::kMillisecond);

void archive(benchmark::State& state) {
  const std::vector<cpio::Entry> content = entries();
  std::size_t size = 0;
  for (auto _ : state) size = need(cpio::write_archive(content, 0)).size();
  state.SetBytesProcessed(static_cast<std::int64_t>(size) * state.iterations());
}
BENCHMARK(archive)->MeasureProcessCPUTime()->Unit(benchmark::kMillisecond);

void compression(benchmark::State& state, cpio::Codec codec) {
  const std::string data = need(cpio::write_archive(entries(), 0));
  std::size_t size = 0;
  for (auto _ : state) size = need(cpio::compress(data, {.codec = codec})).size();
  state.SetBytesProcessed(static_cast<std::int64_t>(data.size()) * state.iterations());
  state.counters["ratio"] = static_cast<double>(data.size()) / static_cast<double>(size);
}
BENCHMARK_CAPTURE(compression, zstd, cpio::Codec::kZstd)
    ->MeasureProcessCPUTime()
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(compression, xz, cpio::Codec::kXz)
    ->MeasureProcessCPUTime()
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(compression, gzip, cpio::Codec::kGzip)
    ->MeasureProcessCPUTime()
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(compression, lz4, cpio::Codec::kLz4)
    ->MeasureProcessCPUTime()
    ->Unit(benchmark::kMillisecond);

}  // namespace

BENCHMARK_MAIN();
