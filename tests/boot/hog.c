/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Makes makedumpfile run out of memory: linked into a copy of it with patchelf. Only its first try,
 * the one that compresses (-c), takes all the memory there is, page by page, as a dump of a much
 * larger machine would. The kernel's OOM killer is the real one.
 */
#include <stdlib.h>
#include <string.h>

__attribute__((constructor)) static void take_all_memory(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    if (strcmp(argv[i], "-c") != 0) continue;
    for (;;) {
      char* page = malloc(4096);
      if (page != NULL) memset(page, 1, 4096);
    }
  }
}
