# SPDX-License-Identifier: GPL-2.0-or-later
"""Copies of a dump that lost something, for kdump-verify to find."""

import re
import struct
import zlib

import vmcore

PT_LOAD = 1
# Elf64_Phdr: type, flags, offset, two addresses, size in the file and in memory, alignment
SEGMENT = struct.Struct("<IIQQQQQQ")
# comm of task_struct, whose 16 bytes are filled up with zeros.
KTHREADD = b"kthreadd".ljust(16, b"\0")


def cut_off(path, copy):
    """Without its last byte."""
    copy.write_bytes(path.read_bytes()[:-1])


def without_task(path, copy):
    """As if the page of a task had been filtered out: nothing in the file hints at it."""
    data = bytearray(path.read_bytes())
    *_, block, sub_blocks, bitmap_blocks, _ = vmcore.HEADER.unpack_from(data)
    half = bitmap_blocks // 2 * block
    start = (1 + sub_blocks) * block + half
    bits = int.from_bytes(data[start:start + half], "little")
    table = start + half
    kept, at, removed = bytearray(), table, 0
    for page in range(bits.bit_length()):
        if not bits >> page & 1:
            continue
        descriptor = data[at:at + vmcore.PAGE.size]
        at += vmcore.PAGE.size
        if KTHREADD in content(data, *vmcore.PAGE.unpack(descriptor)[:3]):
            data[start + page // 8] &= ~(1 << page % 8)
            removed += 1
        else:
            kept += descriptor
    assert removed, "no page of the dump has the task kthreadd"
    data[table:at] = kept.ljust(at - table, b"\0")
    copy.write_bytes(data)


def with_zeros_for_task(path, copy):
    """What makedumpfile -E writes for the page of a task that it has filtered out."""
    data = bytearray(path.read_bytes())
    found = [match.start() for match in re.finditer(re.escape(KTHREADD), data)]
    assert found, "no page of the dump has the task kthreadd"
    (headers,), (count,) = struct.unpack_from("<Q", data, 32), struct.unpack_from("<H", data, 56)
    for index in range(count):
        kind, _, offset, _, _, size, _, _ = SEGMENT.unpack_from(data, headers + index * SEGMENT.size)
        for at in found:
            if kind == PT_LOAD and offset <= at < offset + size:
                page = at - (at - offset) % 4096
                data[page:page + 4096] = bytes(4096)
    copy.write_bytes(data)


def content(data, offset, size, flags):
    page = bytes(data[offset:offset + size])
    return zlib.decompress(page) if flags & 1 else page
