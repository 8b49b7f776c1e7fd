// SPDX-License-Identifier: GPL-2.0
/* hostile_tcp - connections whose sends end by themselves. */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "hostile.h"

/* More than both ends have room for, at one go. */
#define NR_BYTES	(64 * 1024 * 1024)

static int end[2];
static unsigned int timeout_ms;

/* Two ends of a connection of this machine. */
static void connect_ends(void)
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	socklen_t size = sizeof(addr);

	check(listener >= 0 && !bind(listener, (void *)&addr, size) && !listen(listener, 1) &&
	      !getsockname(listener, (void *)&addr, &size), "listen");
	end[0] = socket(AF_INET, SOCK_STREAM, 0);
	check(end[0] >= 0 && !connect(end[0], (void *)&addr, size), "connect");
	end[1] = accept(listener, NULL, NULL);
	check(end[1] >= 0, "accept");
	close(listener);
}

static void send_all(int n)
{
	static char bytes[NR_BYTES];

	close(end[!n]);
	check(!setsockopt(end[n], IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout_ms, sizeof(timeout_ms)),
	      "TCP_USER_TIMEOUT");
	be(n);
	(void)!write(end[n], bytes, sizeof(bytes));
}

static void send_all_0(void)
{
	send_all(0);
}

static void send_all_1(void)
{
	send_all(1);
}

/* Both ends send what nobody receives. */
void no_user_timeout(void)
{
	actor("one");
	actor("two");
	connect_ends();
	spawn(send_all_0);
	spawn(send_all_1);
	close(end[0]);
	close(end[1]);
}

void user_timeout(void)
{
	timeout_ms = 3600 * 1000;
	no_user_timeout();
}
