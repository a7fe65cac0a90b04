// SPDX-License-Identifier: GPL-2.0-or-later
#include "modsel/kmod_index.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "modsel/index_file.h"
#include "modsel/select.h"
#include "tests/modsel/fake_index.h"
#include "tests/modsel/module_tree.h"

namespace modsel {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

class KmodIndexTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!ModuleTree::tools_exist()) GTEST_SKIP() << "needs as, depmod and compressors";
    ASSERT_TRUE(tree.add({"kernel/lib/base-lib", {}, {"base_call"}, {}}));
    ASSERT_TRUE(tree.add({"kernel/fs/mid", {"depends=base-lib"}, {"mid_call"}, {"base_call"}}));
    ASSERT_TRUE(
        tree.add({"kernel/fs/top-fs",
                  {"depends=mid", "softdep=pre: crypto-sum", "firmware=top.bin", "alias=fs-top"},
                  {},
                  {"mid_call"}}));
    ASSERT_TRUE(tree.add({"kernel/crypto/sum_fast", {"alias=crypto-sum"}, {}, {}}));
    ASSERT_TRUE(tree.add({"kernel/crypto/sum_generic", {"alias=crypto-sum"}, {}, {}}));
    ASSERT_TRUE(tree.add({"kernel/drivers/net", {"alias=pci:v00001234d*"}, {}, {}}));
    ASSERT_TRUE(tree.add({"kernel/drivers/loop-a", {"softdep=pre: loop_b"}, {}, {}}));
    ASSERT_TRUE(tree.add({"kernel/drivers/loop-b", {"softdep=pre: loop_a"}, {}, {}}));
    tree.write(relative("modules.builtin"), "kernel/fs/in-kernel.ko\n");
    tree.write(
        relative("modules.builtin.modinfo"),
        std::string("in_kernel.alias=crypto-sum") + '\0' + "in_kernel.alias=only-builtin" + '\0');
    tree.write(relative("modules.order"), "kernel/fs/mid.ko\n");
    ASSERT_TRUE(tree.depmod());
  }

  static std::string relative(const std::string& name) {
    return "lib/modules/" + std::string(kTestVersion) + "/" + name;
  }
  std::unique_ptr<ModuleIndex> open(std::string_view config = "") const {
    ModprobeConf conf;
    parse_modprobe_conf(config, "test.conf", conf);
    auto index = open_kmod_index(tree.directory(), std::move(conf));
    EXPECT_TRUE(index.has_value()) << index.error().message;
    return index ? std::move(*index) : nullptr;
  }
  std::string open_error() const {
    const auto index = open_kmod_index(tree.directory(), {});
    EXPECT_FALSE(index.has_value());
    return index ? "" : index.error().message;
  }
  static std::vector<std::string> resolve(const ModuleIndex& index, std::string_view what) {
    const auto names = index.resolve(what);
    EXPECT_TRUE(names.has_value());
    return names.value_or(std::vector<std::string>{});
  }
  static ModuleInfo info(const ModuleIndex& index, std::string_view name) {
    const auto info = index.info(name);
    EXPECT_TRUE(info.has_value()) << info.error().message;
    return info.value_or(ModuleInfo{});
  }

  ModuleTree tree;
};

TEST_F(KmodIndexTest, TreatsDashAndUnderscoreAlike) {
  const auto index = open();
  EXPECT_THAT(resolve(*index, "top-fs"), ElementsAre("top_fs"));
  EXPECT_THAT(resolve(*index, "top_fs"), ElementsAre("top_fs"));
  EXPECT_EQ(info(*index, "top-fs").path, info(*index, "top_fs").path);
  EXPECT_THAT(info(*index, "top-fs").path, HasSubstr(tree.directory() + "/kernel/fs/top-fs.ko"));
}

TEST_F(KmodIndexTest, ListsDependenciesNearestLast) {
  EXPECT_THAT(info(*open(), "top-fs").depends, ElementsAre("base_lib", "mid"));
}

TEST_F(KmodIndexTest, KnowsSoftdepsAndFirmware) {
  const ModuleInfo top = info(*open(), "top-fs");
  EXPECT_THAT(top.soft_pre, ElementsAre("crypto_sum"));
  EXPECT_THAT(top.firmware, ElementsAre("top.bin"));
}

