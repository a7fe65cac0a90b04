# SPDX-License-Identifier: GPL-2.0-or-later
"""What has to be true after a crash. Every function returns the list of what is not."""

import json
import pathlib
import re
import subprocess

import damage
import vmcore
from layers import layers_of

PANIC = "Kernel panic - not syncing: sysrq triggered crash"
REPORT = "kdump-report.json"
MEMORY_KILLS = ("Out of memory", "oom-kill", "page allocation failure")


def ended(crash):
    """The machine came back by itself."""
    problems = []
    if crash.console.timed_out:
        problems.append("the machine hung until the time limit")
    if "reboot: machine restart" not in crash.console.text:
        problems.append("the capture kernel did not restart the machine")
    return problems


def run_directories(crash):
    return [path for path in crash.saved.iterdir() if path.is_dir() and path.name != "lost+found"]


def run_directory(crash):
    """The one directory of this run, its stamp, and what is wrong with that."""
    found = run_directories(crash)
    if len(found) != 1 or not re.fullmatch(r"20\d{10}", found[0].name):
        return None, None, [f"not one directory YYYYMMDDHHMM: {[path.name for path in found]}"]
    return found[0], found[0].name, []


def load_report(text, result):
    try:
        report = json.loads(text)
    except ValueError as error:
        return {}, [f"{REPORT} is not JSON: {error}"]
    if report.get("result") != result:
        return report, [f"{REPORT} says {report.get('result')}, not {result}"]
    return report, []


def names(folder, expected):
    found = sorted(path.name for path in folder.iterdir())
    return [] if found == sorted(expected) else [f"{folder.name}/ has {found}, not {expected}"]


def dmesg_file(folder, stamp):
    path = folder / f"dmesg.{stamp}"
    if not path.exists():
        return [f"{path.name} is missing"]
    if PANIC not in path.read_text(errors="replace"):
        return [f"{path.name} does not hold the panic"]
    return []


def dump_file(path, scratch):
    """The dump is whole, and the tools of others can read it."""
    kind = subprocess.run(["file", "-b", path], capture_output=True, text=True, check=True).stdout
    if is_elf(path):
        problems = [] if "core file" in kind else [f"file calls {path.name} {kind.strip()!r}"]
    elif "kdump compressed dump" in kind.lower():
        reason = vmcore.problem(path)
        problems = [f"{path.name} is not whole: {reason}"] if reason else []
    else:
        problems = [f"file calls {path.name} {kind.strip()!r}"]
    if PANIC not in vmcore.dmesg(path, scratch):
        problems.append(f"makedumpfile finds no panic in {path.name}")
    return problems


def is_elf(path):
    """makedumpfile was called with -E."""
    with open(path, "rb") as file:
        return file.read(4) == b"\x7fELF"


def verify_program(builder):
    """kdump-verify, built beside `builder`."""
    return pathlib.Path(builder).parents[1] / "lib/kdump-mkinitrd/kdump-verify"


def verified(crash, builder):
    """kdump-verify finds each dump whole, and what copies of it have lost."""
    return [problem for dump in sorted(crash.saved.rglob("dump.2*"))
            for problem in verified_dump(verify_program(builder), dump, crash.saved.parent)]


def verified_counts(builder, dump):
    """How many of each kind kdump-verify has read: {"tasks": 54, ...}."""
    checks = verify(verify_program(builder), dump).get("checks", [])
    return {check["name"]: check["count"] for check in checks}


def verified_dump(program, path, scratch):
    found = verify(program, path)
    if found.get("result") != "whole":
        return [f"kdump-verify: {found.get('reason') or found}"]
    copy = scratch / "damaged-dump"
    problems = []
    spoilt = (((damage.cut_off, "the file at"),
               (damage.with_zeros_for_task, "ends in zeros")) if is_elf(path) else
              ((damage.cut_off, "is damaged"),
               (damage.without_task, "is not in the dump: task_struct of")))
    for spoil, reason in spoilt:
        spoil(path, copy)
        found = verify(program, copy)
        if found.get("result") != "damaged" or reason not in found.get("reason", ""):
            problems.append(f"kdump-verify after {spoil.__name__}: {found.get('reason') or found}")
    copy.unlink()
    return problems


def verify(program, path):
    run = subprocess.run([program, "--json", path], capture_output=True, text=True, check=False)
    try:
        return json.loads(run.stdout)
    except ValueError:
        return {"reason": f"status {run.returncode}: {run.stderr}"}


def saved(crash, result="saved"):
    return ended(crash) + kept_whole(crash, result)


def saved_unseen(crash):
    """A console without a reader cost nothing but what it would have said."""
    problems = ["the machine hung until the time limit"] if crash.console.timed_out else []
    return problems + kept_whole(crash, "saved")


