#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Can the judge of dumps fail? Takes the dump of the case with Linux 7.3, and damages copies of it."""

import pathlib
import shutil
import subprocess
import tempfile
import unittest

import damage
import debugger
import judge
import packages
import userland
import vmcore
from paths import BOOT, BUILD

KERNEL = "trixie-backports"
CASE = BOOT / "cases" / "virtio-ext4-7.3"


class DumpJudge(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        (cls.dump,) = CASE.glob("saved/*/dump.2*")
        cls.symbols = debugger.vmlinux(KERNEL)
        cls.console = (CASE / "console.log").read_text(errors="replace")

    def setUp(self):
        scratch = tempfile.TemporaryDirectory(dir=BOOT)
        self.addCleanup(scratch.cleanup)
        self.copy = pathlib.Path(scratch.name) / "dump"

    def problems(self, dump):
        return debugger.problems(dump, self.symbols, self.console)

    def test_the_whole_dump_has_no_problem(self):
        self.assertEqual(self.problems(self.dump), [])

    def test_pages_of_slabs_are_missed(self):
        """What makedumpfile 1.7.6 leaves of a kernel whose pages of slabs it takes for free ones."""
        root = userland.download()
        subprocess.run([*packages.program(root, "usr/bin/makedumpfile"), "-c", "-d", "31", self.dump,
                        self.copy], check=True, stdout=subprocess.DEVNULL)
        self.assertIsNone(vmcore.problem(self.copy), "the file itself looks whole")
        self.assertIn("the list of tasks", "\n".join(self.problems(self.copy)))

    def test_a_dump_packed_with_zstd_is_verified_as_the_others_are(self):
        root = userland.download()  # Debian 12's makedumpfile knows no zstd
        subprocess.run([*packages.program(root, "usr/bin/makedumpfile"), "-z", "-d", "17", self.dump,
                        self.copy], check=True, stdout=subprocess.DEVNULL)
        program = BUILD / "check/lib/kdump-mkinitrd/kdump-verify"
        self.assertEqual(judge.verify(program, self.copy)["result"], "whole")
        self.assertEqual(judge.verify(program, self.copy)["checks"],
                         judge.verify(program, self.dump)["checks"])
        damage.cut_off(self.copy, self.copy)
        self.assertEqual(judge.verify(program, self.copy)["result"], "damaged")

    def test_a_dump_that_was_cut_off_is_none(self):
        shutil.copy(self.dump, self.copy)
        with open(self.copy, "r+b") as file:
            file.truncate(self.dump.stat().st_size // 2)
        self.assertNotEqual(self.problems(self.copy), [])

    def test_a_task_that_the_guest_had_is_missed(self):
        console = self.console + "\nguest: task <lost-task>\n"
        found = debugger.problems(self.dump, self.symbols, console)
        self.assertEqual(found, [f"{self.dump.name}: tasks that drgn does not find: lost-task"])


if __name__ == "__main__":
    unittest.main()
