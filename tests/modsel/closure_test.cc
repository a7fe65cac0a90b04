// SPDX-License-Identifier: GPL-2.0-or-later
//
// Every storage and file system module of real kernels, against modprobe itself. KD_KERNELS names a
// directory with one unpacked kernel package below each of its entries.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <set>
#include <thread>

#include "modsel/hidden_dependencies.h"
#include "modsel/kmod_index.h"
#include "modsel/select.h"
#include "tests/modsel/fake_index.h"
#include "tests/modsel/module_tree.h"

namespace modsel {
namespace {

namespace fs = std::filesystem;
using Names = std::set<std::string>;
using Closures = std::map<std::string, Names>;

struct Kernel {
  fs::path directory;  // of its modules
  std::string version;
};

std::vector<Kernel> kernels() {
  std::vector<Kernel> result;
  const char* root = std::getenv("KD_KERNELS");
  if (root == nullptr) return result;
  for (const fs::directory_entry& package : fs::directory_iterator(root)) {
    for (const char* modules : {"lib/modules", "usr/lib/modules"}) {
      std::error_code error;
      if (fs::is_symlink(package.path() / "lib") && modules[0] == 'l') continue;
      for (const fs::directory_entry& entry :
           fs::directory_iterator(package.path() / modules, error)) {
        if (fs::exists(entry.path() / "modules.dep.bin")) {
          result.push_back({entry.path(), entry.path().filename()});
        }
      }
    }
  }
  return result;
}

std::string module_name(std::string path) {
  path = path.substr(path.rfind('/') + 1);
  return normalise(path.substr(0, path.find(".ko")));
}

std::vector<std::string> storage_modules(const Kernel& kernel) {
  std::vector<std::string> names;
  for (const char* below :
       {"drivers/block", "drivers/ata", "drivers/nvme", "drivers/scsi", "drivers/usb/storage",
        "drivers/mmc", "drivers/virtio", "drivers/hv", "fs", "crypto"}) {
    std::error_code error;
    for (const fs::directory_entry& entry :
         fs::recursive_directory_iterator(kernel.directory / "kernel" / below, error)) {
      if (entry.path().filename().string().find(".ko") != std::string::npos) {
        names.push_back(module_name(entry.path()));
      }
    }
  }
  std::ranges::sort(names);
  return names;
}

// A root with the kernel's directory linked at /lib/modules/VERSION; without modules.softdep
// modprobe knows hard dependencies only.
void make_root(const TemporaryDirectory& root, const Kernel& kernel, bool softdeps) {
  const fs::path modules = fs::path(root.path()) / "lib/modules" / kernel.version;
  fs::create_directories(modules);
  for (const fs::directory_entry& entry : fs::directory_iterator(kernel.directory)) {
    if (!softdeps && entry.path().filename() == "modules.softdep") continue;
    fs::create_symlink(fs::absolute(entry.path()), modules / entry.path().filename());
  }
}

// A builtin module: "--show-depends" prints a line of its own kind for it, and so it can stand
// between the modules of one call.
std::string separator(const Kernel& kernel) {
  std::ifstream file(kernel.directory / "modules.builtin");
  std::string line;
  std::getline(file, line);
  return module_name(line);
}

// One modprobe for many modules: one for each would take longer than all the rest of the tests.
void show_depends(const std::string& root, const Kernel& kernel,
                  const std::vector<std::string>& names, Closures& closures) {
  const std::string between = separator(kernel);
  // No configuration of this machine; modules.softdep is read all the same.
  std::string command =
      "modprobe -C /dev/null -d " + root + " -S " + kernel.version + " -a --show-depends";
  for (const std::string& name : names) command += " " + name + " " + between;
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(::popen(command.c_str(), "r"), ::pclose);
  std::size_t at = 0;
  char buffer[4096];
  while (pipe && ::fgets(buffer, sizeof buffer, pipe.get()) != nullptr) {
    const std::string_view line(buffer);
    if (line == "builtin " + between + "\n") {
      ++at;
    } else if (line.starts_with("insmod ") && at < names.size()) {
      const std::string_view path = line.substr(7);
      closures[names[at]].insert(module_name(std::string(path.substr(0, path.find(' ')))));
    }
  }
  EXPECT_EQ(at, names.size()) << between << " is no good separator";
}

Closures modprobe_closures(const Kernel& kernel, const std::vector<std::string>& names,
                           bool softdeps) {
  const TemporaryDirectory root;
  make_root(root, kernel, softdeps);
  const auto middle = names.begin() + static_cast<std::ptrdiff_t>(names.size() / 2);
  Closures first;
  Closures second;
  std::thread other([&] { show_depends(root.path(), kernel, {middle, names.end()}, second); });
  show_depends(root.path(), kernel, {names.begin(), middle}, first);
  other.join();
  first.merge(second);
  return first;
}

// The sets overlap much, and libkmod unpacks a .ko.xz each time.
class CachedIndex final : public ModuleIndex {
 public:
  explicit CachedIndex(std::unique_ptr<ModuleIndex> index) : index_(std::move(index)) {}
  [[nodiscard]] kd::Result<std::vector<std::string>> resolve(std::string_view what) const override {
    return index_->resolve(what);
  }
  [[nodiscard]] kd::Result<ModuleInfo> info(std::string_view name) const override {
    const auto found = infos_.find(name);
    if (found != infos_.end()) return found->second;
    return infos_.emplace(name, index_->info(name)).first->second;
  }

