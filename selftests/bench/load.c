// SPDX-License-Identifier: GPL-2.0
/*
 * load - what benchmarks let run.
 *
 *	load WORK THREADS MILLISECONDS	all of them do it over and over; prints the
 *					operations a second. pipe: write a byte to one
 *					pipe and read one; mmap: map a page, write to it
 *					and unmap it; rename: make, rename and remove a
 *					file, in one folder; futex: take and give back
 *					one mutex; alone: 100 times a mutex of its own
 *	load waiters NUMBER		as many threads wait for a futex; prints
 *					"ready", and ends when its input is closed
 *	load flock|posix|mutex PAIRS	takes and gives back a file lock, or a mutex, that
 *					nobody else wants; prints the least and the median
 *					cost of a pair, in ticks of the CPU's clock
 */
#include <err.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

#define MAX_THREADS	100000
#define MAX_MSECS	3600000

/** struct work - what threads do, all at once, for as long as they may */
struct work {
	const char *name;
	/** @prepare: before there are threads; @clear: after them; may be NULL */
	void (*prepare)(void);
	void (*clear)(void);
	/** @once: one operation of thread number @nr. Return: did it work? */
	bool (*once)(long nr);
};

/** struct worker - one thread; a cache line of its own */
struct worker {
	const struct work *work;
	pthread_t thread;
	long nr;
	unsigned long ops;
} __attribute__((aligned(64)));

static int ends[2];
static char folder[32];
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static unsigned int word;
static int stop;

static double now_secs(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

static void make_pipe(void)
{
	if (pipe(ends))
		err(1, "pipe");
}

static bool write_and_read(long nr)
{
	char byte = 0;

	(void)nr;
	return write(ends[1], &byte, 1) == 1 && read(ends[0], &byte, 1) == 1;
}

static bool map_and_unmap(long nr)
{
	const size_t size = 4096;
	void *page = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)nr;
	if (page == MAP_FAILED)
		return false;
	*(volatile char *)page = 1;
	return !munmap(page, size);
}

static void make_folder(void)
{
	snprintf(folder, sizeof(folder), "/tmp/load.XXXXXX");
	if (!mkdtemp(folder) || chdir(folder))
		err(1, "%s", folder);
}

static void remove_folder(void)
{
	if (chdir("/") || rmdir(folder))
		err(1, "%s", folder);
}

/* All the names are in one folder. */
static bool make_and_rename(long nr)
{
	char from[32], to[32];
	int fd;

	snprintf(from, sizeof(from), "a%ld", nr);
	snprintf(to, sizeof(to), "b%ld", nr);
	fd = open(from, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	return fd >= 0 && !close(fd) && !rename(from, to) && !unlink(to);
}

static bool lock_and_unlock(long nr)
{
	static volatile unsigned long under_lock;

	(void)nr;
	if (pthread_mutex_lock(&mutex))
		return false;
	for (int i = 0; i < 100; i++)
		under_lock = under_lock + 1;
	return !pthread_mutex_unlock(&mutex);
}

/* Uncontended: an operation is long beside the loop around it. */
static bool lock_alone(long nr)
{
	static __thread pthread_mutex_t own = PTHREAD_MUTEX_INITIALIZER;

	(void)nr;
	for (int i = 0; i < 100; i++)
		if (pthread_mutex_lock(&own) || pthread_mutex_unlock(&own))
			return false;
	return true;
}

static const struct work works[] = {
	{ "pipe", make_pipe, NULL, write_and_read },
	{ "mmap", NULL, NULL, map_and_unmap },
	{ "rename", make_folder, remove_folder, make_and_rename },
	{ "futex", NULL, NULL, lock_and_unlock },
	{ "alone", NULL, NULL, lock_alone },
};

static const struct work *find_work(const char *name)
{
	for (size_t i = 0; i < sizeof(works) / sizeof(*works); i++)
		if (!strcmp(works[i].name, name))
			return &works[i];
	return NULL;
}

static void *work_on(void *arg)
{
	struct worker *worker = arg;

	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		if (!worker->work->once(worker->nr))
			err(1, "%s", worker->work->name);
		worker->ops++;
	}
	return NULL;
}