TEST_F(KmodIndexTest, ResolvesModaliasByPattern) {
  EXPECT_THAT(resolve(*open(), "pci:v00001234d00005678sv"), ElementsAre("net"));
  EXPECT_THAT(resolve(*open(), "pci:v00009999d00005678sv"), IsEmpty());
}

TEST_F(KmodIndexTest, ResolvesAliasToFilesAndBuiltins) {
  EXPECT_THAT(resolve(*open(), "crypto-sum"),
              UnorderedElementsAre("sum_fast", "sum_generic", "in_kernel"));
  EXPECT_THAT(resolve(*open(), "only-builtin"), ElementsAre("in_kernel"));
}

TEST_F(KmodIndexTest, KnowsBuiltinModulesByName) {
  const auto index = open();
  EXPECT_THAT(resolve(*index, "in-kernel"), ElementsAre("in_kernel"));
  EXPECT_TRUE(info(*index, "in-kernel").builtin);
  EXPECT_EQ(info(*index, "in-kernel").path, "");
}

TEST_F(KmodIndexTest, ReadsWeakdepFile) {
  tree.write(relative("modules.weakdep"), "# Weak\nweakdep top-fs net loop-a\n");
  EXPECT_THAT(info(*open(), "top-fs").weak, ElementsAre("net", "loop_a"));
}

TEST_F(KmodIndexTest, BlacklistHidesAliasesButNotNames) {
  const auto index = open("blacklist net\nblacklist sum-fast\nblacklist in_kernel");
  EXPECT_THAT(resolve(*index, "pci:v00001234d00005678sv"), IsEmpty());
  EXPECT_THAT(resolve(*index, "crypto-sum"), ElementsAre("sum_generic"));
  EXPECT_THAT(resolve(*index, "net"), ElementsAre("net"));
}

TEST_F(KmodIndexTest, ConfiguredAliasComesFirst) {
  const auto index = open("alias pci:v00001234* mid\nalias fs-top off");
  EXPECT_THAT(resolve(*index, "pci:v00001234d00005678sv"), ElementsAre("mid"));
  EXPECT_THAT(resolve(*index, "fs-top"), IsEmpty());
}

TEST_F(KmodIndexTest, JoinsOptionsAndSoftdepsOfConfiguration) {
  const auto index = open("options top-fs a=1\noptions top_fs b=2\nsoftdep top* pre: net");
  const ModuleInfo top = info(*index, "top-fs");
  EXPECT_EQ(top.options, "a=1 b=2");
  EXPECT_THAT(top.soft_pre, ElementsAre("net", "crypto_sum"));
}

// libkmod would take "MODULE.PARAMETER=VALUE" of the running kernel as options.
TEST_F(KmodIndexTest, CommandLineOfTheRunningKernelGivesNoOptions) {
  std::ifstream file("/proc/cmdline");
  std::string module;
  for (std::string word; module.empty() && file >> word;) {
    const std::size_t dot = word.find('.');
    if (dot != std::string::npos && dot < word.find_first_of("=/-\"")) module = word.substr(0, dot);
  }
  if (module.empty()) GTEST_SKIP() << "/proc/cmdline sets no option of a module";
  ASSERT_TRUE(tree.add({"kernel/drivers/" + module, {}, {}, {}}));
  ASSERT_TRUE(tree.depmod());
  EXPECT_EQ(info(*open(), module).options, "");
}

TEST_F(KmodIndexTest, WarnsOfInstallCommandOfTheModuleItself) {
  const auto index = open("install net /bin/false\n");
  EXPECT_THAT(info(*index, "net").warnings, ElementsAre(HasSubstr("test.conf:1: install net")));
  EXPECT_THAT(info(*index, "mid").warnings, IsEmpty());
}

TEST_F(KmodIndexTest, UnknownModuleIsAnErrorThatNamesIt) {
  const auto info = open()->info("nowhere");
  ASSERT_FALSE(info.has_value());
  EXPECT_THAT(info.error().message, AllOf(HasSubstr("nowhere"), HasSubstr(tree.directory())));
}

