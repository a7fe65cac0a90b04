# SPDX-License-Identifier: GPL-2.0-or-later
"""A disk that answers until the machine panics and never again, as a path that died with it."""

import contextlib
import socket
import struct
import threading

import crash
import qemu

# The oldstyle negotiation of NBD: size, flags and 124 unused bytes follow at once. QEMU takes it
# where no export is named. https://github.com/NetworkBlockDevice/nbd/blob/master/doc/proto.md
GREETING = b"NBDMAGIC" + struct.pack(">QQI124x", 0x00420281861253, 64 << 20, 1)
REQUEST = struct.Struct(">IHHQQI")  # magic, flags, type, handle, offset, length
READ, WRITE, CLOSE = 0, 1, 2
RESTARTS = "sysrq: Resetting"


def exactly(connection, size):
    data = b""
    while len(data) < size:
        data += connection.recv(size - len(data)) or exit_thread()
    return data


def exit_thread():
    raise SystemExit


class SilentDisk:
    """Reads zeros and forgets what is written."""

    def __init__(self, path):
        self.silent = threading.Event()
        self.server = socket.socket(socket.AF_UNIX)
        self.server.bind(str(path))
        self.server.listen()
        self.connections = []
        self.drive = qemu.Drive(f"nbd:unix:{path}", "virtio-blk")
        # A request without an answer would keep QEMU from ending, so it is cut off at the restart.
        self.when_said = ((crash.PANIC, self.silent.set), (RESTARTS, self.close))
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.server.accept()
                self.connections.append(connection)
                threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        with contextlib.suppress(OSError):
            connection.sendall(GREETING)
            while True:
                _, _, kind, handle, _, length = REQUEST.unpack(exactly(connection, REQUEST.size))
                if kind == WRITE:
                    exactly(connection, length)
                if kind == CLOSE:
                    break
                if not self.silent.is_set():
                    data = bytes(length) if kind == READ else b""
                    connection.sendall(struct.pack(">IIQ", 0x67446698, 0, handle) + data)

    def close(self):
        self.server.close()
        for connection in self.connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
