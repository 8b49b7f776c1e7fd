// SPDX-License-Identifier: GPL-2.0
/* hostile_tcp - connections whose sends end by themselves. */
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "hostile.h"

/* More than both ends have room for, at one go. */
#define NR_BYTES	(64 * 1024 * 1024)

/* Room for all that is sent while anybody looks, if it is sent as slowly as can be. */
#define WIDE_BYTES	(256 * 1024 * 1024)
#define SLOW_BYTES_A_SEC	1

static int end[2];
static unsigned int timeout_ms;
static bool paced;

/* Before it is connected: the other side is told then how much more there can ever be. */
static int tcp_socket(void)
{
	const int room = WIDE_BYTES;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	check(fd >= 0, "socket");
	check(!paced || !setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)),
	      "SO_RCVBUFFORCE");
	return fd;
}

/* Two ends of a connection of this machine. */
static void connect_ends(void)
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int listener = tcp_socket();
	socklen_t size = sizeof(addr);

	check(!bind(listener, (void *)&addr, size) && !listen(listener, 1) &&
	      !getsockname(listener, (void *)&addr, &size), "listen");
	end[0] = tcp_socket();
	check(!connect(end[0], (void *)&addr, size), "connect");
	end[1] = accept(listener, NULL, NULL);
	check(end[1] >= 0, "accept");
	close(listener);
}

static void send_all(int n)
{
	static const unsigned int rate = SLOW_BYTES_A_SEC;
	static char bytes[NR_BYTES];

	close(end[!n]);
	check(!paced || !setsockopt(end[n], SOL_SOCKET, SO_MAX_PACING_RATE, &rate, sizeof(rate)),
	      "SO_MAX_PACING_RATE");
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

/* Both ends have room, and wait until it is time to send more. */
void paced_senders(void)
{
	paced = true;
	no_user_timeout();
}

/* Something has come, and is not read; what comes after it is thrown away. */
static void receive_one_byte(int n)
{
	struct sock_filter none = BPF_STMT(BPF_RET | BPF_K, 0);
	struct sock_fprog program = { 1, &none };
	char byte = 0;

	check(write(end[!n], &byte, 1) == 1, "write");
	check(recv(end[n], &byte, 1, MSG_PEEK) == 1, "recv");
	check(!setsockopt(end[n], SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)),
	      "SO_ATTACH_FILTER");
}

/* Both send, and what they send is lost on its way: the kernel sends it again and again. */
void lost_bytes(void)
{
	actor("one");
	actor("two");
	connect_ends();
	receive_one_byte(0);
	receive_one_byte(1);
	spawn(send_all_0);
	spawn(send_all_1);
	close(end[0]);
	close(end[1]);
}
