// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/fit/memory_model.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <sys/stat.h>

namespace kd {
namespace {

using testing::HasSubstr;

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;

// A reservation that ends here lies in no more sections of 128 MiB than it must.
constexpr std::uint64_t kInOneSection = 1024 * kMiB;

ModelInput model(std::uint64_t image, std::vector<FileSize> files, const Variant& variant) {
  return {.variant = variant,
          .files = std::move(files),
          .image_size = image,
          .compression = {.codec = cpio::Codec::kZstd, .window_log = 17},
          .kernel = {.source = "test", .unpacking = 70 * kMiB, .capturing = 60 * kMiB},
          .reservation_end = kInOneSection,
          .ram = 1024 * kMiB};
}

std::uint64_t term(const Peak& peak, std::string_view name) {
  for (const Term& candidate : peak.terms) {
    if (candidate.name == name) return candidate.bytes;
  }
  ADD_FAILURE() << peak.name << " has no term " << name;
  return 0;
}

TEST(MemoryModel, FilesTakeWholePages) {
  const Fit fit = predict(model(1, {{.bytes = 1}, {.bytes = 4097}}, kVariants[0]));
  EXPECT_EQ(term(fit.unpack, "initrd"), 4096U);
  EXPECT_EQ(term(fit.unpack, "unpacked files"), 3 * 4096U + 2 * 1024U);
}

TEST(MemoryModel, WindowOfTheDecoderCounts) {
  ModelInput input = model(kMiB, {}, kVariants[0]);
  const std::uint64_t small = term(predict(input).unpack, "decoder");
  input.compression.window_log = 23;
  EXPECT_EQ(term(predict(input).unpack, "decoder") - small, (8U << 20) - (128U << 10));
  input.compression.codec = cpio::Codec::kLz4;
  EXPECT_EQ(term(predict(input).unpack, "decoder"), 8U << 20);
  input.compression.codec = cpio::Codec::kNone;
  EXPECT_EQ(term(predict(input).unpack, "decoder"), 0U);
}

TEST(MemoryModel, PackedFilesAreUnpackedOnlyLater) {
  const std::vector<FileSize> files = {{.bytes = 4 * kMiB}, {.bytes = 3 * kMiB, .module = true}};
  const Fit whole = predict(model(2 * kMiB, files, kVariants[0]));
  const Fit packed = predict(model(2 * kMiB, files, kVariants[1]));
  EXPECT_GT(term(whole.unpack, "unpacked files"), 7 * kMiB);
  EXPECT_LT(term(packed.unpack, "unpacked files"), 2 * kMiB + 4096);
  EXPECT_EQ(term(whole.capture, "init, programs, libraries"),
            term(packed.capture, "init, programs, libraries"));
  EXPECT_LT(packed.needed, whole.needed);
}

TEST(MemoryModel, BitmapsGrowWithMemoryUpToTheirCap) {
  ModelInput input = model(kMiB, {}, kVariants[0]);
  const std::uint64_t one = term(predict(input).capture, "makedumpfile");
  input.ram = 16 * 1024 * kMiB;
  EXPECT_EQ(term(predict(input).capture, "makedumpfile") - one, 2 * (512 - 32) * 1024U);
  input.ram = std::uint64_t{4} << 40;
  EXPECT_EQ(term(predict(input).capture, "makedumpfile"), (3 + 8) * kMiB);
}

TEST(MemoryModel, MakedumpfileWorksInCyclesBeforeItsBitmapsReachFourMiBEach) {
  ModelInput input = model(kMiB, {}, kVariants[0]);
  input.ram = 66 * 1024 * kMiB;
  EXPECT_EQ(term(predict(input).capture, "makedumpfile"), (3 + 8) * kMiB);
}

TEST(MemoryModel, BufferThatWasAskedForCountsTwice) {
  ModelInput input = model(kMiB, {}, kVariants[0]);
  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{"-c", "--cyclic-buffer", "16384", "-d", "31"},
        {"--cyclic-buffer=16384"},
        {"--cyclic-buffer", "1", "--cyc=16384"}}) {
    input.dump_arguments = arguments;
    EXPECT_EQ(term(predict(input).capture, "makedumpfile"), (3 + 32) * kMiB) << arguments[0];
  }
  EXPECT_GT(predict(input).needed, predict(model(kMiB, {}, kVariants[0])).needed);
  for (const char* value : {"0", "", "none", "-5"}) {
    input.dump_arguments = {"--cyclic-buffer", value};
    EXPECT_LT(term(predict(input).capture, "makedumpfile"), 4 * kMiB) << value;
  }
  input.dump_arguments = {"--cyclic-buffer"};
  EXPECT_LT(term(predict(input).capture, "makedumpfile"), 4 * kMiB);
  input.dump_arguments = {"--cyclic-buffer", "99999999999999999999999"};
  EXPECT_GE(predict(input).needed, std::uint64_t{2} << 40) << "as much as it says, no overflow";
}

