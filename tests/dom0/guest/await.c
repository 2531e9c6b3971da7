/*
 * await FILE LINES SECONDS PART...
 *
 * Waits until FILE, whose first LINES lines do not count, has a line that holds all parts in this order, and prints its
 * number and for how long it had to wait, in milliseconds. 1 when it does not come in time. Sleeps until the folder of the file
 * changes: on dom0's only processor a loop of a shell would take the time from the one it waits for.
 */
#include <fcntl.h>
#include <libgen.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <time.h>
#include <unistd.h>

static long now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

static int holds(const char *line, char **parts)
{
	for (; *parts; parts++) {
		line = strstr(line, *parts);
		if (!line)
			return 0;
		line += strlen(*parts);
	}
	return 1;
}

/* The number of the line, 0 when there is none. A line without an end is not whole yet. */
static long find(const char *path, long skip, char **parts)
{
	static char line[1 << 16];
	FILE *in = fopen(path, "r");
	long number = 0, found = 0;

	while (in && !found && fgets(line, sizeof(line), in)) {
		number++;
		if (number > skip && strchr(line, '\n') && holds(line, parts))
			found = number;
	}
	if (in)
		fclose(in);
	return found;
}

int main(int argc, char **argv)
{
	long start = now(), limit, found;
	struct pollfd folder = { .fd = inotify_init1(IN_NONBLOCK), .events = POLLIN };
	static char events[1 << 16];

	if (argc < 4 || folder.fd < 0 ||
	    inotify_add_watch(folder.fd, dirname(strdup(argv[1])), IN_MODIFY | IN_CREATE | IN_MOVED_TO) < 0) {
		fputs("usage: await FILE LINES SECONDS PART...\n", stderr);
		return 2;
	}
	limit = start + atol(argv[3]) * 1000;
	while (!(found = find(argv[1], atol(argv[2]), argv + 4))) {
		long left = limit - now();

		if (left <= 0 || poll(&folder, 1, left) <= 0)
			return 1;
		while (read(folder.fd, events, sizeof(events)) > 0)
			;
	}
	printf("%ld %ld\n", found, now() - start);
	return 0;
}
