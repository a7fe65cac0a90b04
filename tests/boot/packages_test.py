#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The cache of packages and the kernels in it, without an archive."""

import os
import pathlib
import tempfile
import threading
import time
import unittest
from unittest import mock

import kernels
import packages


class Cache(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.cache = pathlib.Path(scratch.name)
        patch = mock.patch.object(packages, "CACHE", self.cache)
        patch.start()
        self.addCleanup(patch.stop)

    def test_what_is_half_unpacked_is_never_found(self):
        def interrupted(folder):
            (folder / "half").touch()
            raise KeyboardInterrupt

        with self.assertRaises(KeyboardInterrupt):
            packages.kept("thing", "1", interrupted)
        self.assertFalse((self.cache / "thing/1").exists())
        place = packages.kept("thing", "1", lambda folder: (folder / "whole").touch())
        self.assertEqual([path.name for path in place.iterdir()], ["whole"])

    def test_two_runs_at_the_same_time_unpack_once(self):
        filled = []

        def slow(folder):
            filled.append(folder)
            time.sleep(0.2)

        runs = [threading.Thread(target=packages.kept, args=("thing", "1", slow)) for _ in range(3)]
        for run in runs:
            run.start()
        for run in runs:
            run.join()
        self.assertEqual(len(filled), 1)

    def test_a_version_with_a_successor_goes_when_nobody_uses_it(self):
        old = packages.kept("thing", "1", lambda folder: None)
        self.assertTrue(packages.kept("thing", "2", lambda folder: None).exists())
        self.assertTrue(old.exists(), "another run may use it")
        os.utime(old, (0, 0))
        packages.kept("thing", "2", lambda folder: self.fail("it is there"))
        self.assertFalse(old.exists())


class Apt(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.cache = pathlib.Path(scratch.name)
        for name, value in (("CACHE", self.cache), ("mirrors", lambda: ("file:/nowhere", None))):
            patch = mock.patch.object(packages, name, value)
            patch.start()
            self.addCleanup(patch.stop)

    def archive(self):
        """An archive with one package."""
        (self.cache / "archive").mkdir()
        (self.cache / "archive/Packages").write_text(
            "Package: thing\nVersion: 1\nArchitecture: all\nFilename: thing.deb\nSize: 1\n")
        line = f"deb [trusted=yes] file:{self.cache}/archive ./\n"
        patch = mock.patch.object(packages, "sources", lambda suite: line)
        patch.start()
        self.addCleanup(patch.stop)

    def test_what_this_machine_has_installed_is_not_of_a_suite(self):
        packages.prepare("bookworm")
        self.assertEqual(packages.apt("bookworm", "apt-cache", "pkgnames"), "")

    def test_who_asks_changes_nothing_that_others_read(self):
        self.archive()
        packages.update.__wrapped__("one")
        files = [path for path in (self.cache / "apt/one").rglob("*") if path.is_file()]
        before = [(path, path.stat().st_mtime_ns) for path in files]
        with mock.patch.object(packages, "update", packages.update.__wrapped__):
            self.assertEqual(packages.version("one", "thing"), "1")
        self.assertEqual([(path, path.stat().st_mtime_ns) for path in files], before)

    def test_nobody_reads_while_another_updates(self):
        updating, read = threading.Event(), []

        def apt(_suite, *command, cwd=None):  # pylint: disable=unused-argument
            if "update" in command:
                updating.set()
                time.sleep(0.2)
                updating.clear()
            else:
                read.append(updating.is_set())
            return ""

        update = packages.update.__wrapped__
        with mock.patch.object(packages, "apt", apt):
            update("one")
            with mock.patch.object(packages, "INDEX_AGE", 0):
                writer = threading.Thread(target=update, args=("one",))
                writer.start()
                self.assertTrue(updating.wait(5))
            with mock.patch.object(packages, "update", lambda suite: None):
                packages.fields("one", "thing")
            writer.join()
        self.assertEqual(read, [False])

    def test_other_sources_are_asked_at_once(self):
        asked = []
        with mock.patch.object(packages, "apt", lambda suite, *command: asked.append(command)):
            (self.cache / "apt/sid").mkdir(parents=True)
            update = packages.update.__wrapped__
            update("sid")
            update("sid")
            self.assertEqual(len(asked), 1)
            with mock.patch.object(packages, "mirrors", lambda: ("file:/elsewhere", None)):
                update("sid")
            self.assertEqual(len(asked), 2)


class Kernels(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.root = pathlib.Path(scratch.name).resolve()
        patch = mock.patch.object(kernels, "KERNELS", self.root)
        patch.start()
        self.addCleanup(patch.stop)

    def put(self, *paths):
        for path in paths:
            (self.root / path).parent.mkdir(parents=True, exist_ok=True)
            (self.root / path).touch()

    def test_the_newest_kernel_of_a_root_is_taken(self):
        self.put("mine/boot/vmlinuz-6.1.0-6", "mine/lib/modules/6.1.0-6/modules.dep",
                 "mine/boot/vmlinuz-6.1.0-56", "mine/lib/modules/6.1.0-56/modules.dep",
                 "mine/lib/modules/9.9/modules.dep")
        self.assertEqual(kernels.unpacked("mine").version, "6.1.0-56")

    def test_vmlinuz_may_lie_beside_the_modules(self):
        self.put("mine/usr/lib/modules/7.3.4/vmlinuz")
        (self.root / "mine/lib").symlink_to("usr/lib")
        self.assertEqual(kernels.unpacked("mine").image,
                         self.root / "mine/usr/lib/modules/7.3.4/vmlinuz")

    def test_a_folder_is_somebodys_own_and_stays(self):
        self.put("bookworm/boot/vmlinuz-6.1.0-56", "bookworm/lib/modules/6.1.0-56/modules.dep")
        self.assertEqual(kernels.download("bookworm").root, self.root / "bookworm")
        self.assertFalse((self.root / "bookworm").is_symlink())

    def test_a_link_follows_the_newest_version(self):
        with mock.patch.object(packages, "CACHE", self.root / "cache"):
            for version in ("6.1.0-6", "6.1.0-56"):
                def fill(_suite, _names, root, version=version):
                    (root / "lib/modules" / version).mkdir(parents=True)
                    (root / "boot").mkdir()
                    (root / "boot" / f"vmlinuz-{version}").touch()

                with (mock.patch.object(packages, "parts_of_kernel", return_value=(["linux"], version)),
                      mock.patch.object(kernels, "fill", fill)):
                    self.assertEqual(kernels.download("bookworm").version, version)


if __name__ == "__main__":
    unittest.main()
