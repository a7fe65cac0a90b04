# SPDX-License-Identifier: GPL-2.0-or-later
"""The side of a debugger in QEMU's gdb stub: stops a kernel that nobody has patched, and reads it.

The remote serial protocol, as the appendix of gdb's manual describes it; x86-64.
"""

import socket
import struct
import time

# Their place in the answer to 'g'.
RDI, RSP, RIP = 5, 7, 16


class Stub:
    def __init__(self, path, patience=30):
        """`path` is the socket of -gdb unix:PATH,server=on of a QEMU that is just being started."""
        self.socket = socket.socket(socket.AF_UNIX)
        end = time.monotonic() + patience
        while True:
            try:
                self.socket.connect(str(path))
                break
            except OSError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.1)
        self.stream = self.socket.makefile("rb")

    def send(self, text):
        data = text.encode()
        self.socket.sendall(b"$%s#%02x" % (data, sum(data) & 0xff))

    def receive(self):
        """The next packet; None when QEMU has ended."""
        while (byte := self.stream.read(1)) not in (b"$", b""):
            pass  # '+' for what we sent
        if not byte:
            return None
        data = bytearray()
        while (byte := self.stream.read(1)) not in (b"#", b""):
            data += byte
        self.stream.read(2)
        self.socket.sendall(b"+")
        return data.decode()

    def ask(self, text):
        self.send(text)
        answer = self.receive()
        if answer is None or answer.startswith("E"):
            raise RuntimeError(f"gdb stub: {text}: {answer}")
        return answer

    def stop_at(self, address):
        self.ask(f"Z0,{address:x},1")

    def pass_by(self, address):
        self.ask(f"z0,{address:x},1")

    def registers(self):
        """Those of Stub's constants, by number."""
        data = bytes.fromhex(self.ask("g")[:17 * 16])
        return struct.unpack("<17Q", data)

    def number(self, address):
        """The 64 bits at a virtual address."""
        return struct.unpack("<q", bytes.fromhex(self.ask(f"m{address:x},8")))[0]

    def go_on(self):
        """Until the next stop; False when the machine has ended instead."""
        try:
            self.send("c")
            answer = self.receive()
        except OSError:
            return False
        return answer is not None and answer.startswith("T")