def kept_whole(crash, result):
    folder, stamp, problems = run_directory(crash)
    if folder is None:
        return problems
    problems += names(folder, [f"dump.{stamp}", f"dmesg.{stamp}", REPORT])
    if problems:
        return problems
    dump = folder / f"dump.{stamp}"
    report, problems = load_report((folder / REPORT).read_text(), result)
    problems += dmesg_file(folder, stamp) + dump_file(dump, crash.saved.parent)
    if report.get("dump_bytes") != dump.stat().st_size:
        problems.append(f"{REPORT} says {report.get('dump_bytes')} bytes of {dump.stat().st_size}")
    if report.get("modules_failed") != 0:
        problems.append(f"{report.get('modules_failed')} modules could not be loaded")
    if result == "saved":
        problems += [f"the console says: {text}" for text in MEMORY_KILLS
                     if text in after_panic(crash)]
    return problems


def incomplete(crash, because):
    """The target is full: what was written and the log are kept, and the reason is named."""
    folder, stamp, problems = run_directory(crash)
    problems += ended(crash)
    if folder is None:
        return problems
    problems += names(folder, ["dump-incomplete", f"dmesg.{stamp}", REPORT])
    if problems:
        return problems
    problems += dmesg_file(folder, stamp)
    report, more = load_report((folder / REPORT).read_text(), "incomplete")
    problems += more
    if report.get("failed_step") != "dump":
        problems.append(f"{REPORT} blames the step {report.get('failed_step')!r}")
    dump = folder / "dump-incomplete"
    if report.get("incomplete_bytes") != dump.stat().st_size:
        problems.append(f"{REPORT} says {report.get('incomplete_bytes')} bytes of incomplete dump, "
                        f"there are {dump.stat().st_size}")
    problems += vmcore.incomplete_problems(dump)
    if after_panic(crash).count("makedumpfile -") > 1:
        problems.append("makedumpfile was started again on a full target")
    return problems + console(crash, because)


def no_target(crash, because):
    """Nowhere to save to: the reasons, the log and the report are on the console."""
    text = after_panic(crash)
    problems = ended(crash)
    for reason in because:
        problems += console(crash, reason)
    if PANIC not in text.partition("end of the log of the crashed kernel")[2]:
        problems.append("the log of the crashed kernel is not on the console")
    lines = [line for line in text.splitlines() if line.startswith('{"version"')]
    problems += load_report(lines[-1] if lines else "", "failed")[1]
    return problems


def foreign_blocks_kept(crash):
    """A volume beside the target holds what it held before the panic."""
    kept = re.compile(r"guest: kept \w+")
    before, after = set(kept.findall(crash.console.text)), set(kept.findall(crash.afterwards))
    return [] if before and before == after else [f"foreign blocks: {before} before, {after} after"]


def header_kept(crash):
    """cryptsetup saves the header of an encrypted target byte for byte as before the panic."""
    header = re.compile(r"guest: header \w{32}")
    before, after = set(header.findall(crash.console.text)), set(header.findall(crash.afterwards))
    return [] if len(before) == 1 and before == after else [f"{before} before, {after} after"]


def examined(said):
    """What mdadm says of each member of an array: its node -> the fields by name."""
    members = {}
    for node, text in re.findall(r"guest: audit: mdadm --examine (\S+)(.*?)guest: end of audit", said,
                                 re.S):
        members[node] = {name.strip(): value.strip() for name, value
                         in re.findall(r"^ *([\w ]+?) : (.*)$", text, re.M)}
    return members


def audited(machine, said):
    """Every layer was looked at by its own tool; what that finds wrong has ended the guest."""
    shell = "\n".join(f"{layer.examine}\n{layer.audit}\n{layer.check}"
                      for layer in layers_of(machine.target))
    wanted = sorted(set(re.findall(r"audit (\w+ -*\w+)", shell)))
    return [f"no audit by {tool}" for tool in wanted if f"guest: audit: {tool}" not in said]


def members_alike(said):
    """mdadm takes every member into the array as it is.

    A restart may cut off the last superblock: kernel and mdadm take a member that is one event behind
    (super_1_validate() in drivers/md/md.c), and so does this, when --detail shows them all in sync.
    """
    members = examined(said)
    events = [int(member["Events"]) for member in members.values() if "Events" in member]
    # With 0.90 each member lists the others as well.
    detail = said.partition("guest: audit: mdadm --detail")[2].partition("guest: end of audit")[0]
    in_sync = detail.count(" active sync ")
    alike = (members and len(events) == len(members) == in_sync and max(events) - min(events) <= 1)
    return [] if alike else [f"members differ, {in_sync} in sync: {members}"]


def restarted_by_guard(crash):
    """A driver hung; nothing could be saved, but the machine came back."""
    problems = ["the machine hung until the time limit"] if crash.console.timed_out else []
    problems += console(crash, "kdump: init hangs in the kernel, restarting the machine")
    problems += console(crash, "sysrq: Resetting")
    # It was the probe: init never came as far as looking for its target.
    return problems + [f"the console says {text!r}" for text in ("s modules: ", "s target: ")
                       if text in after_panic(crash)]


def hopeless(crash):
    """Nothing can be saved, but the machine is not left hanging."""
    problems = ["the machine hung until the time limit"] if crash.console.timed_out else []
    problems += [f"there is {path.name}" for path in run_directories(crash)]
    return problems + console(crash, "Kernel panic - not syncing")


def console(crash, needle):
    return [] if needle in after_panic(crash) else [f"the console does not say {needle!r}"]


def after_panic(crash):
    return crash.console.text.partition("sysrq: Trigger a crash")[2]
