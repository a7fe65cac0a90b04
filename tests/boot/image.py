# SPDX-License-Identifier: GPL-2.0-or-later
"""Builds the image of a recorded machine with the builder under test."""

import json
import pathlib
import subprocess
from dataclasses import dataclass

import kernels
from paths import MACHINES


@dataclass
class Image:
    path: pathlib.Path
    report: dict
    command_line: str
    builder: pathlib.Path

    @property
    def needed(self):
        """The smallest reservation the model predicts, in MiB."""
        return self.report["fit"]["needed_bytes"] >> 20


def facts_of(machine, folder, memory, facts_too):
    """The recorded machine, with another size of memory (MiB) and more members when given."""
    recorded = MACHINES / f"{machine.name}.json"
    if not memory and not facts_too:
        return recorded
    facts = json.loads(recorded.read_text())
    facts |= facts_too
    if memory:
        facts["ram"] = memory << 20
    path = folder / "machine.json"
    path.write_text(json.dumps(facts))
    return path


def build(machine, builder, folder, *options, memory=None, config="", kernel=None, sysroot=None,
          facts_too=None, facts=None):
    """Writes initrd.img and report.json into `folder`; `options` are the builder's.

    `config` is the text of the configuration; a `sysroot` has the programs;
    `facts` is another record than that in tests/machines.
    """
    kernel = kernel or kernels.unpacked(machine.kernel)
    folder.mkdir(parents=True, exist_ok=True)
    settings = folder / "kdump-tools.conf"  # never this machine's own
    if sysroot:  # the builder looks for it below the sysroot
        settings = sysroot / "etc/default/kdump-tools"
        settings.parent.mkdir(parents=True, exist_ok=True)
    settings.write_text(config)
    path = folder / "initrd.img"
    command = [builder, "--facts", facts or facts_of(machine, folder, memory, facts_too or {}),
               "--kernel-root", kernel.root,
               *(("--sysroot", sysroot) if sysroot else ("--config", settings)),
               "--output", path, "--force", "--json", *options, kernel.version]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    if run.returncode != 0:
        raise SystemExit(f"the builder ended with {run.returncode}: {run.stderr.strip()}")
    report = json.loads(run.stdout)
    (folder / "report.json").write_text(run.stdout)
    return Image(path, report, report["command_line"], pathlib.Path(builder))
