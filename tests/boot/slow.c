/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Makes a dump take longer than a watchdog waits: linked into a copy of makedumpfile with patchelf.
 */
#include <string.h>
#include <unistd.h>

__attribute__((constructor)) static void take_time(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    if (strcmp(argv[i], "-c") == 0) sleep(40);
  }
}