TEST_F(KmodIndexTest, BracketsThatDoNotMatchLeadNowhere) {
  EXPECT_THAT(resolve(*open(), "a]b["), IsEmpty());
  EXPECT_THAT(resolve(*open(), ""), IsEmpty());
}

TEST_F(KmodIndexTest, RemovedFileOfADependencyNamesBothEnds) {
  std::filesystem::remove(tree.directory() + "/kernel/lib/base-lib.ko");
  const auto index = open();
  const auto set = select({.wanted = {want("mid")}, .loaded = {}}, *index);
  ASSERT_FALSE(set.has_value());
  EXPECT_THAT(set.error().message,
              AllOf(HasSubstr("module mid needs base_lib"), HasSubstr("depmod")));
}

TEST_F(KmodIndexTest, DependencyThatDepmodDroppedNamesBothEnds) {
  std::filesystem::remove(tree.directory() + "/kernel/lib/base-lib.ko");
  ASSERT_TRUE(tree.depmod());
  const auto index = open();
  const auto set = select({.wanted = {want("top-fs")}, .loaded = {}}, *index);
  ASSERT_FALSE(set.has_value());
  EXPECT_THAT(set.error().message, HasSubstr("module mid needs base_lib"));
}

TEST_F(KmodIndexTest, CutsSoftdepLoopOfRealIndex) {
  const auto index = open();
  const auto set = select({.wanted = {want("loop-a")}, .loaded = {}}, *index);
  ASSERT_TRUE(set.has_value());
  EXPECT_THAT(names_of(*set), UnorderedElementsAre("loop_a", "loop_b"));
  EXPECT_THAT(set->warnings, ElementsAre(HasSubstr("loop")));
}

TEST_F(KmodIndexTest, CompressedTreesGiveTheSameSet) {
  const ModuleRequest request{.wanted = {want("fs-top")}, .loaded = {}};
  const auto plain = select(request, *open());
  ASSERT_TRUE(plain.has_value());
  EXPECT_THAT(names_of(*plain), ElementsAre("base_lib", "mid", "sum_generic", "top_fs"));
  for (const auto& [suffix, pack] : {std::pair{".gz", "gzip"}, std::pair{".xz", "xz --check=crc32"},
                                     std::pair{".zst", "zstd -q --rm"}}) {
    SCOPED_TRACE(suffix);
    // Debian's libkmod and depmod are built without zlib.
    if (std::string_view(suffix) == ".gz" && !ModuleTree::run("kmod --version | grep -q +ZLIB")) {
      continue;
    }
    const std::string find = "find " + tree.directory() + "/kernel -name '*.ko*' ";
    ASSERT_TRUE(ModuleTree::run(find + "-name '*.gz' -exec gzip -d {} +"));
    ASSERT_TRUE(ModuleTree::run(find + "-name '*.xz' -exec xz -d {} +"));
    ASSERT_TRUE(ModuleTree::run(find + "-name '*.ko' -exec " + pack + " {} +"));
    ASSERT_TRUE(tree.depmod());
    const auto packed = select(request, *open());
    ASSERT_TRUE(packed.has_value()) << packed.error().message;
    EXPECT_EQ(names_of(*packed), names_of(*plain));
    EXPECT_THAT(packed->load_order.back().path, ::testing::EndsWith(suffix));
    EXPECT_EQ(packed->load_order.back().firmware, plain->load_order.back().firmware);
  }
}

TEST_F(KmodIndexTest, MissingIndexNamesTheCommand) {
  std::filesystem::remove(tree.directory() + "/modules.dep.bin");
  EXPECT_THAT(open_error(), AllOf(HasSubstr("modules.dep.bin"),
                                  HasSubstr("'depmod -a " + std::string(kTestVersion) + "'")));
}

TEST_F(KmodIndexTest, EmptyIndexNamesTheCommand) {
  tree.write(relative("modules.alias.bin"), "");
  EXPECT_THAT(open_error(),
              AllOf(HasSubstr("modules.alias.bin: empty file"), HasSubstr("depmod -a")));
}

