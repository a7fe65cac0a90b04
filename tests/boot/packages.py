# SPDX-License-Identifier: GPL-2.0-or-later
"""Debian packages of any suite, unpacked into a cache that outlives a clone; none is installed."""

import contextlib
import fcntl
import functools
import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import time

from paths import CACHE

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
INDEX_AGE = 3600  # seconds until the archive is asked for newer versions again
# Seconds until a version is removed that has a successor. Longer than any run that may use it still.
UNUSED_AGE = 24 * 3600


@contextlib.contextmanager
def locked(name, how=fcntl.LOCK_EX):
    """Holds CACHE/NAME.lock: runs of several clones may want the same at the same time."""
    path = CACHE / f"{name}.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        fcntl.flock(file, how)
        yield


def kept(name, version, fill):
    """The folder CACHE/NAME/VERSION; `fill(folder)` makes it when it is missing.

    It gets its name when it is complete. Versions that nobody has asked for lately are removed.
    """
    place = CACHE / name / version
    with locked(name):
        if not place.is_dir():
            scratch = CACHE / name / ".incomplete"
            shutil.rmtree(scratch, ignore_errors=True)
            scratch.mkdir(parents=True)
            fill(scratch)
            scratch.rename(place)
        os.utime(place)
        for other in place.parent.iterdir():
            if other != place and other.stat().st_mtime < time.time() - UNUSED_AGE:
                shutil.rmtree(other)
    return place


@functools.cache
def mirrors():
    """URIs of the archive and of its security updates, as this machine's own apt has them."""
    command = ["apt-get", "indextargets", "--no-release-info", "--format",
               "$(REPO_URI) $(RELEASE) $(CREATED_BY)"]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    targets = [line.split() for line in lines]
    release = [line.split("=")[1].strip().strip('"')
               for line in pathlib.Path("/etc/os-release").read_text().splitlines()
               if line.startswith("VERSION_CODENAME=")][0]
    uris = {t[1]: t[0] for t in targets if len(t) == 3 and t[2] == "Packages"}
    if release not in uris:
        raise SystemExit(f"apt has no source for {release}; packages cannot be downloaded")
    return uris[release], uris.get(f"{release}-security")


def sources(suite):
    main, security = mirrors()
    lines = [f"deb [signed-by={KEYRING}] {main} {suite} main\n"]
    if security and not suite.endswith("-backports"):
        lines.append(f"deb [signed-by={KEYRING}] {security} {suite}-security main\n")
    return "".join(lines)


def apt(suite, *command, cwd=None):
    """Runs apt with sources, lists and cache of its own: the machine's stay as they are.

    What is installed on the machine is not looked at either: apt would take a newer version of it for
    one of the suite.
    """
    private = CACHE / "apt" / suite
    options = {"Dir::Etc::sourcelist": private / "sources.list", "Dir::Etc::sourceparts": "-",
               "Dir::State::lists": private / "lists", "Dir::Cache": private / "cache",
               "Dir::State::status": private / "status",
               "Acquire::Languages": "none", "APT::Sandbox::User": ""}
    arguments = [f"-o{key}={value}" for key, value in options.items()]
    run = subprocess.run([command[0], *arguments, *command[1:]], cwd=cwd, capture_output=True,
                         text=True)
    if run.returncode != 0:
        raise SystemExit(f"{' '.join(command)} failed for {suite}: {run.stderr.strip()}")
    return run.stdout


def prepare(suite):
    """Makes the files that apt reads; nobody may be reading them. An empty sources.list has no package."""
    private = CACHE / "apt" / suite
    for folder in ("lists/partial", "cache/archives/partial"):
        (private / folder).mkdir(parents=True, exist_ok=True)
    (private / "status").touch()
    (private / "sources.list").write_text(sources(suite))


@functools.cache
def update(suite):
    """Makes apt know the packages of a suite; without a network, those of the last time."""
    stamp = CACHE / "apt" / suite / "updated"
    wanted = sources(suite)
    with locked(f"apt/{suite}"):
        # A machine with other sources may have filled the cache.
        known = stamp.exists() and stamp.read_text() == wanted
        if known and stamp.stat().st_mtime > time.time() - INDEX_AGE:
            return
        if not known:
            stamp.unlink(missing_ok=True)
            prepare(suite)
        try:
            apt(suite, "apt-get", "-q", "update")
            stamp.write_text(wanted)
        except SystemExit as error:
            if not known:
                raise
            print(f"{error}; going on with what is known of {suite}", flush=True)


