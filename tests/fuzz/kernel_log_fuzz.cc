// SPDX-License-Identifier: GPL-2.0-or-later
#include "hooks/verify/log.h"
#include "tests/fuzz/flat_memory.h"

// The input is the ring with its records, laid out as Linux 6.1 has them.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const kd::verify::Vmcoreinfo info(
      "SYMBOL(prb)=100000\nSIZE(printk_ringbuffer)=88\nOFFSET(printk_ringbuffer.desc_ring)=0\n"
      "OFFSET(printk_ringbuffer.text_data_ring)=48\nSIZE(prb_desc_ring)=48\n"
      "OFFSET(prb_desc_ring.count_bits)=0\nOFFSET(prb_desc_ring.descs)=8\n"
      "OFFSET(prb_desc_ring.infos)=16\nOFFSET(prb_desc_ring.head_id)=24\n"
      "OFFSET(prb_desc_ring.tail_id)=32\nSIZE(prb_desc)=24\nOFFSET(prb_desc.state_var)=0\n"
      "OFFSET(prb_desc.text_blk_lpos)=8\nSIZE(prb_data_blk_lpos)=16\n"
      "OFFSET(prb_data_blk_lpos.begin)=0\nOFFSET(prb_data_blk_lpos.next)=8\n"
      "SIZE(printk_info)=88\nOFFSET(printk_info.text_len)=16\nSIZE(prb_data_ring)=32\n"
      "OFFSET(prb_data_ring.size_bits)=0\nOFFSET(prb_data_ring.data)=8\n");
  const kd::verify::FlatMemory memory({reinterpret_cast<const std::byte*>(data), size});
  (void)read_log(memory, info);
  return 0;
}
