// SPDX-License-Identifier: GPL-2.0
/*
 * narrow - a 32-bit program, without any library: two processes take two mutexes that
 * they share, in words as the i386 pthread_mutex_t has them, crosswise; with an argument
 * in the same order. Says "ready a0=pid a1=pid" first, and ends with its input.
 */
#include <stddef.h>

/* syscall_32.tbl */
#define NR_EXIT		1
#define NR_FORK		2
#define NR_READ		3
#define NR_WRITE	4
#define NR_PAUSE	29
#define NR_MMAP		90
#define NR_YIELD	158
#define NR_PRCTL	172
#define NR_GETPID	20
#define NR_FUTEX	240

#define PR_SET_PDEATHSIG	1
#define SIGKILL			9
#define FUTEX_WAIT		0

/** struct i386_mutex - as pthread_mutex_t is on i386 */
struct i386_mutex {
	int lock;
	unsigned int count;
	int owner;
	int kind;
	unsigned int nusers;
	int list;
};

/* For all processes that share it (__kind). */
#define KIND_SHARED	128

/** struct shared - what both processes have */
struct shared {
	struct i386_mutex mutex[2];
	volatile int has[2];
	volatile int pid[2];
};

static long call(long nr, long a, long b, long c, long d)
{
	long ret;

	asm volatile("int $0x80"
		     : "=a"(ret)
		     : "0"(nr), "b"(a), "c"(b), "d"(c), "S"(d)
		     : "memory");
	return ret;
}

static void wait_for(const volatile int *flag)
{
	while (!*flag)
		call(NR_YIELD, 0, 0, 0, 0);
}

/* As pthread_mutex_lock() does. */
static void lock(struct i386_mutex *mutex)
{
	int free = 0;

	if (!__atomic_compare_exchange_n(&mutex->lock, &free, 1, 0, __ATOMIC_SEQ_CST,
					 __ATOMIC_SEQ_CST))
		while (__atomic_exchange_n(&mutex->lock, 2, __ATOMIC_SEQ_CST))
			call(NR_FUTEX, (long)&mutex->lock, FUTEX_WAIT, 2, 0);
	mutex->owner = call(NR_GETPID, 0, 0, 0, 0);
	mutex->nusers++;
}

static void run(struct shared *s, int self, int first)
{
	call(NR_PRCTL, PR_SET_PDEATHSIG, SIGKILL, 0, 0);
	s->pid[self] = call(NR_GETPID, 0, 0, 0, 0);
	if (first == self) {
		lock(&s->mutex[self]);
		s->has[self] = 1;
		wait_for(&s->has[!self]);
		lock(&s->mutex[!self]);
	} else {
		/* The other one's, and nothing else. */
		wait_for(&s->has[first]);
		s->has[self] = 1;
		lock(&s->mutex[first]);
	}
	for (;;)
		call(NR_PAUSE, 0, 0, 0, 0);
}

static int put_number(char *to, int number)
{
	int len = 0;

	if (number >= 10)
		len = put_number(to, number / 10);
	to[len] = '0' + number % 10;
	return len + 1;
}

static void say_ready(const struct shared *s)
{
	char line[64] = "ready a0=";
	int len = 9;

	len += put_number(line + len, s->pid[0]);
	line[len++] = ' ';
	line[len++] = 'a';
	line[len++] = '1';
	line[len++] = '=';
	len += put_number(line + len, s->pid[1]);
	line[len++] = '\n';
	call(NR_WRITE, 1, (long)line, len, 0);
}

static int narrow(int argc)
{
	/* PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS */
	long area[6] = { 0, sizeof(struct shared), 3, 0x21, -1, 0 };
	struct shared *s = (struct shared *)call(NR_MMAP, (long)area, 0, 0, 0);
	char byte;

	for (int i = 0; i < 2; i++)
		s->mutex[i].kind = KIND_SHARED;
	for (int i = 0; i < 2; i++)
		if (!call(NR_FORK, 0, 0, 0, 0))
			run(s, i, argc > 1 ? 0 : i);
	wait_for(&s->pid[0]);
	wait_for(&s->pid[1]);
	say_ready(s);
	while (call(NR_READ, 0, (long)&byte, 1, 0) > 0)
		;
	return 0;
}

__attribute__((used)) static void begin(const long *stack)
{
	call(NR_EXIT, narrow(stack[0]), 0, 0, 0);
}

/* The number of arguments is where the stack begins. */
__attribute__((naked, used)) void _start(void);
void _start(void)
{
	asm volatile("mov %esp, %eax; and $-16, %esp; sub $12, %esp; push %eax; call begin");
}
