// SPDX-License-Identifier: GPL-2.0-or-later
#include "hooks/verify/log.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/verify/fake_kernel.h"

namespace kd::verify {
namespace {

constexpr const char* kInfo =
    "SYMBOL(prb)=10000\nSIZE(printk_ringbuffer)=88\nOFFSET(printk_ringbuffer.desc_ring)=0\n"
    "OFFSET(printk_ringbuffer.text_data_ring)=48\nSIZE(prb_desc_ring)=48\n"
    "OFFSET(prb_desc_ring.count_bits)=0\nOFFSET(prb_desc_ring.descs)=8\n"
    "OFFSET(prb_desc_ring.infos)=16\nOFFSET(prb_desc_ring.head_id)=24\n"
    "OFFSET(prb_desc_ring.tail_id)=32\nSIZE(prb_desc)=24\nOFFSET(prb_desc.state_var)=0\n"
    "OFFSET(prb_desc.text_blk_lpos)=8\nSIZE(prb_data_blk_lpos)=16\n"
    "OFFSET(prb_data_blk_lpos.begin)=0\nOFFSET(prb_data_blk_lpos.next)=8\nSIZE(printk_info)=88\n"
    "OFFSET(printk_info.text_len)=16\nSIZE(prb_data_ring)=32\nOFFSET(prb_data_ring.size_bits)=0\n"
    "OFFSET(prb_data_ring.data)=8\n";

constexpr std::uint64_t kFinalized = 2ULL << 62, kReserved = 0;

// A ring of 8 records and 256 bytes.
struct FakeLog {
  static constexpr std::uint64_t kRing = 0x20000, kDescs = 0x30000, kInfos = 0x40000,
                                 kData = 0x50000;
  FakeMemory memory;
  std::uint64_t id = 14, position = 0;

  FakeLog() {
    memory.put(0x10000, kRing);
    memory.put(kRing, 3, 4);
    memory.put(kRing + 8, kDescs);
    memory.put(kRing + 16, kInfos);
    memory.put(kRing + 32, id);
    memory.put(kRing + 48, 8, 4);
    memory.put(kRing + 56, kData);
    memory.add_pages(kDescs, 192);
    memory.add_pages(kInfos, 8 * 88);
    memory.add_pages(kData, 256);
  }
  void add(std::string_view text, std::uint64_t state = kFinalized) {
    const std::uint64_t size = (8 + text.size() + 7) / 8 * 8;
    const std::uint64_t begin = position;
    std::uint64_t at = begin % 256;
    position += size;
    if (begin / 256 != (position - 1) / 256) {  // does not fit before the end
      at = 0;
      position = (begin / 256 + 1) * 256 + size;
    }
    memory.put(kData + at + 8, text);
    memory.put(kDescs + id % 8 * 24, state | id);
    memory.put(kDescs + id % 8 * 24 + 8, begin);
    memory.put(kDescs + id % 8 * 24 + 16, position);
    memory.put(kInfos + id % 8 * 88 + 16, text.size(), 2);
    memory.put(kRing + 24, id++);
  }
  [[nodiscard]] Check read() const { return read_log(memory, Vmcoreinfo(kInfo)); }
};

TEST(Log, EveryRecordIsRead) {
  FakeLog log;
  log.add("Linux version 6.1");
  log.add("second line");
  const Check check = log.read();
  EXPECT_EQ(check.count, 2U);
  EXPECT_EQ(check.detail, "second line");
  EXPECT_EQ(check.missing_count, 0U);
}

TEST(Log, ATextThatWasMovedToTheStartIsRead) {
  FakeLog log;
  log.add(std::string(180, 'a'));
  log.add("moved: " + std::string(80, 'b'));
  EXPECT_EQ(log.read().detail, "moved: " + std::string(80, 'b'));
}

TEST(Log, ThePanicIsShownThoughMoreFollows) {
  FakeLog log;
  log.add("Kernel panic - not syncing: sysrq triggered crash\nmore");
  log.add("---[ end Kernel panic ]---");
  EXPECT_EQ(log.read().detail, "Kernel panic - not syncing: sysrq triggered crash");
}

TEST(Log, WhatWasBeingWrittenIsLeftOut) {
  FakeLog log;
  log.add("whole");
  log.add("half", kReserved);
  EXPECT_EQ(log.read().count, 1U);
  EXPECT_EQ(log.read().missing_count, 0U);
}

TEST(Log, AMissingPageIsSaidWithItsRecord) {
  FakeLog log;
  log.add("whole");
  log.memory.remove(FakeLog::kData);
  const Check check = log.read();
  ASSERT_TRUE(check.first_missing.has_value());
  EXPECT_EQ(describe(*check.first_missing), "page 0x50 is not in the dump: record 14 of the log");
}

TEST(Log, ARingThatContradictsItselfIsAnError) {
  for (const auto& [at, value] : std::vector<std::pair<std::uint64_t, std::uint64_t>>{
           {FakeLog::kRing, 64}, {FakeLog::kRing + 48, 40}, {FakeLog::kRing + 24, 1000}}) {
    FakeLog log;
    log.add("text");
    log.memory.put(at, value, at == FakeLog::kRing + 24 ? 8 : 4);
    EXPECT_EQ(log.read().missing_count, 1U);
    EXPECT_EQ(log.read().count, 0U);
  }
}

TEST(Log, APositionBehindTheRingIsNotRead) {
  FakeLog log;
  log.add("text");
  log.memory.put(FakeLog::kDescs + 14 % 8 * 24 + 8, 250);
  EXPECT_EQ(log.read().detail, "");
}

TEST(Log, AnOlderKernelIsNotChecked) {
  EXPECT_EQ(read_log(FakeMemory(), Vmcoreinfo("OSRELEASE=5.4\n")).not_checked,
            "VMCOREINFO has no SYMBOL(prb)");
}

}  // namespace
}  // namespace kd::verify
