/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The init of bench/initcalls: tells what the kernel has taken when init starts, and restarts. With
 * an argument (what follows "--" on the command line of the kernel) it tells symbols as well.
 */
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>

/* Symbols of the kernel that take so many bytes are told. */
#define LARGE 16384

static void tell(const char* path) {
  static char line[512];
  FILE* file = fopen(path, "r");
  printf("tell: begin %s\n", path);
  while (file && fgets(line, sizeof line, file)) printf("%s", line);
  if (file) fclose(file);
  printf("tell: end\n");
}

struct symbol {
  unsigned long address;
  char type, name[256];
};

static int next(FILE* file, struct symbol* symbol) {
  char module[64] = "";
  static char line[512];
  if (!fgets(line, sizeof line, file)) return 0;
  return sscanf(line, "%lx %c %255s %63s", &symbol->address, &symbol->type, symbol->name, module) ==
         3;
}

static unsigned long address_of(const char* name) {
  struct symbol symbol;
  FILE* file = fopen("/proc/kallsyms", "r");
  unsigned long found = 0;
  while (file && next(file, &symbol)) {
    if (!strcmp(symbol.name, name)) found = symbol.address;
  }
  if (file) fclose(file);
  return found;
}

/* Large ones, and those an initcall can be; the addresses ascend. */
static void tell_symbols(void) {
  unsigned long first = address_of("_sinittext"), last = address_of("_einittext");
  struct symbol now, after;
  FILE* file = fopen("/proc/kallsyms", "r");
  printf("tell: begin symbols\n");
  if (file && next(file, &now)) {
    for (; next(file, &after); now = after) {
      unsigned long size = after.address > now.address ? after.address - now.address : 0;
      if (size >= LARGE || (now.address >= first && now.address < last) ||
          !strcmp(now.name, "do_one_initcall") || !strcmp(now.name, "vm_zone_stat")) {
        printf("%lx %lu %c %s\n", now.address, size, now.type, now.name);
      }
    }
    fclose(file);
  }
  printf("tell: end\n");
}

int main(int count, char** arguments) {
  (void)arguments;
  mount("proc", "/proc", "proc", 0, NULL);
  tell("/proc/meminfo");
  tell("/proc/zoneinfo");
  tell("/proc/slabinfo");
  if (count > 1) tell_symbols();
  printf("tell: done\n");
  fflush(stdout);
  return reboot(RB_AUTOBOOT);
}
