# SPDX-License-Identifier: GPL-2.0-or-later
"""Reads a dump as somebody would who looks for the cause of a crash: read_dump.py VMLINUX DUMP

Runs in drgn's Python. Prints JSON: the tasks, modules and slab caches that the dump holds, and in
"problems" whatever could not be read: of each task stack, memory map and open files; of each slab
cache of CACHES every allocated object.
"""

import json
import sys

import drgn
from drgn.helpers.linux.fs import d_path, for_each_file
from drgn.helpers.linux.mm import for_each_vma
from drgn.helpers.linux.module import for_each_module
from drgn.helpers.linux.pid import for_each_task
from drgn.helpers.linux.slab import for_each_slab_cache, slab_cache_for_each_allocated_object

# Looking at all 160 takes half a minute: every struct page is looked at for each.
CACHES = ("task_struct", "vm_area_struct", "dentry", "inode_cache", "kernfs_node_cache",
          "radix_tree_node", "kmalloc-64", "kmalloc-1k")
PF_KTHREAD = 0x00200000  # include/linux/sched.h


def text_of(array):
    return array.string_().decode(errors="replace")


class Reader:
    def __init__(self, program):
        self.program = program
        self.problems = []

    def attempt(self, what, read):
        """The result of `read`, or None and a problem when a page of it is not in the dump."""
        try:
            return read()
        except (drgn.FaultError, ValueError, LookupError) as error:
            self.problems.append(f"{what}: {error}")
            return None

    def listed(self, what, items):
        """Of an iterator what can be read; one problem when it ends early."""
        found = []
        self.attempt(what, lambda: found.extend(items()))
        return found

    def task(self, task):
        name = f"{text_of(task.comm)} ({task.pid.value_()})"
        frames = self.attempt(f"stack of {name}", lambda: len(self.program.stack_trace(task)))
        if frames == 0:
            self.problems.append(f"stack of {name}: no frame")
        if not task.flags & PF_KTHREAD and task.mm:
            areas = self.listed(f"memory map of {name}", lambda: (
                area.vm_start.value_() for area in for_each_vma(task.mm)))
            if not areas:
                self.problems.append(f"memory map of {name}: empty")
            self.attempt(f"program of {name}", lambda: d_path(task.mm.exe_file.f_path.address_of_()))
        self.listed(f"open files of {name}", lambda: (
            d_path(file.f_path.address_of_()) for _, file in for_each_file(task)))
        return text_of(task.comm)

    def tasks(self):
        for task in for_each_task(self.program):
            yield self.attempt("a task", lambda task=task: self.task(task))

    def objects(self, cache):
        """The number of allocated objects; each is read as a whole."""
        size, count = cache.object_size.value_(), 0
        for item in slab_cache_for_each_allocated_object(cache, "char"):
            self.program.read(item.value_(), size)
            count += 1
        return count

    def report(self):
        caches = {text_of(cache.name): cache for cache in self.listed(
            "the list of slab caches", lambda: for_each_slab_cache(self.program))}
        counts = {name: self.attempt(f"slab cache {name}",
                                     lambda name=name: self.objects(caches[name]))
                  for name in CACHES}
        return {"tasks": self.listed("the list of tasks", self.tasks),
                "modules": self.listed("the list of modules", lambda: (
                    text_of(module.name) for module in for_each_module(self.program))),
                "objects": counts, "problems": self.problems}


def main(vmlinux, dump):
    program = drgn.Program()
    program.set_core_dump(dump)
    program.load_debug_info([vmlinux])
    print(json.dumps(Reader(program).report()))


if __name__ == "__main__":
    main(*sys.argv[1:])
