#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Which folder may include which, and where the headers of libraries may appear."""

import re

import tree

# A folder includes itself and these; what a prefix allows, everything below it may be.
MAY_INCLUDE = {
    "builder/base": [],
    "builder/facts": ["builder/base", "builder/init/storage/container.h",
                      "builder/init/storage/luks.h", "builder/init/storage/lvm.h",
                      "builder/init/storage/md.h", "builder/init/storage/multipath_id.h",
                      "builder/init/storage/thin_pool.h", "cpio/compression.h"],
    "builder/programs": ["builder/base"],
    "builder/init": ["builder/base/fd.h"],
    # Finds and mounts; knows nothing of the steps of a capture, and tests stand below it.
    "builder/init/storage": ["builder/base/fd.h", "builder/init/directory.h",
                             "builder/init/init_config.h", "builder/init/speaker.h",
                             "builder/init/text.h"],
    "modsel": ["builder/base"],
    "cpio": ["builder/base"],
    "builder/policy": ["builder/base", "builder/facts", "builder/init/init_config.h", "modsel",
                       "cpio"],
    "builder/plan": ["builder/base", "builder/facts", "builder/init/init_config.h", "modsel",
                     "cpio", "builder/policy", "builder/programs"],
    "builder/fit": ["builder/base", "builder/facts", "builder/init/init_config.h", "modsel",
                    "cpio", "builder/policy", "builder/plan"],
    "builder/write": ["builder/base", "builder/facts", "builder/plan", "builder/programs", "cpio",
                      "modsel"],
    "builder/report": ["builder/base", "builder/facts", "builder/plan", "builder/fit", "cpio"],
    "builder/boot_test": ["builder/base", "builder/facts", "builder/fit", "cpio"],
    "builder": ["builder", "modsel", "cpio"],
    # savecore saves with the same code as the image.
    "hooks/verify": ["builder/base"],
    "hooks": ["builder/base", "builder/facts", "builder/policy", "builder/init",
              "builder/fit/calibration.h", "builder/fit/kernel_memory.h",
              "builder/fit/measurement.h", "cpio/archive.h"],
}
# No operating system in the pure middle: decisions are values in, values out. Of <sys/stat.h> only
# the constants of modes are used.
PURE = ("builder/policy", "builder/plan", "builder/fit")
IMPURE = re.compile(r"unistd\.h|fcntl\.h|sys/(?!stat\.h)|linux/|fstream|filesystem|cstdio|stdio\.h|thread")
# Libraries stay behind one folder or file, so that each can be replaced there.
LIBRARY_HOMES = {
    r"libkmod\.h": ["modsel/kmod_"],
    r"archive(_entry)?\.h|zstd\.h|lz4.*\.h|zlib\.h": ["cpio/"],
    r"lzma\.h": ["cpio/", "builder/init/packed_file.cc"],
    r"libelf\.h|gelf\.h": ["builder/programs/"],
    r"libmount.*|blkid.*": ["builder/facts/"],
    r"CLI/.*": ["builder/options.cc", "hooks/main.cc", "hooks/verify/main.cc"],
    r"libkdumpfile/.*": ["hooks/verify/dump.cc"],
    r"bpf/.*": ["hooks/verify/btf_types.cc"],
    r"xxhash\.h": ["builder/base/digest.cc"],
}
INCLUDE = re.compile(r'\s*#\s*include\s+(?:"([^"]+)"|<([^>]+)>)')


def home(path):
    """The row of MAY_INCLUDE for a path: the longest prefix."""
    return max((row for row in MAY_INCLUDE if path.startswith(row + "/")), key=len, default=None)


def problem(path, row, own, system):
    if own:
        allowed = (own.startswith(row + "/")
                   or any(own == entry or own.startswith(entry + "/") for entry in MAY_INCLUDE[row]))
        return None if allowed else f"{row}/ may not include {own}"
    if row in PURE and IMPURE.match(system):
        return f"{row}/ is pure and may not include <{system}>"
    for header, homes in LIBRARY_HOMES.items():
        if re.fullmatch(header, system) and not any(path.startswith(place) for place in homes):
            return f"<{system}> belongs to {' '.join(homes)}"
    return None


problems, count = [], 0
for path in map(str, tree.code()):
    row = home(path)
    if row is None:
        continue
    for number, line in enumerate((tree.SOURCE / path).read_text().splitlines(), start=1):
        if match := INCLUDE.match(line):
            count += 1
            if reason := problem(path, row, *match.groups()):
                problems.append(f"{path}:{number}: {reason}")
tree.finish(problems, f"{count} includes")
