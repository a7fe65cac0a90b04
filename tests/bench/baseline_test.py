# SPDX-License-Identifier: GPL-2.0-or-later
"""The gate against growth lets pass what it may, and nothing else."""

import pathlib
import sys
import unittest

SOURCE = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(SOURCE / "bench"), str(SOURCE / "tests" / "boot")]

import baseline
import panics

BEFORE = {"m packed": {"kernel": "6.1", "image_bytes": 1000, "need_kib": 70000}}


def now(**changes):
    return {"m packed": {**BEFORE["m packed"], **changes}}


class Baseline(unittest.TestCase):
    def test_two_percent_more_passes(self):
        self.assertEqual(baseline.compare(BEFORE, now(image_bytes=1020, need_kib=71400)), [])

    def test_less_passes(self):
        self.assertEqual(baseline.compare(BEFORE, now(image_bytes=1, need_kib=1)), [])

    def test_a_larger_image_is_named(self):
        (problem,) = baseline.compare(BEFORE, now(image_bytes=1021))
        self.assertIn("m packed: 1021 bytes, 2.1 % above", problem)

    def test_more_memory_is_named(self):
        (problem,) = baseline.compare(BEFORE, now(need_kib=71401))
        self.assertIn("m packed: 71401 KiB of reservation", problem)

    def test_a_machine_that_was_not_built_is_a_problem(self):
        self.assertEqual(len(baseline.compare(BEFORE, {})), 1)

    def test_a_machine_without_a_record_is_a_problem(self):
        self.assertEqual(len(baseline.compare({}, now())), 1)

    def test_the_record_knows_every_recorded_machine(self):
        expected = {f"{machine.name} {variant}" for machine in baseline.SUPPORTED
                    for variant in baseline.VARIANTS}
        self.assertEqual(set(baseline.read()), expected)


class Budget(unittest.TestCase):
    WITHIN = {"name": "ours", **baseline.BUDGET}

    def test_the_limits_themselves_pass(self):
        self.assertEqual(baseline.over_budget(self.WITHIN), [])

    def test_a_child_process_is_too_much(self):
        (problem,) = baseline.over_budget({**self.WITHIN, "processes": 1})
        self.assertIn("ours: processes is 1, at most 0", problem)


class Smallest(unittest.TestCase):
    def test_it_is_found_inside_below_and_above_the_bracket(self):
        for least in range(60, 140):
            self.assertEqual(panics.smallest(lambda size, n=least: size >= n, 90, 100), least)

    def test_what_never_saves_has_none(self):
        self.assertIsNone(panics.smallest(lambda size: False, 90, 100))


if __name__ == "__main__":
    unittest.main()
