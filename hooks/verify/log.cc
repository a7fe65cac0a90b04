// SPDX-License-Identifier: GPL-2.0-or-later
#include "hooks/verify/log.h"

#include <fmt/format.h>

namespace kd::verify {
namespace {

// log_buf_len= goes up to 2 GiB, with a descriptor for every 32 bytes.
constexpr std::uint64_t kMostCountBits = 26, kMostSizeBits = 31;
constexpr std::uint64_t kStateShift = 62;
constexpr std::uint64_t kIdMask = (1ULL << kStateShift) - 1;
constexpr std::uint64_t kCommitted = 1, kFinalized = 2;
constexpr std::uint64_t kDataId = sizeof(std::uint64_t);  // in front of every text
constexpr std::string_view kPanic = "Kernel panic";

struct Layout {
  std::uint64_t ring_size, desc_ring, data_ring;
  std::uint64_t desc_ring_size, count_bits, descs, infos, head_id, tail_id;
  std::uint64_t desc_size, state, lpos, begin, next;
  std::uint64_t info_size, text_length;
  std::uint64_t data_ring_size, size_bits, data;
};

// The first name that VMCOREINFO does not have, else empty.
std::string find_layout(const Vmcoreinfo& info, Layout& out) {
  std::string missing;
  const auto get = [&](const char* kind, const char* name) {
    const std::optional<std::uint64_t> value = info.number(kind, name);
    if (!value && missing.empty()) missing = fmt::format("{}({})", kind, name);
    // No structure of the ring is larger; keeps sums far from the end of the number.
    return std::min<std::uint64_t>(value.value_or(0), 1 << 16);
  };
  out = {.ring_size = get("SIZE", "printk_ringbuffer"),
         .desc_ring = get("OFFSET", "printk_ringbuffer.desc_ring"),
         .data_ring = get("OFFSET", "printk_ringbuffer.text_data_ring"),
         .desc_ring_size = get("SIZE", "prb_desc_ring"),
         .count_bits = get("OFFSET", "prb_desc_ring.count_bits"),
         .descs = get("OFFSET", "prb_desc_ring.descs"),
         .infos = get("OFFSET", "prb_desc_ring.infos"),
         .head_id = get("OFFSET", "prb_desc_ring.head_id"),
         .tail_id = get("OFFSET", "prb_desc_ring.tail_id"),
         .desc_size = get("SIZE", "prb_desc"),
         .state = get("OFFSET", "prb_desc.state_var"),
         .lpos = get("OFFSET", "prb_desc.text_blk_lpos"),
         .begin = get("OFFSET", "prb_data_blk_lpos.begin"),
         .next = get("OFFSET", "prb_data_blk_lpos.next"),
         .info_size = get("SIZE", "printk_info"),
         .text_length = get("OFFSET", "printk_info.text_len"),
         .data_ring_size = get("SIZE", "prb_data_ring"),
         .size_bits = get("OFFSET", "prb_data_ring.size_bits"),
         .data = get("OFFSET", "prb_data_ring.data")};
  return missing;
}

struct Ring {
  std::uint64_t count_bits, descs, infos, head, tail;
  std::uint64_t size_bits, data;
};

// What stands in the ring about itself. An empty text without `unread`: all is well.
std::string read_ring(const Memory& memory, std::uint64_t prb, const Layout& layout, Ring& out,
                      std::optional<Unread>& unread) {
  const Read<std::uint64_t> address = read_number(memory, prb);
  if (!address) {
    unread = address.error();
    return {};
  }
  const Read<std::vector<std::byte>> ring = read_bytes(memory, *address, layout.ring_size);
  if (!ring) {
    unread = ring.error();
    return {};
  }
  const auto desc = [&](std::uint64_t at, std::size_t size = 8) {
    return number(*ring, layout.desc_ring + at, size);
  };
  out = {.count_bits = desc(layout.count_bits, 4),
         .descs = desc(layout.descs),
         .infos = desc(layout.infos),
         .head = desc(layout.head_id) & kIdMask,
         .tail = desc(layout.tail_id) & kIdMask,
         .size_bits = number(*ring, layout.data_ring + layout.size_bits, 4),
         .data = number(*ring, layout.data_ring + layout.data)};
  if (out.count_bits > kMostCountBits || out.size_bits > kMostSizeBits || out.size_bits < 3) {
    return fmt::format("the ring buffer says 2^{} records in 2^{} bytes", out.count_bits,
                       out.size_bits);
  }
  if (((out.head - out.tail) & kIdMask) >> out.count_bits != 0) {
    return fmt::format("the ring buffer goes from record {} to {}, of 2^{}", out.tail, out.head,
                       out.count_bits);
  }
  return {};
}

// The text between two logical positions; a block never wraps, it moves to the start instead.
Read<std::string> read_text(const Memory& memory, const Ring& ring, std::uint64_t begin,
                            std::uint64_t next, std::uint64_t length) {
  if ((begin & 1) != 0) return std::string();  // a record without text
  const std::uint64_t mask = (1ULL << ring.size_bits) - 1;
  const bool wraps = begin >> ring.size_bits != next >> ring.size_bits && (next & mask) != 0;
  const std::uint64_t from = wraps ? 0 : begin & mask;
  const std::uint64_t size = (next - begin) & mask;
  const std::uint64_t block = wraps ? next & mask : size;
  if (block <= kDataId || from + block > mask + 1) return std::string();
  std::string text(std::min(length, block - kDataId), '\0');
  const std::span<std::byte> bytes(reinterpret_cast<std::byte*>(text.data()), text.size());
  if (Read<void> done = memory.read(ring.data + from + kDataId, bytes); !done) {
    return tl::unexpected(std::move(done).error());
  }
  return text;
}

// True when the record is whole or empty, and nothing is missing.
void read_record(const Memory& memory, const Layout& layout, const Ring& ring, std::uint64_t id,
                 Check& check) {
  const std::uint64_t index = id & ((1ULL << ring.count_bits) - 1);
  const auto miss = [&](const Unread& unread) {
    check.miss(unread, fmt::format("record {} of the log", id));
  };
  const auto desc = read_bytes(memory, ring.descs + index * layout.desc_size, layout.desc_size);
  if (!desc) return miss(desc.error());
  const std::uint64_t state = number(*desc, layout.state);
  // What a CPU was writing when the machine crashed has another state, what is reused another id.
  if ((state & kIdMask) != id) return;
  if (state >> kStateShift != kCommitted && state >> kStateShift != kFinalized) return;
  const auto info = read_bytes(memory, ring.infos + index * layout.info_size, layout.info_size);
  if (!info) return miss(info.error());
  const Read<std::string> text =
      read_text(memory, ring, number(*desc, layout.lpos + layout.begin),
                number(*desc, layout.lpos + layout.next), number(*info, layout.text_length, 2));
  if (!text) return miss(text.error());
  ++check.count;
  if (!text->empty() && !check.detail.starts_with(kPanic)) {
    check.detail = text->substr(0, text->find('\n'));
  }
}

}  // namespace

Check read_log(const Memory& memory, const Vmcoreinfo& info) {
  Check check{.name = "log"};
  const std::optional<std::uint64_t> prb = info.symbol("prb");
  Layout layout{};
  const std::string missing = prb ? find_layout(info, layout) : "SYMBOL(prb)";
  if (!missing.empty()) {
    check.not_checked = fmt::format("VMCOREINFO has no {}", missing);
    return check;
  }
  Ring ring{};
  std::optional<Unread> unread;
  const std::string wrong = read_ring(memory, *prb, layout, ring, unread);
  if (unread) {
    check.miss(*unread, "the log's ring buffer");
  } else if (!wrong.empty()) {
    check.miss({Unread::Kind::kNotMapped, *prb, {}, wrong}, "the log's ring buffer");
  } else {
    for (std::uint64_t id = ring.tail;; id = (id + 1) & kIdMask) {
      read_record(memory, layout, ring, id, check);
      if (id == ring.head) break;
    }
  }
  return check;
}

}  // namespace kd::verify
