# SPDX-License-Identifier: GPL-2.0-or-later
"""What a console tells about the memory of a boot. Pure."""

import re
from collections import Counter
from dataclasses import dataclass

SECTIONS = (("kernel code", ".text"), ("rwdata", ".data"), ("rodata", ".rodata"),
            ("init", "init sections, freed before init"), ("bss", ".bss"))


@dataclass(frozen=True)
class Row:
    name: str
    kib: float
    kind: str  # section | in .bss | memblock | initcall | slab


@dataclass(frozen=True)
class Symbol:
    name: str
    address: int
    size: int
    type: str  # as nm has it


def told(console, name):
    """The lines between the marks of tell.c."""
    lines = iter(console.splitlines())
    for line in lines:
        if line.endswith(f"tell: begin {name}"):
            break
    result = []
    for line in lines:
        if line.endswith("tell: end"):
            return result
        result.append(line)
    raise ValueError(f"the console does not tell {name}")


def meminfo(console):
    """Name -> KiB."""
    pairs = (line.split() for line in told(console, "/proc/meminfo"))
    return {words[0].rstrip(":"): int(words[1]) for words in pairs}


def free_at_init(console):
    """KiB that nothing but the files of the image has, pages in per-CPU lists included: how many lie
    there is down to chance, and MemFree leaves them out."""
    memory = meminfo(console)
    lists = sum(int(line.split()[1]) for line in told(console, "/proc/zoneinfo")
                if line.strip().startswith("count:"))
    return memory["MemFree"] + memory["Cached"] + 4 * lists


def symbols(console):
    words = (line.split() for line in told(console, "symbols"))
    return [Symbol(name, int(address, 16), int(size), kind) for address, size, kind, name in words]


def large_symbols(console):
    """What .bss is made of; that of the linker's marks (__brk_limit) is the gap behind them."""
    return [Row(symbol.name, symbol.size / 1024, "in .bss") for symbol in symbols(console)
            if symbol.type in "bB"]


def slabs(console):
    """slabinfo(5), version 2.1: objects per slab, pages per slab; after "slabdata" the slabs."""
    rows = []
    for line in told(console, "/proc/slabinfo"):
        words = line.split()
        if "slabdata" not in words or words[0] == "#":
            continue
        pages, count = int(words[5]), int(words[words.index("slabdata") + 2])
        rows.append(Row(words[0], 4 * pages * count, "slab"))
    return rows


def sections(console):
    """Of the kernel's line "Memory: ..."."""
    line = next((line for line in console.splitlines() if " Memory: " in line), "")
    rows = []
    for word, name in SECTIONS:
        if found := re.search(rf"(\d+)K {word}\b", line):
            rows.append(Row(name, int(found[1]), "section"))
    return rows


RANGE = r"\[(0x[0-9a-f]+)-(0x[0-9a-f]+)\]"
CALLER = r"([\w.]+)\+0x[0-9a-f]+/"
ADDED = re.compile(rf"memblock_add: {RANGE}")
RESERVED = re.compile(rf"memblock_reserve: {RANGE}.* {CALLER}")
FREED = re.compile(rf"memblock_(?:phys_)?free: {RANGE}.* {CALLER}")
ALLOCATED = re.compile(rf"memblock_\w*alloc\w*: (\d+) bytes.* {CALLER}")
# Each allocation is a reservation as well, by this function.
ALLOCATOR = "memblock_alloc_range_nid"


def memblock(console):
    """Of memblock=debug: net bytes of each caller. Reservations count where there is memory."""
    memory, taken = [], Counter()

    def inside(first, last):
        return sum(max(0, min(last, end) - max(first, start) + 1) for start, end in memory)

    for line in console.splitlines():
        if found := ADDED.search(line):
            memory.append((int(found[1], 16), int(found[2], 16)))
        elif found := ALLOCATED.search(line):
            taken[found[2]] += int(found[1])
        elif (found := RESERVED.search(line)) and found[3] != ALLOCATOR:
            # Before there is any memory, the kernel reserves what it lies in.
            first, last = int(found[1], 16), int(found[2], 16)
            taken[found[3]] += inside(first, last)
        elif found := FREED.search(line):
            taken[found[3]] -= inside(int(found[1], 16), int(found[2], 16))
    return [Row(name.split(".")[0], bytes_ / 1024, "memblock") for name, bytes_ in taken.items()]



def largest(rows, most, least):
    """The `most` largest rows of each kind that have `least` KiB; the largest of all first."""
    chosen = []
    for kind in {row.kind for row in rows}:
        of_kind = [row for row in rows if row.kind == kind and row.kib >= least]
        chosen += sorted(of_kind, key=lambda row: -row.kib)[:most]
    return sorted(chosen, key=lambda row: (-row.kib, row.name))
