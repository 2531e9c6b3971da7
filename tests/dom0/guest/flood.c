/*
 * flood COUNT
 *
 * Writes so many records to /dev/kmsg, as fast as the kernel takes them; of level debug, so that no console prints
 * them. All of them only with printk.devkmsg=on.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	int out = open("/dev/kmsg", O_WRONLY);
	long count = argc == 2 ? atol(argv[1]) : 0;
	char line[128];

	if (out < 0 || count <= 0) {
		fputs("usage: flood COUNT\n", stderr);
		return 2;
	}
	for (long i = 0; i < count; i++) {
		int length = snprintf(line, sizeof(line), "<7>flood: record %ld of %ld, of no use to anybody\n", i, count);

		if (write(out, line, length) != length) {
			perror("/dev/kmsg");
			return 1;
		}
	}
	return 0;
}