TEST_F(KmodIndexTest, OtherFileIsNoIndex) {
  tree.write(relative("modules.dep.bin"), "this is something else");
  EXPECT_THAT(open_error(), HasSubstr("not an index"));
}

TEST_F(KmodIndexTest, IndexWithoutModulesDiffersFromModulesOrder) {
  tree.write(relative("modules.dep.bin"),
             std::string("\xB0\x07\xF4\x57\x00\x02\x00\x01\x00\x00\x00\x0C", 12));
  EXPECT_THAT(open_error(), HasSubstr("modules.order does"));
}

TEST_F(KmodIndexTest, IndexCutAtAnyLengthIsFound) {
  for (const std::string name : {"modules.dep.bin", "modules.alias.bin", "modules.symbols.bin"}) {
    const std::string whole = tree.read(relative(name));
    ASSERT_GT(whole.size(), 12U);
    ASSERT_TRUE(check_index_file(tree.directory() + "/" + name).has_value());
    for (std::size_t size = 0; size < whole.size(); ++size) {
      tree.write(relative(name), whole.substr(0, size));
      EXPECT_FALSE(check_index_file(tree.directory() + "/" + name).has_value())
          << name << " " << size;
    }
    tree.write(relative(name), whole);
  }
}

// libkmod opens this index with the others.
TEST_F(KmodIndexTest, NothingIsLookedUpInTheIndexOfSymbols) {
  const std::string whole = tree.read(relative("modules.symbols.bin"));
  tree.write(relative("modules.symbols.bin"), whole.substr(0, 8) + "\xA0\xFF\xFF\xFF");
  const auto index = open();
  ASSERT_NE(index, nullptr);
  EXPECT_THAT(resolve(*index, "symbol:mid_call"), IsEmpty());
  EXPECT_THAT(resolve(*index, "fs-top"), ElementsAre("top_fs"));
  tree.write(relative("modules.symbols.bin"), whole.substr(0, 8));
  EXPECT_THAT(open_error(), HasSubstr("modules.symbols.bin: cut off at 8 bytes"));
}

// The same tree, indexed by Debian 12's and by Debian 13's depmod.
std::string seed(const std::string& name) {
  std::ifstream file(KD_SOURCE_DIR "/tests/fuzz/corpus/index_file/" + name, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST_F(KmodIndexTest, IndexWithTheRootFirstGivesTheSameAnswers) {
  for (const std::string kmod : {"kmod30", "kmod34"}) {
    SCOPED_TRACE(kmod);
    tree.write(relative("modules.dep.bin"), seed("modules.dep." + kmod));
    tree.write(relative("modules.alias.bin"), seed("modules.alias." + kmod));
    const auto index = open();
    ASSERT_NE(index, nullptr);
    EXPECT_THAT(info(*index, "top-fs").depends, ElementsAre("base_lib", "mid"));
    EXPECT_THAT(resolve(*index, "pci:v00001234d00005678sv"), ElementsAre("net"));
    EXPECT_THAT(resolve(*index, "fs-top"), ElementsAre("top_fs"));
    EXPECT_THAT(resolve(*index, "nowhere"), IsEmpty());
  }
}

TEST_F(KmodIndexTest, ModuleThatTheIndexPutsElsewhereIsRefused) {
  for (const std::string path : {"/ernel/lib/base-lib.ko:", "../../../../etc/evi.ko:"}) {
    std::string index = seed("modules.dep.kmod34");
    const std::size_t at = index.find("kernel/lib/base-lib.ko:");
    index.replace(at, path.size(), path);
    tree.write(relative("modules.dep.bin"), index);
    const auto opened = open();
    ASSERT_NE(opened, nullptr);
    const auto info = opened->info("base-lib");
    ASSERT_FALSE(info.has_value());
    EXPECT_THAT(info.error().message, AllOf(HasSubstr("outside"), HasSubstr("depmod -a")));
    EXPECT_EQ(info.error().kind, kd::ErrorKind::kKernelNotFound);
  }
}

TEST_F(KmodIndexTest, MissingDirectoryIsAnError) {
  EXPECT_FALSE(open_kmod_index(tree.path() + "/nowhere", {}).has_value());
}

}  // namespace
}  // namespace modsel
