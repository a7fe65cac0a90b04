// SPDX-License-Identifier: GPL-2.0-or-later
#include "builder/programs/closure.h"

#include <gmock/gmock.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <map>
#include <memory>
#include <set>

#include "builder/base/rooted_reader.h"
#include "builder/programs/elf.h"
#include "tests/base/temporary_directory.h"

namespace kd {
namespace {

using testing::HasSubstr;

std::string output_of(const std::string& command) {
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen(command.c_str(), "r"), pclose);
  std::string output;
  std::array<char, 4096> buffer{};
  while (const std::size_t got = fread(buffer.data(), 1, buffer.size(), pipe.get())) {
    output.append(buffer.data(), got);
  }
  return output;
}

// The judge is the system's own dynamic loader.
TEST(ProgramClosure, HoldsWhatLddLists) {
  const auto reader = RootedReader::open("/");
  ASSERT_TRUE(reader.has_value());
  for (const char* program : {"makedumpfile", "bash", "qemu-img", "git"}) {
    std::set<std::string> expected;
    std::string list = output_of(std::string("ldd $(command -v ") + program +
                                 ") 2>/dev/null | grep -o '/[^ ]*' | xargs -r -n1 realpath");
    for (std::size_t end; (end = list.find('\n')) != std::string::npos; list.erase(0, end + 1)) {
      expected.insert(list.substr(0, end));
    }
    if (expected.empty()) continue;  // not installed here
    const auto files = program_closure(*reader, program, "test");
    ASSERT_TRUE(files.has_value()) << files.error().message;
    std::set<std::string> found;
    for (const ProgramFile& file : *files) {
      if (!file.because.empty()) found.insert(file.source);
    }
    EXPECT_EQ(found, expected) << program;
  }
}

// In a root that has nothing else.
TEST(ProgramClosure, MakedumpfileRunsFromItsFilesAlone) {
  const auto reader = RootedReader::open("/");
  ASSERT_TRUE(reader.has_value());
  const auto files = program_closure(*reader, "makedumpfile", "test");
  ASSERT_TRUE(files.has_value()) << files.error().message;
  const TemporaryDirectory root;
  for (const ProgramFile& file : *files) {
    const std::string copy = root.path(file.image_path.substr(1));
    std::filesystem::create_directories(std::filesystem::path(copy).parent_path());
    if (!std::filesystem::exists(copy)) std::filesystem::copy_file(file.source, copy);
  }
  const std::string chroot = "unshare -rm chroot " + root.path() + " ";
  if (output_of(chroot + "/nothing 2>&1; echo $?").find("127\n") == std::string::npos) {
    GTEST_SKIP() << "no chroot here";
  }
  EXPECT_THAT(output_of(chroot + files->front().image_path + " -v 2>&1"),
              testing::StartsWith("makedumpfile: version "));
}

TEST(ProgramClosure, NamesTheMissingProgram) {
  const auto reader = RootedReader::open("/");
  ASSERT_TRUE(reader.has_value());
  const auto files = program_closure(*reader, "no-such-program", "test");
  ASSERT_FALSE(files.has_value());
  EXPECT_THAT(files.error().message, HasSubstr("no-such-program"));
}

// A root in memory; only what the closure asks for.
class MemoryReader final : public FileReader {
 public:
  std::map<std::string, std::string, std::less<>> files;

