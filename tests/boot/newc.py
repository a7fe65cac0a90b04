# SPDX-License-Identifier: GPL-2.0-or-later
"""Writes the cpio segments of test guests, as the kernel's buffer-format.rst describes them.

Independent of cpio/ on purpose: a fault there must not make its own test pass.
"""

import stat

DIRECTORY = object()


class Segment:
    """Files of one segment; several segments one after the other are one initramfs."""

    def __init__(self):
        self.entries = {}

    def add(self, path, data, mode=0o644):
        """`data`: bytes of a file, str for the target of a link, or DIRECTORY."""
        path = path.strip("/")
        parent = path.rpartition("/")[0]
        if parent and parent not in self.entries:
            self.add(parent, DIRECTORY)
        if data is DIRECTORY:
            self.entries[path] = (stat.S_IFDIR | 0o755, b"")
        elif isinstance(data, str):
            self.entries[path] = (stat.S_IFLNK | 0o777, data.encode())
        else:
            self.entries[path] = (stat.S_IFREG | mode, data)

    def add_file(self, path, source):
        """A program or other file of this machine, found through links."""
        self.add(path, source.read_bytes(), 0o755)

    def pack(self):
        entries = list(self.entries.items()) + [("TRAILER!!!", (0, b""))]
        parts = []
        for inode, (path, (mode, data)) in enumerate(entries, start=1):
            name = path.encode() + b"\0"
            fields = [inode, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name), 0]
            header = b"070701" + b"".join(b"%08X" % field for field in fields) + name
            parts += [header, bytes(-len(header) % 4), data, bytes(-len(data) % 4)]
        packed = b"".join(parts)
        return packed + bytes(-len(packed) % 512)
