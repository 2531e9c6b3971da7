/*
 * snapshot kmsg          every record of /dev/kmsg, as read
 * snapshot tree PATH...  a manifest of these paths, one node a line, in any order
 *
 * One static program instead of a shell loop: a fork takes long in an emulated PV guest, and the capture
 * should be of one moment.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char content[1 << 20];

static int kmsg(void)
{
	int in = open("/dev/kmsg", O_RDONLY | O_NONBLOCK);

	if (in < 0) {
		perror("/dev/kmsg");
		return 1;
	}
	for (;;) {
		ssize_t got = read(in, content, 16384);

		if (got < 0 && (errno == EPIPE || errno == EINTR))
			continue;	/* overwritten meanwhile: the numbers of the records show the gap */
		if (got <= 0)
			return 0;
		fwrite(content, 1, got, stdout);
	}
}

static void escaped(const char *bytes, ssize_t count)
{
	for (ssize_t i = 0; i < count; i++) {
		unsigned char byte = bytes[i];

		if (byte == '\\')
			fputs("\\\\", stdout);
		else if (byte == '\n')
			fputs("\\n", stdout);
		else if (byte == '\t')
			fputs("\\t", stdout);
		else if (byte == '\r')
			fputs("\\r", stdout);
		else if (byte < 0x20 || byte > 0x7e)
			printf("\\x%02x", byte);
		else
			putchar(byte);
	}
}

/*
 * Not read: binary windows into the device, what can only be written, and pciback's quirks, which was seen to
 * crash the kernel that reads it. Not entered: what no audit asks for and what would make the manifest many times as long.
 */
static int skipped(const char *name, int folder)
{
	static const char *const files[] = {
		"config", "rom", "vpd", "quirks", "descriptors", "uevent",
		"bind", "unbind", "new_id", "remove_id", "remove", "rescan", NULL
	};
	static const char *const folders[] = {
		"power", "statistics", "queues", "msi_irqs", "sections", "notes", "kernel", "trace", "integrity", "mq",
		"hwmon", "ptp", "pps", NULL
	};
	const char *const *list = folder ? folders : files;

	for (; *list; list++)
		if (!strcmp(name, *list))
			return 1;
	if (!folder && !strncmp(name, "modules.", 8))
		return strcmp(name, "modules.builtin") && strcmp(name, "modules.dep");
	return !folder && !strncmp(name, "resource", 8);
}

static void file(const char *path)
{
	int in = open(path, O_RDONLY | O_NONBLOCK);
	ssize_t total = 0, got = in < 0 ? -1 : 0;

	while (in >= 0 && (got = read(in, content + total, sizeof(content) - total)) > 0)
		total += got;
	if (got < 0) {
		printf("%s ! %s\n", path, strerror(errno));
	} else {
		printf("%s = ", path);
		escaped(content, total);
		putchar('\n');
	}
	if (in >= 0)
		close(in);
}

static void walk(const char *path)
{
	const char *name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
	char child[4096];
	struct dirent *entry;
	struct stat info;
	DIR *folder;

	if (lstat(path, &info))
		return;
	if (S_ISLNK(info.st_mode)) {
		ssize_t length = readlink(path, child, sizeof(child));

		printf("%s -> %.*s\n", path, (int)(length < 0 ? 0 : length), child);
	} else if (S_ISREG(info.st_mode)) {
		if (!skipped(name, 0))
			file(path);
	} else if (S_ISDIR(info.st_mode)) {
		if (skipped(name, 1))
			return;
		printf("%s/\n", path);
		folder = opendir(path);
		while (folder && (entry = readdir(folder))) {
			if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
				continue;
			snprintf(child, sizeof(child), "%s/%s", path, entry->d_name);
			walk(child);
		}
		if (folder)
			closedir(folder);
	}
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "kmsg"))
		return kmsg();
	if (argc < 3 || strcmp(argv[1], "tree") || chdir("/")) {
		fputs("usage: snapshot kmsg | tree PATH...\n", stderr);
		return 2;
	}
	for (int i = 2; i < argc; i++) {
		struct stat info;

		/* a path that was asked for is followed: /proc/mounts is a link to this process's own */
		if (!stat(argv[i], &info) && S_ISREG(info.st_mode))
			file(argv[i]);
		else
			walk(argv[i]);
	}
	return 0;
}
