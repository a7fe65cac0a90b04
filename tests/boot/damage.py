# SPDX-License-Identifier: GPL-2.0-or-later
"""Copies of a dump that lost something, for kdump-verify to find."""

import zlib

import vmcore

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


def content(data, offset, size, flags):
    page = bytes(data[offset:offset + size])
    return zlib.decompress(page) if flags & 1 else page
