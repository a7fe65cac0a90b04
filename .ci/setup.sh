# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# Sourced by ./check and ./quickstart from the top of the tree.

export DEBIAN_FRONTEND=noninteractive
# All clones share what they compile and download; tests/boot/paths.py has the same rule.
export CCACHE_DIR=${CCACHE_DIR:-${XDG_CACHE_HOME:-~/.cache}/kdump-mkinitrd/ccache}
export CCACHE_BASEDIR=$PWD CCACHE_NOHASHDIR=1
PATH=$PATH:/usr/sbin:/sbin # mkfs, kexec, depmod
mkdir -p build

as_root() {
  if [ "$(id -u)" = 0 ]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo -n DEBIAN_FRONTEND=noninteractive "$@"
  else
    echo "needs root or sudo: $*" >&2
    return 1
  fi
}

# Runs a long command with its output in build/LOG; shows the end of it when it fails.
logged() {
  local log=build/$1
  shift
  if ! "$@" >"$log" 2>&1 </dev/null; then
    tail -n 60 "$log" >&2
    echo "FAILED: $* (all of it in $log)" >&2
    return 1
  fi
}

# Installs what is missing of the packages in .ci/FILE.
install_packages() {
  local wanted missing
  mapfile -t wanted < <(grep -v '^#' ".ci/$1")
  # A package that dpkg does not know is missing as well; its error message says nothing more.
  mapfile -t missing < <(
    printf '%s\n' "${wanted[@]}" |
      grep -vxFf <(dpkg-query -W -f '${Package} ${db:Status-Status}\n' "${wanted[@]}" 2>/dev/null |
        sed -n 's/ installed$//p'))
  [ ${#missing[@]} -gt 0 ] || return 0
  echo "installing ${#missing[@]} packages: ${missing[*]}"
  # A third-party source that does not answer is no reason to stop: the installation decides.
  logged apt-update.log as_root apt-get -q update || true
  logged apt-install.log as_root apt-get -qy --no-install-recommends install "${missing[@]}"
}

# Configures and builds a preset of CMakePresets.json.
build_preset() {
  local preset=$1
  shift
  echo "building $preset"
  logged "cmake-$preset.log" cmake --preset "$preset"
  logged "ninja-$preset.log" cmake --build --preset "$preset" "$@"
}
