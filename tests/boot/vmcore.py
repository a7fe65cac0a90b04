# SPDX-License-Identifier: GPL-2.0-or-later
"""Is a vmcore whole? Reads makedumpfile's format (diskdump_mod.h) and walks every page of it."""

import struct
import subprocess

SIGNATURE = b"KDUMP   "
COMPRESSED_INCOMPLETE = 0x8
# signature, header_version, utsname[6][65] padded to 8, timeval, status, block_size,
# sub_hdr_size, bitmap_blocks, max_mapnr
HEADER = struct.Struct("<8si390s6xqqIiiII")
PAGE = struct.Struct("<qIIQ")  # offset, size, flags, page_flags


def problem(path):
    """Why the dump is not whole, or None when every page that it promises is there."""
    size = path.stat().st_size
    with open(path, "rb") as file:
        header = file.read(HEADER.size)
        if len(header) < HEADER.size:
            return f"{size} bytes are too short for a header"
        signature, _, _, _, _, status, block, sub_blocks, bitmap_blocks, _ = HEADER.unpack(header)
        if signature != SIGNATURE:
            return f"signature is {signature!r}"
        if status & COMPRESSED_INCOMPLETE:
            return "makedumpfile marked it as incomplete"
        # The second half of the bitmaps has a bit for every page that is in the file.
        file.seek((1 + sub_blocks + bitmap_blocks // 2) * block)
        pages = int.from_bytes(file.read(bitmap_blocks // 2 * block), "little").bit_count()
        descriptors = file.read(pages * PAGE.size)
    if pages == 0 or len(descriptors) < pages * PAGE.size:
        return f"{len(descriptors)} bytes of descriptors for {pages} pages"
    end = max(offset + length for offset, length, _, _ in PAGE.iter_unpack(descriptors))
    return None if end <= size else f"the last page ends at {end}, the file at {size}"


def incomplete_problems(path):
    """What keeps crash(8) from opening it as an incomplete dump, which it does by this mark."""
    with open(path, "rb") as file:
        header = file.read(HEADER.size)
        if len(header) < HEADER.size or not header.startswith(SIGNATURE):
            return [f"{path.name} has no header of makedumpfile"]
        _, _, _, _, _, status, block, sub_blocks, bitmap_blocks, _ = HEADER.unpack(header)
        file.seek((1 + sub_blocks + bitmap_blocks) * block)
        first = file.read(PAGE.size)
    problems = [] if status & COMPRESSED_INCOMPLETE else [f"{path.name} is not marked incomplete"]
    if len(first) < PAGE.size:
        return problems + [f"{path.name} ends before its pages"]
    offset, length, _, _ = PAGE.unpack(first)
    if not 0 < offset + length <= path.stat().st_size:
        problems.append(f"not even the first page of {path.name} is there")
    return problems


def dmesg(path, folder):
    """The kernel log inside the dump, as makedumpfile reads it."""
    out = folder / "dmesg-from-dump"
    out.unlink(missing_ok=True)
    run = subprocess.run(["makedumpfile", "--dump-dmesg", path, out], capture_output=True,
                         text=True, check=False)
    if run.returncode != 0:
        return f"makedumpfile --dump-dmesg failed: {run.stdout}{run.stderr}"
    return out.read_text(errors="replace")
