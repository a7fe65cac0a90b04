/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * An init that only restarts the machine: it comes as far as the kernel itself does.
 */
#include <sys/reboot.h>

int main(void) { return reboot(RB_AUTOBOOT); }
