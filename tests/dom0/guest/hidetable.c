/*
 * hidetable MODULE <inputs >results
 *
 * Loads xen-pciback once per input, with exactly that argument string, and writes down what the kernel made of
 * it. No modprobe in between: kmod quotes values in its own way, and hundreds of forks take long here.
 *
 * An input is a line: a name, a tab, the module's arguments with \xNN and \\ for what a line cannot hold.
 * A result is a line per fact: the name, a tab, a key, a tab, the value, escaped in the same way.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define DRIVER "/sys/bus/pci/drivers/pciback"

static char line[1 << 16], arguments[1 << 16], content[1 << 16];
static const char *name;

static void put(const char *key, const char *value, ssize_t count)
{
	printf("%s\t%s\t", name, key);
	for (ssize_t i = 0; i < count; i++) {
		unsigned char byte = value[i];

		if (byte == '\\')
			fputs("\\\\", stdout);
		else if (byte < 0x20 || byte > 0x7e)
			printf("\\x%02x", byte);
		else
			putchar(byte);
	}
	putchar('\n');
}

static void put_file(const char *key, const char *path)
{
	int in = open(path, O_RDONLY);
	ssize_t got = in < 0 ? -1 : read(in, content, sizeof(content));

	if (got >= 0)
		put(key, content, got);
	if (in >= 0)
		close(in);
}

/* A long message stays open, out of sight, until the next record: so write one, and read up to it. */
static void put_messages(int log)
{
	char mark[64];
	int out = open("/dev/kmsg", O_WRONLY);
	int length = snprintf(mark, sizeof(mark), "<7>hidetable: end of %s\n", name);

	if (write(out, mark, length) != length)
		perror("/dev/kmsg");
	close(out);
	mark[length - 1] = 0;
	for (;;) {
		ssize_t got = read(log, content, sizeof(content) - 1);
		char *text, *end;

		if (got < 0 && (errno == EPIPE || errno == EINTR))
			continue;
		if (got <= 0)
			return;
		content[got] = 0;
		text = strchr(content, ';');
		end = text ? strchr(text, '\n') : NULL;
		if (!end)
			continue;
		*end = 0;
		if (!strcmp(text + 1, mark + 3))
			return;
		/* as the kernel escaped it: the runner takes it from there */
		if (strstr(text, "pciback") || strstr(text, "hide"))
			printf("%s\tmessage\t%s\n", name, text + 1);
	}
}

static void unescape(const char *from)
{
	char *to = arguments;

	while (*from && *from != '\n') {
		if (from[0] == '\\' && from[1] == 'x') {
			char digits[3] = { from[2], from[3], 0 };

			*to++ = (char)strtol(digits, NULL, 16);
			from += 4;
		} else if (from[0] == '\\') {
			*to++ = from[1];
			from += 2;
		} else {
			*to++ = *from++;
		}
	}
	*to = 0;
}

static void one(const char *module, int log)
{
	int image = open(module, O_RDONLY);
	long rc;

	rc = syscall(SYS_finit_module, image, arguments, 0) ? errno : 0;
	close(image);
	snprintf(content, sizeof(content), "%ld", rc);
	put("errno", content, strlen(content));
	if (!access("/sys/module/xen_pciback", F_OK)) {
		put_file("slots", DRIVER "/slots");
		put_file("readback", "/sys/module/xen_pciback/parameters/hide");
	}
	if (!rc)
		while (syscall(SYS_delete_module, "xen_pciback", O_NONBLOCK) && (errno == EAGAIN || errno == EBUSY))
			usleep(1000);
	put_messages(log);
}

int main(int argc, char **argv)
{
	int log = open("/dev/kmsg", O_RDONLY | O_NONBLOCK);

	if (argc != 2 || log < 0)
		return 2;
	lseek(log, 0, SEEK_END);
	while (fgets(line, sizeof(line), stdin)) {
		char *tab = strchr(line, '\t');

		if (!tab)
			continue;
		*tab = 0;
		name = line;
		unescape(tab + 1);
		one(argv[1], log);
	}
	return 0;
}
