/*
 * The floor: what the kernel itself needs, one thread, nothing decided and nothing checked but
 * that every request was taken.
 *
 *   floor FILE        carry out the orders in FILE (replay.py writes them), then read back
 *
 * Namespace number n has its file open as descriptor BASE + 2n and its socket as BASE + 2n + 1,
 * so that messages can name descriptors before there are any. The host is number 0.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { NAMESPACE = 1, SYSCTL = 2, SEND = 3, BASE = 100 };

struct order {
	uint32_t what, where, count, length; /* then `length` bytes, padded to 4 */
};

static char buffer[1 << 18];
static uint32_t inside;

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static void keep(int from, int as)
{
	if (from < 0 || dup3(from, as, O_CLOEXEC) < 0)
		fail("descriptor");
	close(from);
}

static void open_socket(uint32_t where)
{
	int on = 1;
	int s = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	int size = 8 << 20;

	setsockopt(s, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof on);
	setsockopt(s, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof on);
	setsockopt(s, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
	keep(s, BASE + 2 * where + 1);
}

static void enter(uint32_t where)
{
	if (inside != where && setns(BASE + 2 * where, CLONE_NEWNET))
		fail("setns");
	inside = where;
}

static void make_namespace(uint32_t where, const char *path)
{
	close(open(path, O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444));
	if (unshare(CLONE_NEWNET))
		fail("unshare");
	inside = where;
	keep(open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC), BASE + 2 * where);
	if (mount("/proc/thread-self/ns/net", path, "none", MS_BIND, NULL))
		fail(path);
	open_socket(where);
}

static void write_sysctl(const char *path)
{
	const char *value = path + strlen(path) + 1;
	int f = open(path, O_WRONLY | O_CLOEXEC);

	if (f < 0 || write(f, value, strlen(value)) < 0)
		fail(path);
	close(f);
}

/* Receive until `acks` requests are answered, or (acks is 0) a dump is at its end. */
static void receive(uint32_t where, uint32_t acks)
{
	uint32_t done = 0;

	while (!done || done < acks) {
		int got = recv(BASE + 2 * where + 1, buffer, sizeof buffer, 0);
		struct nlmsghdr *h = (struct nlmsghdr *)buffer;

		if (got < 0)
			fail("recv");
		for (; NLMSG_OK(h, got); h = NLMSG_NEXT(h, got)) {
			if (h->nlmsg_type == NLMSG_DONE)
				done++;
			if (h->nlmsg_type == NLMSG_ERROR) {
				errno = -((struct nlmsgerr *)NLMSG_DATA(h))->error;
				if (errno)
					fail("the kernel refused");
				done++;
			}
		}
	}
}

static void dump(uint32_t where, int type, int family, int table)
{
	struct {
		struct nlmsghdr header;
		union {
			struct ifinfomsg link;
			struct ifaddrmsg address;
			struct rtmsg route;
		} body;
		struct rtattr attribute;
		uint32_t value;
	} request = { .header = { .nlmsg_type = type, .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP } };
	uint32_t size = type == RTM_GETADDR ? sizeof request.body.address :
			type == RTM_GETROUTE ? sizeof request.body.route : sizeof request.body.link;
	struct rtattr *attribute = (struct rtattr *)((char *)&request.body + size);

	request.header.nlmsg_len = NLMSG_LENGTH(size);
	request.body.link.ifi_family = family;
	if (type != RTM_GETADDR) {
		attribute->rta_type = type == RTM_GETLINK ? IFLA_EXT_MASK : RTA_TABLE;
		attribute->rta_len = RTA_LENGTH(4);
		memcpy(RTA_DATA(attribute), type == RTM_GETLINK ? &(uint32_t){ 8 } : &(uint32_t){ table }, 4);
		request.header.nlmsg_len += RTA_LENGTH(4);
	}
	if (send(BASE + 2 * where + 1, &request, request.header.nlmsg_len, 0) < 0)
		fail("send");
	receive(where, 0);
}

int main(int count, char **words)
{
	struct stat info;
	double start = now(), times[4] = { 0 }, before;
	uint32_t highest = 0;
	char *data, *at;
	int file = open(words[count - 1], O_RDONLY);

	if (count != 2 || file < 0 || fstat(file, &info))
		fail("usage: floor FILE");
	data = mmap(NULL, info.st_size, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0);
	if (data == MAP_FAILED)
		fail("mmap");
	keep(open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC), BASE);
	open_socket(0);
	for (at = data; at < data + info.st_size;) {
		struct order *order = (struct order *)at;
		char *bytes = at + sizeof *order;

		before = now();
		if (order->what == NAMESPACE) {
			make_namespace(order->where, bytes);
		} else if (order->what == SYSCTL) {
			enter(order->where);
			write_sysctl(bytes);
		} else {
			if (send(BASE + 2 * order->where + 1, bytes, order->length, 0) < 0)
				fail("send");
			receive(order->where, order->count);
		}
		times[order->what] += now() - before;
		if (order->where > highest)
			highest = order->where;
		at = bytes + ((order->length + 3) & ~3u);
	}
	before = now();
	for (uint32_t where = 0; where <= highest; where++) {
		dump(where, RTM_GETLINK, 0, 0);
		dump(where, RTM_GETADDR, 0, 0);
		dump(where, RTM_GETROUTE, AF_INET, RT_TABLE_MAIN);
		dump(where, RTM_GETROUTE, AF_INET6, RT_TABLE_MAIN);
	}
	fprintf(stderr, "read %.6f s\nnamespaces %.6f s\nsysctls %.6f s\nmessages %.6f s\napply %.6f s\n",
		now() - before, times[NAMESPACE], times[SYSCTL], times[SEND], before - start);
	return 0;
}