TEST(MemoryModel, EveryThreadOfMakedumpfileCounts) {
  ModelInput input = model(kMiB, {}, kVariants[0]);
  const std::uint64_t without = predict(input).capture.total();
  input.dump_arguments = {"-l", "--num-threads", "8"};
  EXPECT_EQ(term(predict(input).capture, "threads of makedumpfile"), 4 * kMiB);
  EXPECT_EQ(predict(input).capture.total(), without + 4 * kMiB);
  input.dump_arguments = {"--num-threads", "0"};
  EXPECT_EQ(predict(input).capture.total(), without);
}

TEST(MemoryModel, EveryVolumeCountsInACaptureAndAMachineWithoutPaysNothing) {
  ModelInput input = model(kMiB, {}, kVariants[0]);
  const std::uint64_t without = predict(input).capture.total();
  input.layers.resize(2);
  EXPECT_EQ(predict(input).capture.total(),
            without + term(predict(input).capture, "logical volumes"));
  EXPECT_GE(term(predict(input).capture, "logical volumes"), 2 * (100U << 10));
}

TEST(MemoryModel, PartsOfARaid1VolumeCount) {
  ModelInput input = model(kMiB, {}, kVariants[0]);
  input.layers.resize(2);
  const std::uint64_t linear = predict(input).capture.total();
  input.layers[0].raid1 = true;
  // Four more devices, and an array with a pool of 256 requests.
  EXPECT_GE(predict(input).capture.total(), linear + (4 * 50U << 10) + (256 * 256U));
}

TEST(MemoryModel, PoolOfAThinVolumeCounts) {
  ModelInput input = model(kMiB, {}, kVariants[0]);
  input.layers.resize(1);
  const std::uint64_t linear = predict(input).capture.total();
  input.layers[0].thin = true;
  // Three more devices, 1024 mappings and cells of 88 bytes, 8192 pointers, 128 pages of kcopyd.
  EXPECT_GE(predict(input).capture.total(),
            linear + (3 * 50U << 10) + (2 * 1024 * 88U) + (8192 * 8U) + (128 * 4096U));
}

TEST(MemoryModel, StripesOfAnArrayWithParityCount) {
  ModelInput input = model(kMiB, {}, kVariants[0]);
  input.layers = {{.kind = kdinit::LayerKind::kMd}};
  EXPECT_GT(term(predict(input).capture, "arrays of md"), 0u);
  input.layers[0].stripe_disks = 3;
  // 256 stripes, and of each disk a page and its bios in them.
  EXPECT_GT(term(predict(input).capture, "stripes of md"), 3 * 256 * 4096u);
}