def ask(suite, *command, cwd=None):
    """Runs apt on what is known of a suite; many may ask at the same time, but not during an update."""
    update(suite)
    with locked(f"apt/{suite}", fcntl.LOCK_SH):
        return apt(suite, *command, cwd=cwd)


def fields(suite, package):
    """The control fields of the newest version of a package."""
    text = ask(suite, "apt-cache", "show", "--no-all-versions", package)
    return dict(line.split(": ", 1) for line in text.splitlines()
                if ": " in line and not line.startswith(" "))


def version(suite, package):
    return fields(suite, package)["Version"]


def versions(suite, names):
    """Package -> its newest version. One question for all: apt takes most of a second for each."""
    text = ask(suite, "apt-cache", "show", "--no-all-versions", *names)
    found = dict(re.findall(r"^Package: (\S+)$.*?^Version: (\S+)$", text, re.M | re.S))
    return {name: found[name] for name in names}


def depends(suite, package):
    """Names of the packages that `package` depends on, the first of each alternative."""
    return [word.split()[0] for word in fields(suite, package)["Depends"].split(",")]


def parts_of_kernel(suite, package):
    """Names of the packages of a kernel, and its version."""
    # A meta package names the real one, and from 7.2 on that one names its parts.
    image = next((name for name in depends(suite, package) if name.startswith("linux-image-")),
                 package)
    release = image.removeprefix("linux-image-")
    parts = [name for name in depends(suite, image)
             if name.startswith("linux-") and name.endswith(f"-{release}")]
    return [image, *parts], version(suite, image)


def download(suite, names, folder):
    """Paths of the packages in `folder`."""
    ask(suite, "apt-get", "-q", "download", *names, cwd=folder)
    return sorted(folder.glob("*.deb"))


def unpack(suite, names, root):
    """Unpacks packages below the folder `root`."""
    scratch = root / ".packages"
    scratch.mkdir()
    for package in download(suite, names, scratch):
        subprocess.run(["dpkg-deb", "-x", package, root], check=True)
    shutil.rmtree(scratch)


def unpacked(name, suite, names):
    """A root with packages of a suite, in their newest versions."""
    newest = versions(suite, names)
    digest = hashlib.sha256(repr(newest).encode()).hexdigest()[:12]

    def fill(root):
        for folder in ("bin", "lib", "lib64", "sbin"):  # as on a system with merged /usr
            (root / folder).symlink_to(f"usr/{folder}")
        unpack(suite, names, root)

    # A colon separates the folders of a library path.
    return kept(name, f"{newest[names[0]].replace(':', '_')}-{digest}", fill)


def program(root, path, name=None):
    """The command that runs a program of an unpacked root with the libraries beside it.

    `name` is what it is told to be called.
    """
    libraries = [folder for top in ("lib", "usr/lib") for folder in root.glob(f"{top}/*-linux-gnu")]
    loader = next(found for folder in libraries for found in folder.glob("ld-linux-*.so.*"))
    libraries.append(root / "lib")  # those of multipath-tools
    return [loader, "--library-path", ":".join(map(str, libraries)),
            *(("--argv0", name) if name else ()), root / path]


def for_guest(root, programs, place):
    """Path in a guest -> bytes: programs of an unpacked root, with their libraries below `place`."""
    files = {}
    for path in programs:
        name = pathlib.Path(path).name
        loader, *options, found = program(root, path)
        shown = subprocess.run([loader, *options, "--list", found], check=True,
                               capture_output=True, text=True).stdout
        for library in re.findall(r"=> (/\S+)", shown):
            files[f"{place}/{pathlib.Path(library).name}"] = pathlib.Path(library).read_bytes()
        files[f"{place}/ld.so"] = loader.read_bytes()
        files[f"{place}/{name}"] = found.read_bytes()
        files[f"usr/bin/{name}"] = (f"#!/bin/sh\nexec /{place}/ld.so --library-path /{place} "
                                    f"/{place}/{name} \"$@\"\n").encode()
    return files
