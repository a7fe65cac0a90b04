// SPDX-License-Identifier: GPL-2.0-or-later
#include "hooks/verify/kallsyms.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/verify/fake_kernel.h"

namespace kd::verify {
namespace {

constexpr std::uint64_t kBase = 0xffffffff81000000;
constexpr std::string_view kWanted[] = {"modules", "init_task", "absent"};

// The table of a kernel, with one token for each letter and one for "init_".
struct FakeTable {
  static constexpr std::uint64_t kCount = 0x10000, kNames = 0x20000, kTokens = 0x30000,
                                 kIndex = 0x40000, kOffsets = 0x50000, kRelativeBase = 0x60000;
  static constexpr char kInit = 1;

  FakeMemory memory;
  std::uint64_t names = kNames;
  std::uint32_t count = 0;
  std::string info = fmt::format(
      "SYMBOL(kallsyms_num_syms)={:x}\nSYMBOL(kallsyms_names)={:x}\n"
      "SYMBOL(kallsyms_token_table)={:x}\nSYMBOL(kallsyms_token_index)={:x}\n"
      "SYMBOL(kallsyms_offsets)={:x}\nSYMBOL(kallsyms_relative_base)={:x}\n"
      "SYMBOL(_stext)={:x}\nSYMBOL(prb)={:x}\n",
      kCount, kNames, kTokens, kIndex, kOffsets, kRelativeBase, kBase, kBase + 0x2000);

  FakeTable() {
    std::uint64_t at = 0;
    for (unsigned token = 0; token < 256; ++token) {
      memory.put(kIndex + 2 * token, at, 2);
      const std::string text = token == kInit ? "init_" : std::string(1, static_cast<char>(token));
      memory.put(kTokens + at, text + '\0');
      at += text.size() + 1;
    }
    memory.put(kRelativeBase, kBase);
  }
  void add(const std::string& type_and_name, std::uint32_t offset) {
    const std::size_t length = type_and_name.size();
    if (length > 127) memory.put(names++, 0x80 | (length & 0x7F), 1);
    memory.put(names++, length > 127 ? length >> 7 : length, 1);
    memory.put(names, type_and_name);
    names += length;
    memory.put(kOffsets + 4ULL * count, offset, 4);
    memory.put(kCount, ++count, 4);
  }
  [[nodiscard]] tl::expected<SymbolTable, KallsymsError> find() const {
    const Vmcoreinfo parsed(info);
    return find_symbols(memory, kallsyms_places(parsed).value(), parsed, kWanted);
  }
};

std::string with_init(std::string_view before, std::string_view after) {
  return std::string(before) + FakeTable::kInit + std::string(after);
}

TEST(Kallsyms, NamesAreMadeOfTokens) {
  FakeTable table;
  table.add("T_stext", 0);
  table.add(with_init("D", "task"), 0x1000);
  table.add("Dprb", 0x2000);
  const auto found = table.find();
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->count, 3U);
  EXPECT_EQ(found->at("init_task"), kBase + 0x1000);
  EXPECT_EQ(found->at("absent"), 0U);
}

// Rust and lto make such names; since Linux 6.1 their length takes two bytes.
TEST(Kallsyms, ALongNameDoesNotMoveWhatFollows) {
  FakeTable table;
  table.add("T_stext", 0);
  table.add("t" + std::string(300, 'x'), 0x10);
  table.add("Dmodules", 0x1000);
  EXPECT_EQ(table.find().value().at("modules"), kBase + 0x1000);
}

TEST(Kallsyms, OfSeveralWithOneNameTheGlobalOneIsMeant) {
  FakeTable table;
  table.add("T_stext", 0);
  table.add("dmodules", 0x1000);
  table.add("Dmodules", 0x2000);
  table.add("bmodules", 0x3000);
  EXPECT_EQ(table.find().value().at("modules"), kBase + 0x2000);
}

// With CONFIG_KALLSYMS_ABSOLUTE_PERCPU what is not negative is an address, and what is, lies behind
// the base.
TEST(Kallsyms, OffsetsOfOlderKernelsAreUnderstood) {
  FakeTable table;
  table.add("Dmodules", static_cast<std::uint32_t>(-1 - 0x1000));
  table.add("Ainit_task", 0x1f000);
  table.add("T_stext", static_cast<std::uint32_t>(-1));
  table.add("Dprb", static_cast<std::uint32_t>(-1 - 0x2000));
  const auto found = table.find();
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->at("modules"), kBase + 0x1000);
  EXPECT_EQ(found->at("init_task"), 0x1f000U);
}

TEST(Kallsyms, OffsetsFromTheirOwnPlaceAreUnderstood) {
  FakeTable table;
  const auto from = [](unsigned index, std::uint64_t address) {
    return static_cast<std::uint32_t>(address - (FakeTable::kOffsets + 4 * index));
  };
  table.info = table.info.substr(0, table.info.find("SYMBOL(kallsyms_relative_base)")) +
               "SYMBOL(_stext)=70000\n";
  table.add("T_stext", from(0, 0x70000));
  table.add("Dmodules", from(1, 0x48000));
  EXPECT_EQ(table.find().value().at("modules"), 0x48000U);
}

TEST(Kallsyms, AnUnknownFormIsSaidInPlaceOfWrongAddresses) {
  FakeTable table;
  table.add("T_stext", 0x77);
  table.add("Dmodules", 0x1000);
  const auto found = table.find();
  ASSERT_FALSE(found.has_value());
  EXPECT_THAT(found.error().reason, testing::HasSubstr("another form"));
}

TEST(Kallsyms, NoTwoKnownSymbolsMayDisagree) {
  FakeTable table;
  table.add("T_stext", 0);
  table.add("Dprb", 0x2001);
  EXPECT_FALSE(table.find().has_value());
}

TEST(Kallsyms, AMissingPageIsSaid) {
  FakeTable table;
  table.add("T_stext", 0);
  table.memory.remove(FakeTable::kNames);
  const auto found = table.find();
  ASSERT_FALSE(found.has_value());
  ASSERT_TRUE(found.error().unread.has_value());
  EXPECT_EQ(found.error().unread->page, FakeTable::kNames / FakeMemory::kPage);
}

TEST(Kallsyms, ACountBeyondAllReasonIsAnError) {
  FakeTable table;
  table.add("T_stext", 0);
  table.memory.put(FakeTable::kCount, 0xffffffff, 4);
  EXPECT_THAT(table.find().error().reason, testing::HasSubstr("4294967295 symbols"));
}

TEST(Kallsyms, AKernelThatDoesNotTellWhereIsNotSupported) {
  const auto places = kallsyms_places(Vmcoreinfo("SYMBOL(kallsyms_names)=1000\n"));
  ASSERT_FALSE(places.has_value());
  EXPECT_EQ(places.error().kind, ErrorKind::kTargetNotSupported);
}

}  // namespace
}  // namespace kd::verify
