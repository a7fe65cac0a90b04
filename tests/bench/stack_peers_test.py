# SPDX-License-Identifier: GPL-2.0-or-later
"""The comparison on a stack notices an image of a peer that cannot reach it, and a peer that is better."""

import pathlib
import sys
import unittest

SOURCE = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(SOURCE / "bench"), str(SOURCE / "tests" / "boot")]

import stack_peers


class Tools(unittest.TestCase):
    def test_both_are_there(self):
        self.assertEqual(stack_peers.missing_tools(["usr/sbin/lvm", "sbin/mdadm"]), [])

    def test_what_only_begins_like_one_is_none(self):
        self.assertEqual(stack_peers.missing_tools(["usr/sbin/lvm_scan", "etc/lvm", "sbin/mdadm"]),
                         ["lvm"])


class Verdict(unittest.TestCase):
    @staticmethod
    def rows(stock, dracut):
        sizes = (71, stock, 120, dracut)
        return [{"builder": series.builder, "smallest": size}
                for series, size in zip(stack_peers.SERIES, sizes)]

    def test_less_than_every_peer_passes(self):
        self.assertTrue(stack_peers.ours_need_least(self.rows(90, 110)))

    def test_as_much_as_one_peer_fails(self):
        self.assertFalse(stack_peers.ours_need_least(self.rows(90, 90)))


if __name__ == "__main__":
    unittest.main()