TEST(MemoryModel, TheLargerPeakDecidesRoundedUpToWholeMiB) {
  const Fit unpacking = predict(model(10 * kMiB, {}, kVariants[0]));
  EXPECT_GT(unpacking.unpack.total(), unpacking.capture.total());
  EXPECT_EQ(unpacking.needed % kMiB, 0U);
  EXPECT_GE(unpacking.needed, unpacking.unpack.total());
  EXPECT_LT(unpacking.needed - unpacking.unpack.total(), kMiB);
  const Fit capturing = predict(model(kMiB, {{.bytes = 40 * kMiB}}, kVariants[1]));
  EXPECT_GE(capturing.needed, capturing.capture.total());
  EXPECT_GT(capturing.capture.total(), capturing.unpack.total());
}

// Debian's kernels as parse_kernel_image() has them.
constexpr KernelImage kImage61 = {(52U << 20) + 65536, 66'678'784, 2 << 20};
constexpr KernelImage kImage612 = {(44U << 20) + 65536, 58'646'528, 2 << 20};
constexpr KernelImage kImage73 = {(52U << 20) + 65536, 65'327'104, 2 << 20};
constexpr KernelImage kImage73Cloud = {(50U << 20) + 65536, 63'143'936, 2 << 20};

// The parameters of the tuned command line that the model asks for.
constexpr std::string_view kTuned =
    "initcall_blacklist=tracer_init_tracefs initcall_blacklist=bio_integrity_initfn no5lvl "
    "percpu_alloc=page cgroup_disable=memory lsm=capability";
constexpr std::string_view kWithIntegrity =
    "no5lvl percpu_alloc=page cgroup_disable=memory lsm=capability";
constexpr std::string_view kStock = "reset_devices nr_cpus=1";

// Bisected with crashkernel= in steps of 1 MiB: 1 GiB, ext4 on virtio-blk (bench/README.md). Never
// below the truth, and at most 4 MiB above.
struct Truth {
  const char* kernel;
  KernelImage file;
  std::string_view line;
  std::size_t variant;
  std::uint64_t image;    // bytes
  std::uint64_t minimum;  // MiB
};

