#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# debian_package.sh: builds the package in $KD_PACKAGE from a copy of this tree and judges it with
# lintian where that is installed. Prints the path of the .deb as its last line.
set -eu

source=$(cd "$(dirname "$0")/../.." && pwd)
build=${KD_PACKAGE:-$source/build/package}
# The same place each time: its name is in the debug information and so in the key of ccache.
rm -rf "$build"
mkdir -p "$build/source"
tar -C "$source" --exclude-vcs --exclude=./build -cf - . | tar -C "$build/source" -xf -

# debhelper sets another HOME.
if command -v ccache >/dev/null; then
	CCACHE_DIR=$(ccache --get-config cache_dir)
	export CCACHE_DIR
fi
cd "$build/source"
DEB_BUILD_OPTIONS="noautodbgsym parallel=${KD_JOBS:-$(nproc)}" \
	dpkg-buildpackage -b -us -uc >"$build/build.log" 2>&1 || {
	tail -n 60 "$build/build.log"
	echo "debian_package: dpkg-buildpackage failed, see $build/build.log" >&2
	exit 1
}
if command -v lintian >/dev/null; then
	lintian --allow-root --fail-on error,warning --display-info "$build"/*.changes
fi
dpkg-deb --info "$build"/kdump-mkinitrd_*.deb | grep -E '^ (Depends|Installed-Size):'
ls "$build"/kdump-mkinitrd_*.deb