 private:
  std::unique_ptr<ModuleIndex> index_;
  mutable std::map<std::string, kd::Result<ModuleInfo>, std::less<>> infos_;
};

class Closure : public ::testing::Test {
 protected:
  void SetUp() override {
    if (kernels().empty()) GTEST_SKIP() << "KD_KERNELS names no kernels";
    if (!ModuleTree::run("command -v modprobe >/dev/null")) GTEST_SKIP() << "needs modprobe";
  }
  static std::unique_ptr<ModuleIndex> open(const Kernel& kernel) {
    auto index = open_kmod_index(kernel.directory, {});
    EXPECT_TRUE(index.has_value()) << index.error().message;
    return index ? std::make_unique<CachedIndex>(std::move(*index)) : nullptr;
  }
};

TEST_F(Closure, HardDependenciesAreThoseOfModprobe) {
  for (const Kernel& kernel : kernels()) {
    SCOPED_TRACE(kernel.version);
    const auto index = open(kernel);
    const std::vector<std::string> names = storage_modules(kernel);
    ASSERT_GT(names.size(), 100U);
    for (const auto& [name, expected] : modprobe_closures(kernel, names, false)) {
      const kd::Result<ModuleInfo> info = index->info(name);
      ASSERT_TRUE(info.has_value()) << info.error().message;
      Names ours(info->depends.begin(), info->depends.end());
      ours.insert(name);
      EXPECT_EQ(ours, expected) << name;
    }
  }
}

// Whether a module modprobe loads and we do not is one of the two documented savings: a softdep
// that is needless, or another provider of what we load the generic provider for.
bool is_saving(const std::string& name, const ModuleSet& set, const ModuleIndex& index) {
  for (const Module& module : set.load_order) {
    const kd::Result<ModuleInfo> info = index.info(module.name);
    if (!info) continue;
    for (const std::string& soft : info->soft_pre) {
      const std::vector<std::string> providers = *index.resolve(soft);
      const bool generic_taken = std::ranges::any_of(
          providers, [](const std::string& one) { return one.ends_with("_generic"); });
      if (!generic_taken && !is_needless_softdep(module.name, soft)) continue;
      for (const std::string& provider : providers) {
        const kd::Result<ModuleInfo> other = index.info(provider);
        if (name == provider ||
            (other && std::ranges::find(other->depends, name) != other->depends.end())) {
          return true;
        }
      }
    }
  }
  return false;
}

TEST_F(Closure, SetsAreThoseOfModprobeButForReasonsThatAreSaid) {
  for (const Kernel& kernel : kernels()) {
    SCOPED_TRACE(kernel.version);
    const auto index = open(kernel);
    for (const auto& [name, expected] : modprobe_closures(kernel, storage_modules(kernel), true)) {
      SCOPED_TRACE(name);
      const kd::Result<ModuleSet> set = select({.wanted = {want(name)}, .loaded = {}}, *index);
      ASSERT_TRUE(set.has_value()) << set.error().message;
      std::map<std::string, const Module*> ours;
      for (const Module& module : set->load_order) {
        for (const std::string& needed : module.needs) {
          EXPECT_TRUE(ours.contains(needed)) << module.name << " comes before " << needed;
        }
        ours[module.name] = &module;
      }
      for (const std::string& one : expected) {
        if (ours.contains(one)) continue;
        EXPECT_TRUE(is_saving(one, *set, *index)) << one << " is missing";
      }
      for (const auto& [one, module] : ours) {
        if (expected.contains(one)) continue;
        // Climb to the edge modprobe does not know: weakdeps, hidden dependencies, and softdeps,
        // of which modprobe uses only the first line of a module.
        const Module* why = module;
        while (why->reason.starts_with("needed by ")) why = ours.at(why->because);
        EXPECT_THAT(why->reason,
                    ::testing::ContainsRegex("^(softdep|weakdep|hidden dependency) of"))
            << one;
      }
    }
  }
}

}  // namespace
}  // namespace modsel
