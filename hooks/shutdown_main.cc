// SPDX-License-Identifier: GPL-2.0-or-later
//
// Started by systemd-shutdown(8) when file systems are unmounted or read-only and nothing else
// runs: crashes the kernel where kdump-config rehearse wants that, else does nothing.
#include "hooks/rehearsal_crash.h"

int main(int argc, char** argv) {
  const kd::Result<kd::RootedReader> reader = kd::RootedReader::open("/");
  if (argc != 2 || !reader) return 1;
  return kd::crash_for_rehearsal(*reader, argv[1]);
}
