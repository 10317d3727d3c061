// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * nextkernel - from one kernel straight into another (kexec).
 *
 *	nextkernel load|crash KERNEL INITRAMFS CMDLINE	what "go", or a panic, will boot
 *	nextkernel go		now: nothing is synced, unmounted or closed before
 */
#include <fcntl.h>
#include <linux/kexec.h>
#include <linux/reboot.h>
#include <stdio.h>
#include <string.h>
#include <sys/reboot.h>
#include <sys/syscall.h>
#include <unistd.h>

static int load(unsigned long flags, char **args)
{
	int kernel = open(args[0], O_RDONLY | O_CLOEXEC);
	int initramfs = open(args[1], O_RDONLY | O_CLOEXEC);

	if (syscall(SYS_kexec_file_load, kernel, initramfs, strlen(args[2]) + 1, args[2], flags)) {
		perror("kexec_file_load");
		return 1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 5 && !strcmp(argv[1], "load"))
		return load(0, argv + 2);
	if (argc == 5 && !strcmp(argv[1], "crash"))
		return load(KEXEC_FILE_ON_CRASH, argv + 2);
	if (argc == 2 && !strcmp(argv[1], "go")) {
		reboot(LINUX_REBOOT_CMD_KEXEC);
		perror("kexec");
		return 1;
	}
	fprintf(stderr, "usage: nextkernel load|crash KERNEL INITRAMFS CMDLINE | go\n");
	return 2;
}
