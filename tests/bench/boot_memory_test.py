# SPDX-License-Identifier: GPL-2.0-or-later
"""What bench/initcalls reads from a console, with lines of Linux 6.1 and 7.3."""

import pathlib
import sys
import unittest

SOURCE = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(SOURCE / "bench")]

import boot_memory
from boot_memory import Row

MEMORY = ("[    0.000000] Memory: 39944K/98940K available (14343K kernel code, 2338K rwdata, 9132K "
          "rodata, 2824K init, 17344K bss, 58744K reserved, 0K cma-reserved)")
SLABS = """tell: begin /proc/slabinfo
slabinfo - version: 2.1
# name            <active_objs> <num_objs> <objsize> <objperslab> <pagesperslab> : tunables <limit> : slabdata <active_slabs> <num_slabs> <sharedavail>
kernfs_node_cache   9000   9088    128   32    1 : tunables    0    0    0 : slabdata    284    284      0
kmalloc-8k            8      8   8192    4    8 : tunables    0    0    0 : slabdata      2      2      0
tell: end
"""
SYMBOLS = """tell: begin symbols
ffffffff81000000 65536 T big_function
ffffffff82000000 80 T do_one_initcall
ffffffff83000000 20480 b big_table
ffffffff83005000 16384 R big_names
tell: end
"""


class Console(unittest.TestCase):
    def test_sections_are_those_of_the_kernel(self):
        self.assertIn(Row(".bss", 17344, "section"), boot_memory.sections(MEMORY))
        self.assertEqual(len(boot_memory.sections(MEMORY)), 5)
        self.assertEqual(boot_memory.sections("nothing"), [])

    def test_slabs_have_whole_pages(self):
        self.assertEqual(boot_memory.slabs(SLABS), [Row("kernfs_node_cache", 1136, "slab"),
                                                    Row("kmalloc-8k", 64, "slab")])

    def test_large_symbols_are_those_of_bss(self):
        self.assertEqual(boot_memory.large_symbols(SYMBOLS), [Row("big_table", 20, "in .bss")])

    def test_what_is_not_told_is_an_error(self):
        with self.assertRaises(ValueError):
            boot_memory.meminfo(SLABS)


class FreeAtInit(unittest.TestCase):
    def test_pages_in_per_cpu_lists_are_free(self):
        console = """tell: begin /proc/meminfo
MemTotal:          48264 kB
MemFree:           37188 kB
Cached:               60 kB
tell: end
tell: begin /proc/zoneinfo
Node 0, zone    DMA32
  pages free     9297
  pagesets
    cpu: 0
              count:    100
              high:     206
tell: end
"""
        self.assertEqual(boot_memory.free_at_init(console), 37188 + 60 + 400)


class Memblock(unittest.TestCase):
    ADDED = "memblock_add: [0x0000000001000000-0x0000000006ffffff] e820__memblock_setup+0x65/0x7d\n"

    def rows(self, *lines):
        return {row.name: row.kib for row in boot_memory.memblock(self.ADDED + "\n".join(lines))}

    def test_an_allocation_counts_once(self):
        self.assertEqual(self.rows(
            "memblock_alloc_exact_nid_raw: 4194304 bytes align=0x200000 nid=0 from=0x1000000 "
            "max_addr=0x0 sparse_init_nid+0x11f/0x34d",
            "memblock_reserve: [0x6a00000-0x6dfffff] memblock_alloc_range_nid+0xb0/0x13d"),
            {"sparse_init_nid": 4096})

    def test_only_memory_can_be_reserved(self):
        self.assertEqual(self.rows(
            "__memblock_reserve: [0x1ffe0000-0x1ffe0fff] nid=-1 flags=0 acpi_reserve+0x6f/0x90",
            "__memblock_reserve: [0x6fff000-0x7000fff] nid=-1 flags=20 setup_arch+0x844/0xc10"),
            {"acpi_reserve": 0, "setup_arch": 4})

    def test_what_is_freed_is_taken_off(self):
        self.assertEqual(self.rows(
            "memblock_phys_alloc_range: 2097152 bytes align=0x200000 from=0x100000 max_addr=0x8001000 "
            "init_mem_mapping+0x1ee/0x31f",
            "memblock_phys_free: [0x6e00000-0x6ffffff] init_mem_mapping+0x22e/0x31f"),
            {"init_mem_mapping": 0})


class Largest(unittest.TestCase):
    def test_each_kind_has_its_own_largest(self):
        rows = [Row("a", 500, "slab"), Row("b", 400, "slab"), Row("c", 300, "initcall"),
                Row("d", 10, "initcall")]
        self.assertEqual([row.name for row in boot_memory.largest(rows, 1, 64)], ["a", "c"])


if __name__ == "__main__":
    unittest.main()