  Result<std::string> read(std::string_view path) const override {
    const auto found = files.find(path);
    if (found == files.end()) return fail_errno(ENOENT, path);
    return found->second;
  }
  Result<void> read_blocks(std::string_view path, const BlockVisitor& visit) const override {
    KD_TRY(const std::string text, read(path));
    visit(text);
    return {};
  }
  Result<std::vector<std::string>> list(std::string_view path) const override {
    return fail_errno(ENOTDIR, path);
  }
  Result<std::string> resolve(std::string_view path) const override {
    KD_CHECK(read(path));
    return std::string(path);
  }
  Result<FileStatus> status(std::string_view path) const override {
    KD_CHECK(read(path));
    return FileStatus{};
  }
};

TEST(ProgramClosure, NamesTheMissingLibraryAndWhoNeedsIt) {
  const auto host = RootedReader::open("/");
  ASSERT_TRUE(host.has_value());
  MemoryReader reader;
  reader.files["/usr/bin/makedumpfile"] = host->read("/usr/bin/makedumpfile").value();
  reader.files["/lib64/ld-linux-x86-64.so.2"] = host->read("/lib64/ld-linux-x86-64.so.2").value();
  const auto files = program_closure(reader, "makedumpfile", "test");
  ASSERT_FALSE(files.has_value());
  EXPECT_THAT(files.error().message, HasSubstr("needed by /usr/bin/makedumpfile"));
}

TEST(ProgramClosure, RefusesAScriptAndATruncatedProgram) {
  MemoryReader reader;
  reader.files["/usr/bin/script"] = "#!/bin/sh\necho\n";
  const auto script = program_closure(reader, "script", "test");
  ASSERT_FALSE(script.has_value());
  EXPECT_THAT(script.error().message, HasSubstr("/usr/bin/script: not an ELF file"));

  const std::string whole = RootedReader::open("/")->read("/usr/bin/makedumpfile").value();
  for (const std::size_t size : {4UL, 63UL, 64UL, 600UL, whole.size() / 2}) {
    // Never a crash; the section headers are at the end, so a closure from half a file would lack
    // its libraries.
    EXPECT_FALSE(parse_elf(whole.substr(0, size)).has_value()) << size;
  }
}

StandIn stand_in_for(std::vector<std::string> libraries) {
  return {.source = KD_STAND_IN,
          .content = RootedReader::open("/")->read(KD_STAND_IN).value(),
          .libraries = std::move(libraries)};
}

std::set<std::string> image_paths(const std::vector<ProgramFile>& files, bool stand_in) {
  std::set<std::string> paths;
  for (const ProgramFile& file : files) {
    if (file.stand_in == stand_in) paths.insert(file.image_path);
  }
  return paths;
}

TEST(StandIn, ReplacesWhatIsNotCalledAndWhatOnlyThatNeeds) {
  const auto reader = RootedReader::open("/");
  const auto files =
      program_closure(*reader, "makedumpfile", "test",
                      stand_in_for({"libdw.so.1", "libelf.so.1", "liblzo2.so.2", "libzstd.so.1"}));
  ASSERT_TRUE(files.has_value()) << files.error().message;
  EXPECT_THAT(image_paths(*files, true),
              testing::IsSupersetOf({"/lib/libdw.so.1", "/lib/libelf.so.1"}));
  const std::set<std::string> real = image_paths(*files, false);
  EXPECT_THAT(real, testing::IsSupersetOf({"/bin/makedumpfile", "/lib/libz.so.1"}));
  EXPECT_FALSE(real.contains("/lib/libdw.so.1"));
  EXPECT_FALSE(real.contains("/lib/libbz2.so.1.0")) << "only libdw needs it";
  for (const ProgramFile& file : *files) {
    EXPECT_EQ(file.stand_in, file.source == KD_STAND_IN);
  }
}

// The judge is the dynamic loader: with LD_BIND_NOW it wants every symbol, as of a program that
// was linked so, and it says so when a version is missing.
TEST(StandIn, SatisfiesTheDynamicLoader) {
  namespace fs = std::filesystem;
  const fs::path directory = fs::path(testing::TempDir()) / "stand-in";
  fs::create_directories(directory);
  for (const char* name : {"libdw.so.1", "libelf.so.1", "liblzo2.so.2"}) {
    fs::copy_file(KD_STAND_IN, directory / name, fs::copy_options::overwrite_existing);
  }
  const std::string libraries = "LD_LIBRARY_PATH=" + directory.string() + " ";
  const std::string version = output_of(libraries + "LD_BIND_NOW=1 makedumpfile -v 2>&1");
  EXPECT_THAT(version, testing::StartsWith("makedumpfile: version"));
  EXPECT_THAT(version, testing::Not(HasSubstr("no version information")));
  // Whoever calls it all the same is told what is the matter.
  EXPECT_THAT(
      output_of(libraries + "makedumpfile -g /dev/null -x /bin/true 2>&1; echo status $?"),
      testing::AllOf(HasSubstr("dwfl_begin() was left out of this image"), HasSubstr("status 1")));
}

TEST(StandIn, ReplacesNothingWhenItLacksASymbol) {
  const auto reader = RootedReader::open("/");
  StandIn other = stand_in_for({"libdw.so.1", "libelf.so.1"});
  other.content = reader->read("/lib/x86_64-linux-gnu/libz.so.1").value();
  const auto files = program_closure(*reader, "makedumpfile", "test", other);
  ASSERT_TRUE(files.has_value()) << files.error().message;
  EXPECT_EQ(*files, *program_closure(*reader, "makedumpfile", "test"));
}

// libdw needs libelf: with libdw real, the libelf that it finds has to be real as well.
TEST(StandIn, ReplacesNothingThatAnotherLibraryNeeds) {
  const auto reader = RootedReader::open("/");
  StandIn other = stand_in_for({"libelf.so.1"});
  const auto files = program_closure(*reader, "makedumpfile", "test", other);
  ASSERT_TRUE(files.has_value()) << files.error().message;
  EXPECT_EQ(*files, *program_closure(*reader, "makedumpfile", "test"));
}

TEST(ElfSymbols, AreThoseThatNmLists) {
  const auto reader = RootedReader::open("/");
  const auto lines = [](const std::string& command) {
    std::set<std::string> result;
    std::string list = output_of(command);
    for (std::size_t end; (end = list.find('\n')) != std::string::npos; list.erase(0, end + 1)) {
      result.insert(list.substr(0, end));
    }
    return result;
  };
  const auto program = parse_elf_symbols(reader->read("/usr/bin/makedumpfile").value());
  ASSERT_TRUE(program.has_value());
  EXPECT_EQ(std::set<std::string>(program->undefined.begin(), program->undefined.end()),
            lines("nm -D /usr/bin/makedumpfile | sed -n 's/^ *U //p'"));
  const auto library = parse_elf_symbols(reader->read("/lib/x86_64-linux-gnu/libdw.so.1").value());
  ASSERT_TRUE(library.has_value());
  EXPECT_EQ(
      std::set<std::string>(library->defined.begin(), library->defined.end()),
      lines(
          "nm -D --defined-only /lib/x86_64-linux-gnu/libdw.so.1 | awk '$2 != \"A\" {print $3}' | "
          "sed 's/@@/@/'"));
}

}  // namespace
}  // namespace kd
