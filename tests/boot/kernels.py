# SPDX-License-Identifier: GPL-2.0-or-later
"""Debian kernels without installing them: download the package, unpack it, run their depmod."""

import pathlib
import shutil
import subprocess
import sys
from dataclasses import dataclass

from paths import BUILD

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
# bookworm has plain .ko files below /lib; trixie has .ko.xz below /usr/lib.
SUITES = ("bookworm", "trixie")
KERNELS = BUILD / "kernels"


@dataclass(frozen=True)
class Kernel:
    """An unpacked kernel package; as a sysroot it holds boot/ and lib/modules/VERSION."""

    root: pathlib.Path
    version: str

    @property
    def image(self):
        return self.root / "boot" / f"vmlinuz-{self.version}"

    def modprobe(self, name):
        """Paths of a module and what it needs, in load order; empty when it is built in."""
        command = ["modprobe", "-d", self.root, "-S", self.version, "--show-depends", name]
        out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        return [pathlib.Path(line.split()[1]) for line in out.splitlines()
                if line.startswith("insmod ")]


def installed():
    """The newest kernel of this machine with the drivers of the tests (not -cloud-), or None."""
    found = [Kernel(pathlib.Path("/"), image.name.removeprefix("vmlinuz-"))
             for image in pathlib.Path("/boot").glob("vmlinuz-*-amd64")
             if "-cloud-" not in image.name]
    found = [k for k in found if pathlib.Path("/lib/modules", k.version, "modules.dep").exists()]
    return max(found, key=lambda k: [int(n) if n.isdigit() else n for n in
                                     k.version.replace("-", ".").split(".")], default=None)


def unpacked(name):
    """The kernel KERNELS/name, or None when it is not there (yet)."""
    root = KERNELS / name
    images = sorted(root.glob("boot/vmlinuz-*"))
    return Kernel(root, images[-1].name.removeprefix("vmlinuz-")) if images else None


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
        raise SystemExit(f"apt has no source for {release}; kernels cannot be downloaded")
    return uris[release], uris.get(f"{release}-security")


def apt(suite, *command, cwd=None):
    """Runs apt with sources, lists and cache of its own: the machine's stay as they are."""
    private = BUILD / "apt" / suite
    for folder in ("lists/partial", "cache/archives/partial"):
        (private / folder).mkdir(parents=True, exist_ok=True)
    main, security = mirrors()
    sources = f"deb [signed-by={KEYRING}] {main} {suite} main\n"
    if security:
        sources += f"deb [signed-by={KEYRING}] {security} {suite}-security main\n"
    (private / "sources.list").write_text(sources)
    options = {"Dir::Etc::sourcelist": private / "sources.list", "Dir::Etc::sourceparts": "-",
               "Dir::State::lists": private / "lists", "Dir::Cache": private / "cache",
               "Acquire::Languages": "none", "APT::Sandbox::User": ""}
    arguments = [f"-o{key}={value}" for key, value in options.items()]
    run = subprocess.run([command[0], *arguments, *command[1:]], cwd=cwd, capture_output=True,
                         text=True)
    if run.returncode != 0:
        raise SystemExit(f"{' '.join(command)} failed for {suite}: {run.stderr.strip()}")
    return run.stdout


# What depmod of a suite needs of it beside libssl; libkmod of Debian 13 loads the last two at run
# time.
DEPMOD = ("kmod", "libkmod2", "libc6", "libzstd1", "liblzma5")
# Written last, below the kernel's root.
INDEXED = ".indexed-by-kmod-of-its-suite"


def index(suite, kernel):
    """Runs the depmod of the suite itself: kmod 30 writes an index root last, kmod 34 root first."""
    tools = BUILD / "apt" / suite / "depmod"
    shutil.rmtree(tools, ignore_errors=True)
    tools.mkdir(parents=True)
    depends = apt(suite, "apt-cache", "depends", "libkmod2").split()
    apt(suite, "apt-get", "-q", "download", *DEPMOD,
        *(name for name in depends if name.startswith("libssl")), cwd=tools)
    for archive in tools.glob("*.deb"):
        subprocess.run(["dpkg-deb", "-x", archive, tools], check=True)
        archive.unlink()
    # kmod is depmod when it is called so. Its libraries lie in /lib or /usr/lib, as the suite has
    # them.
    libraries = [folder for top in ("lib", "usr/lib") for folder in tools.glob(f"{top}/*-linux-gnu")]
    loader = next(path for folder in libraries for path in folder.glob("ld-linux-*.so.*"))
    kmod = next(path for path in (tools / "bin/kmod", tools / "usr/bin/kmod") if path.exists())
    subprocess.run([loader, "--library-path", ":".join(map(str, libraries)), "--argv0", "depmod",
                    kmod, "-b", kernel.root, kernel.version], check=True)
    (kernel.root / INDEXED).touch()


def download(name):
    """Unpacks the newest kernel of suite `name` below KERNELS unless one is there."""
    found = unpacked(name)
    if found and (found.root / INDEXED).exists():
        return found
    apt(name, "apt-get", "-q", "update")
    if found:
        index(name, found)
        return found
    depends = apt(name, "apt-cache", "depends", "linux-image-amd64").split()
    package = depends[depends.index("Depends:") + 1]  # the meta package names the real one
    scratch = KERNELS.parent / f"kernels-{name}.tmp"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    print(f"downloading {package} from {name}", flush=True)
    apt(name, "apt-get", "-q", "download", package, cwd=scratch)
    (archive,) = scratch.glob("*.deb")
    subprocess.run(["dpkg-deb", "-x", archive, scratch / "root"], check=True)
    root = scratch / "root"
    if (root / "usr/lib/modules").is_dir() and not (root / "lib").exists():
        (root / "lib").symlink_to("usr/lib")  # as on a system with merged /usr
    kernel = Kernel(root, next(root.glob("boot/vmlinuz-*")).name.removeprefix("vmlinuz-"))
    index(name, kernel)
    KERNELS.mkdir(exist_ok=True)
    root.rename(KERNELS / name)  # last, so that a half unpacked kernel is never found
    shutil.rmtree(scratch)
    return unpacked(name)


if __name__ == "__main__":
    for suite in sys.argv[1:] or SUITES:
        kernel = download(suite)
        print(f"{suite}: Linux {kernel.version} in {kernel.root}")