std::uint64_t predicted(const Truth& truth) {
  // All modules but ext4, and that one.
  ModelInput input = model(truth.image,
                           {{.bytes = 3'966'000},
                            {.bytes = 685'800, .module = true},
                            {.bytes = 2'064'800, .module = true}},
                           kVariants[truth.variant]);
  input.kernel =
      kernel_memory({.version = truth.kernel, .command_line = truth.line, .image = truth.file});
  return predict(input).needed / kMiB;
}

class Bisected : public testing::TestWithParam<Truth> {};

TEST_P(Bisected, IsPredicted) {
  const Truth& truth = GetParam();
  EXPECT_GE(predicted(truth), truth.minimum);
  EXPECT_LE(predicted(truth), truth.minimum + 4);
}

INSTANTIATE_TEST_SUITE_P(
    Truths, Bisected,
    testing::Values(Truth{"6.1.0-56-amd64", kImage61, kTuned, 0, 2'181'500, 77},
                    Truth{"6.1.0-56-amd64", kImage61, kTuned, 1, 2'051'400, 71},
                    Truth{"6.1.0-56-amd64", kImage61, kStock, 0, 2'181'500, 91},
                    Truth{"6.1.0-56-amd64", kImage61, kStock, 1, 2'051'400, 87},
                    Truth{"6.12.117+deb13-amd64", kImage612, kTuned, 0, 2'206'600, 71},
                    Truth{"6.12.117+deb13-amd64", kImage612, kTuned, 1, 2'050'400, 65},
                    Truth{"6.12.117+deb13-amd64", kImage612, kStock, 0, 2'206'600, 76},
                    Truth{"6.12.117+deb13-amd64", kImage612, kStock, 1, 2'050'400, 72},
                    Truth{"7.3.4+deb13-amd64", kImage73, kTuned, 0, 2'207'000, 80},
                    Truth{"7.3.4+deb13-amd64", kImage73, kTuned, 1, 2'050'400, 72},
                    Truth{"7.3.4+deb13-amd64", kImage73, kWithIntegrity, 1, 2'050'400, 82},
                    Truth{"7.3.4+deb13-amd64", kImage73, kStock, 0, 2'206'600, 94}));

// Bisected with `bench/run --stack` on Linux 6.1, packed: never below the truth, and at most 4 MiB
// above.
struct StackTruth {
  const char* name;
  std::uint64_t image;    // bytes
  std::uint64_t modules;  // KiB of all but ext4
  std::vector<RequiredLayer> layers;
  std::uint64_t minimum;  // MiB
};

class BisectedStack : public testing::TestWithParam<StackTruth> {};

TEST_P(BisectedStack, IsPredicted) {
  const StackTruth& truth = GetParam();
  ModelInput input = model(truth.image,
                           {{.bytes = 2868U << 10},
                            {.bytes = 2'064'800, .module = true},
                            {.bytes = truth.modules << 10, .module = true}},
                           kVariants[1]);
  input.kernel =
      kernel_memory({.version = "6.1.0-56-amd64", .command_line = kTuned, .image = kImage61});
  input.layers = truth.layers;
  EXPECT_GE(predict(input).needed, truth.minimum * kMiB) << truth.name;
  EXPECT_LE(predict(input).needed, (truth.minimum + 4) * kMiB) << truth.name;
}

constexpr RequiredLayer layer(kdinit::LayerKind kind, std::uint64_t stripe_disks = 0) {
  return {.kind = kind, .id = {}, .parameters = {}, .stripe_disks = stripe_disks};
}

using enum kdinit::LayerKind;
INSTANTIATE_TEST_SUITE_P(
    Stacks, BisectedStack,
    testing::Values(StackTruth{"LVM", 1'768'868, 1116, {layer(kLvm), layer(kLvm)}, 71},
                    StackTruth{"raid1", 1'980'544, 2096, {layer(kMd)}, 71},
                    StackTruth{"LVM on raid1", 2'049'028, 2460, {layer(kMd), layer(kLvm)}, 71},
                    StackTruth{"raid5", 2'148'044, 2652, {layer(kMd, 3)}, 73},
                    StackTruth{"LUKS2", 1'984'780, 2152, {layer(kLuks)}, 72}));

TEST(MemoryModel, LoadingALargeModuleCanDecide) {
  const std::vector<FileSize> files = {{.bytes = kMiB}, {.bytes = 20 * kMiB, .module = true}};
  const Fit whole = predict(model(2 * kMiB, files, kVariants[0]));
  const Fit packed = predict(model(2 * kMiB, files, kVariants[1]));
  EXPECT_EQ(&packed.largest(), &packed.load);
  EXPECT_EQ(term(whole.load, "largest module"), 20 * kMiB);
  EXPECT_EQ(term(packed.load, "largest module"), 2 * 20 * kMiB);
}

TEST(KernelMemory, ImageIsThatOfTheFileAndAnUnknownOneIsLarge) {
  const KernelMemoryInput known{
      .version = "6.1.0-56-amd64", .command_line = kTuned, .image = kImage61};
  KernelMemoryInput larger = known, unknown = known;
  larger.image.memory += 10 * kMiB;
  EXPECT_EQ(kernel_memory(larger).unpacking, kernel_memory(known).unpacking + 10 * kMiB);
  EXPECT_EQ(kernel_memory(larger).capturing, kernel_memory(known).capturing + 10 * kMiB);
  unknown.image = {};
  EXPECT_GT(kernel_memory(unknown).unpacking, kernel_memory(known).unpacking);
  EXPECT_THAT(kernel_memory(unknown).source, HasSubstr("not understood"));
  EXPECT_THAT(kernel_memory(known).source,
              HasSubstr("52.1 image, 13.0 at work (as measured for Linux 6.1)"));
}

TEST(KernelMemory, UnmeasuredSeriesTakesMoreThanAnyMeasuredAndSaysSo) {
  const auto unpacking = [](std::string_view version) {
    return kernel_memory({.version = version, .command_line = kTuned, .image = kImage61}).unpacking;
  };
  for (const char* measured : {"6.1.0-56-amd64", "6.12.118+deb13-amd64", "7.3.4+deb13-amd64"}) {
    EXPECT_GE(unpacking("7.0.1-1-amd64"), unpacking(measured) + 2 * kMiB);
    EXPECT_EQ(work_source(measured).find("derived"), std::string::npos);
  }
  EXPECT_EQ(work_source("7.0.1-1-amd64"), "derived: nobody has measured Linux 7.0");
  EXPECT_EQ(work_source("6.12.1"), "as measured for Linux 6.12") << "series are no prefixes";
  EXPECT_EQ(work_source("6.1.0"), "as measured for Linux 6.1");
}

TEST(KernelMemory, EveryParameterThatIsMissingCostsWhatItSparesWhereItsKernelHasIt) {
  const auto missing = [](std::string_view version, std::string_view parameter) {
    std::string line(kTuned);
    line.replace(line.find(parameter), parameter.size(), "quiet");
    const KernelMemoryInput all{.version = version, .command_line = kTuned, .image = kImage61};
    KernelMemoryInput less = all;
    less.command_line = line;
    return (kernel_memory(less).unpacking - kernel_memory(all).unpacking) / kMiB;
  };
  EXPECT_EQ(missing("6.1.0", "initcall_blacklist=tracer_init_tracefs"), 8u);
  EXPECT_EQ(missing("6.6.0", "initcall_blacklist=tracer_init_tracefs"), 0u);
  EXPECT_EQ(missing("6.18.1", "initcall_blacklist=bio_integrity_initfn"), 0u);
  EXPECT_EQ(missing("6.19.0", "initcall_blacklist=bio_integrity_initfn"), 10u);
  EXPECT_EQ(missing("none", "initcall_blacklist=bio_integrity_initfn"), 10u);
  EXPECT_EQ(missing("6.12.1", "percpu_alloc=page"), 2u);
}

TEST(KernelMemory, EveryPciDeviceOfAServerCounts) {
  KernelMemoryInput input{.version = "6.12.1", .command_line = kTuned, .image = kImage612};
  const std::uint64_t few = kernel_memory(input).capturing;
  input.pci_devices = 6;
  EXPECT_EQ(kernel_memory(input).capturing, few);
  input.pci_devices = 6 + 128;
  EXPECT_EQ(kernel_memory(input).capturing - few, 3 * kMiB);
  EXPECT_THAT(kernel_memory(input).source, HasSubstr("3.0 for 134 PCI devices"));
  input.pci_devices = 6 + 97;
  EXPECT_EQ(kernel_memory(input).capturing - few, 3 * kMiB) << "in steps of 32";
  input.pci_devices = 6 + 128;
  input.acpi_devices = 56 + 256;
  EXPECT_EQ(kernel_memory(input).capturing - few, (3 * kMiB) + (256 * 6U << 10));
  input.pci_devices = ~std::uint64_t{0};
  EXPECT_LT(kernel_memory(input).unpacking, std::uint64_t{4} << 30);
}

TEST(MemoryMap, HasWholeSectionsAndOneForLowMemory) {
  constexpr std::uint64_t kSection = 128 * kMiB;
  // 160M at 0x33000000 took 6144 KiB of a Linux 6.1 (memblock=debug).
  EXPECT_EQ(memory_map(160 * kMiB, 0x3d000000), 6 * kMiB);
  EXPECT_EQ(memory_map(70 * kMiB, 8 * kSection), 4 * kMiB);
  EXPECT_EQ(memory_map(70 * kMiB, 8 * kSection + 48 * kMiB), 6 * kMiB) << "across a border";
  EXPECT_EQ(memory_map(70 * kMiB, 70 * kMiB), 2 * kMiB) << "in the section of low memory";
  EXPECT_EQ(memory_map(70 * kMiB, 0), 6 * kMiB) << "nobody knows where";
  EXPECT_EQ(memory_map(160 * kMiB, 0), 8 * kMiB);
}

TEST(MemoryModel, ReservationAcrossTwoSectionsNeedsMore) {
  ModelInput input = model(2 * kMiB, {}, kVariants[0]);
  const std::uint64_t inside = predict(input).needed;
  input.reservation_end = std::uint64_t{32} * 128 * kMiB + 32 * kMiB;
  EXPECT_EQ(predict(input).needed, inside + 2 * kMiB);
  input.kernel.unpacking += 100 * kMiB;
  EXPECT_EQ(term(predict(input).unpack, "memory map"), 8 * kMiB) << "of the size that is needed";
}

// 66M and 32M,cma save with a Linux 7.3; 56M and 64M,cma cannot be placed.
TEST(MemoryModel, NothingIsPlacedInCma) {
  ModelInput input = model(kMiB, {}, kVariants[1]);
  input.kernel = kernel_memory({.version = "7.3.4", .command_line = kTuned, .image = kImage73});
  const auto fixed_part = [&input](std::uint64_t cma) {
    input.cma = cma;
    return predict(input).needed_with_cma - cma;
  };
  EXPECT_LE(fixed_part(32 * kMiB), 67 * kMiB);
  EXPECT_GT(fixed_part(64 * kMiB), 62 * kMiB) << "the kernel in one piece";
  EXPECT_GT(fixed_part(2 * kMiB), fixed_part(32 * kMiB)) << "there is little besides";
  input.cma = 512 * kMiB;
  EXPECT_LE(predict(input).needed, 90 * kMiB) << "what is recommended without any";
}

TEST(MemoryModel, KernelThatIsHardToPlaceDecides) {
  ModelInput input = model(2 * kMiB, {}, kVariants[0]);
  input.kernel.image = {.memory = 40 * kMiB, .piece = 80 * kMiB, .alignment = 16 * kMiB};
  const Fit fit = predict(input);
  EXPECT_EQ(&fit.largest(), &fit.place);
  EXPECT_GE(fit.needed, (80 + 16 + 2) * kMiB);
}

ModelInput fallback(std::uint64_t image, std::uint64_t unpacked, std::uint64_t modules) {
  ModelInput input = model(image, {{.bytes = unpacked}}, kVariants[0]);
  input.compression.window_log = 23;
  input.kernel =
      kernel_memory({.version = "6.1.0-56-amd64", .command_line = kStock, .image = kImage61});
  input.real_root = RealRoot{.modules = modules};
  return input;
}

// Images of mkinitramfs by kdump-tools on the same machine: a bare system saved with 116M, one with
// lvm2, mdadm, btrfs and nfs with 132M, one with all modules somewhere from 225M to 256M.
TEST(RealRoot, IsPredictedAsMeasured) {
  const auto needed = [](double image, double unpacked) {
    return predict(fallback(static_cast<std::uint64_t>(image * 1e6),
                            static_cast<std::uint64_t>(unpacked * 1e6), 4 * kMiB))
               .needed /
           kMiB;
  };
  EXPECT_GE(needed(6.5, 17.6), 116U);
  EXPECT_LE(needed(6.5, 17.6), 124U);
  EXPECT_GE(needed(11.2, 30), 132U);
  EXPECT_LE(needed(11.2, 30), 140U);
  EXPECT_GE(needed(31.2, 132), 225U);
  EXPECT_LE(needed(31.2, 132), 260U);
}

TEST(RealRoot, ModulesOfTheMachineCount) {
  const ModelInput few = fallback(kMiB, kMiB, 4 * kMiB), many = fallback(kMiB, kMiB, 40 * kMiB);
  const Fit fit = predict(few);
  EXPECT_EQ(&fit.largest(), &fit.capture) << "the small image does not decide";
  EXPECT_EQ(predict(many).needed - predict(few).needed, (36 + 2) * kMiB) << "and one section";
  EXPECT_EQ(term(predict(fallback(kMiB, kMiB, 0)).capture, "modules"), 16 * kMiB);
}

}  // namespace
}  // namespace kd