static void run_work(const struct work *work, long nr, long msecs)
{
	struct timespec span = { msecs / 1000, msecs % 1000 * 1000000 };
	struct worker *workers = aligned_alloc(sizeof(*workers), nr * sizeof(*workers));
	unsigned long sum = 0;
	double start;

	if (!workers)
		err(1, "no memory");
	if (work->prepare)
		work->prepare();
	start = now_secs();
	for (long i = 0; i < nr; i++) {
		workers[i] = (struct worker){ .work = work, .nr = i };
		if (pthread_create(&workers[i].thread, NULL, work_on, &workers[i]))
			errx(1, "no thread %ld", i);
	}
	nanosleep(&span, NULL);
	__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
	for (long i = 0; i < nr; i++) {
		pthread_join(workers[i].thread, NULL);
		sum += workers[i].ops;
	}
	printf("%.0f\n", sum / (now_secs() - start));
	if (work->clear)
		work->clear();
	free(workers);
}

/*
 * Start a thread that waits, and wakes for nothing but its end: one of the kernel's alone,
 * that needs no stack, and of which the C library knows nothing. One of the library's has
 * two mappings and makes calls and faults before it waits: 65,536 take too long to make.
 */
static long start_waiter(void)
{
	const long flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD |
			   CLONE_SYSVSEM;
	/* rdx, r10 and r8 are zeros: of clone(2) what is not asked for, of futex(2) the word. */
	register long r10 asm("r10") = 0;
	register long r8 asm("r8") = 0;
	long ret = SYS_clone;

	asm volatile("syscall\n\t"
		     "test %%rax, %%rax\n\t"
		     "jnz 2f\n"
		     "1:\t"
		     "mov %[futex], %%eax\n\t"
		     "mov %[word], %%rdi\n\t"
		     "mov %[wait], %%esi\n\t"
		     "syscall\n\t"
		     "jmp 1b\n"
		     "2:"
		     : "+a" (ret)
		     : "D" (flags), "S" (0L), "d" (0L), "r" (r10), "r" (r8), [word] "b" (&word),
		       [futex] "i" (SYS_futex), [wait] "i" (FUTEX_WAIT_PRIVATE)
		     : "rcx", "r11", "memory");
	return ret;
}

static void run_waiters(long nr)
{
	char byte;

	for (long i = 0; i < nr; i++)
		if (start_waiter() < 0)
			errx(1, "no thread %ld", i);
	puts("ready");
	fflush(stdout);
	while (read(0, &byte, 1) > 0)
		;
}

static int flock_pair(int fd)
{
	return flock(fd, LOCK_EX) || flock(fd, LOCK_UN);
}

static int posix_pair(int fd)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1 };
	int failed = fcntl(fd, F_SETLKW, &lock);

	lock.l_type = F_UNLCK;
	return failed || fcntl(fd, F_SETLK, &lock);
}

static int mutex_pair(int fd)
{
	(void)fd;
	return pthread_mutex_lock(&mutex) || pthread_mutex_unlock(&mutex);
}

static int compare_ticks(const void *a, const void *b)
{
	const unsigned long long *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static void run_pairs(int (*pair)(int fd), long nr)
{
	unsigned long long *ticks = calloc(nr, sizeof(*ticks));
	FILE *file = tmpfile();

	if (!ticks || !file)
		err(1, "no file or no memory");
	for (long i = 0; i < nr; i++) {
		unsigned long long start = __rdtsc();

		if (pair(fileno(file)))
			err(1, "no lock");
		ticks[i] = __rdtsc() - start;
	}
	qsort(ticks, nr, sizeof(*ticks), compare_ticks);
	printf("%llu %llu\n", ticks[0], ticks[nr / 2]);
	fclose(file);
	free(ticks);
}

static long parse(const char *text, long max)
{
	char *end;
	long value = strtol(text, &end, 10);

	if (*end || value < 1 || value > max)
		errx(2, "%s is not from 1 to %ld", text, max);
	return value;
}

static long parse_count(const char *text)
{
	return parse(text, MAX_THREADS);
}

int main(int argc, char **argv)
{
	if (argc == 4 && find_work(argv[1]))
		run_work(find_work(argv[1]), parse_count(argv[2]), parse(argv[3], MAX_MSECS));
	else if (argc == 3 && !strcmp(argv[1], "waiters"))
		run_waiters(parse_count(argv[2]));
	else if (argc == 3 && !strcmp(argv[1], "flock"))
		run_pairs(flock_pair, parse_count(argv[2]));
	else if (argc == 3 && !strcmp(argv[1], "posix"))
		run_pairs(posix_pair, parse_count(argv[2]));
	else if (argc == 3 && !strcmp(argv[1], "mutex"))
		run_pairs(mutex_pair, parse_count(argv[2]));
	else
		errx(2, "usage: load WORK THREADS MS | waiters NUMBER | flock|posix|mutex PAIRS");
	return 0;
}
