// SPDX-License-Identifier: GPL-2.0
/* proc - what /proc tells of a task (proc.h) */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "alike.h"
#include "proc.h"
#include "remote.h"
#include "snapshot.h"
#include "xalloc.h"

/* Of the kernel's sched.h; field 9 of stat shows them. */
#define PF_FORKNOEXEC	0x00000040
#define PF_KTHREAD	0x00200000

#define PATH_SIZE	64

/* 65,536 supplementary groups take less. */
#define MAX_LONG	(4 << 20)

/* Files that take no lock a stuck task can hold; bytes read, or -errno. */
static ssize_t read_direct(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got;

	if (fd < 0)
		return -errno;
	got = read(fd, buf, size - 1);
	got = got < 0 ? -errno : got;
	close(fd);
	if (got >= 0)
		buf[got] = '\0';
	return got;
}

/* As read_direct(), whole; to be freed. Lists of groups or timers have no end. */
static char *read_long(const char *path, int *err_ret)
{
	size_t size = 4096, got = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char *buf = xcalloc(1, size);
	ssize_t n = -1;

	while (fd >= 0 && got < MAX_LONG && (n = read(fd, buf + got, size - got - 1)) > 0) {
		got += n;
		if (got == size - 1) {
			size *= 2;
			buf = xreallocarray(buf, size, 1);
		}
	}
	*err_ret = fd < 0 || n < 0 ? -errno : n ? -EFBIG : 0;
	buf[got] = '\0';
	if (fd >= 0)
		close(fd);
	if (!*err_ret)
		return buf;
	free(buf);
	return NULL;
}

/* --- tasks --- */

/* Scheduling policies, as field 41 of stat has them. */
enum { POLICY_FIFO = 1, POLICY_RR = 2, POLICY_IDLE = 5, POLICY_DEADLINE = 6 };

/* Below every nice level on the scale of /proc, where those end at 39. */
#define PRIO_IDLE	60

/* The priority that a task has of its own, on the scale of field 18. */
static int own_priority(int nice, int rt_priority, int policy)
{
	switch (policy) {
	case POLICY_FIFO:
	case POLICY_RR:
		return -1 - rt_priority;
	case POLICY_DEADLINE:
		return -101;
	case POLICY_IDLE:
		return PRIO_IDLE;
	default:
		return 20 + nice;
	}
}

void proc_set_priority(struct task *t, int prio, int nice, int rt_priority, int policy)
{
	t->own_prio = own_priority(nice, rt_priority, policy);
	/* An idle task shows the priority of nice 0, unless it is lent another. */
	t->prio = policy == POLICY_IDLE && prio >= 20 ? PRIO_IDLE : prio;
}

/* Fields of stat from the priority on; @at follows field 17. */
static void parse_priority(const char *at, struct task *t)
{
	int prio, nice, cpu, rt_priority, policy;

	if (sscanf(at,
		   "%d %d %*d %*d %*u %*u %*d %*u %*u %*u %*u %*u %*u %*u %*u %*u %*u %*u %*u %*u %*d %d %d %d",
		   &prio, &nice, &cpu, &rt_priority, &policy) != 5)
		return;
	proc_set_priority(t, prio, nice, rt_priority, policy);
	t->cpu = cpu;
}

/* Fields of stat from the state on; the name before may hold anything. */
static bool parse_stat(const char *buf, struct task *t)
{
	const char *open = strchr(buf, '('), *close = strrchr(buf, ')');
	unsigned long long start, stack;
	unsigned int flags;
	size_t len;
	int ppid, at;

	if (!open || !close || close < open)
		return false;
	if (sscanf(close + 1,
		   " %c %d %*d %*d %*d %*d %u %*u %*u %*u %*u %*u %*u %*d %*d %n%*d %*d %*d %*d %llu %*u %*d %*u %*u %*u %llu",
		   &t->state, &ppid, &flags, &at, &start, &stack) != 5)
		return false;
	parse_priority(close + 1 + at, t);
	len = close - open - 1;
	if (len >= sizeof(t->comm))
		len = sizeof(t->comm) - 1;
	memcpy(t->comm, open + 1, len);
	t->ppid = ppid;
	t->start_ticks = start;
	t->stack_start = stack;
	t->kthread = flags & PF_KTHREAD;
	t->forked = flags & PF_FORKNOEXEC;
	t->exiting = t->state == 'Z' || t->state == 'X' || t->state == 'x';
	t->suspended = t->state == 'T' ? "stopped" : t->state == 't' ? "traced" : NULL;
	return true;
}

void proc_runs(pid_t tgid, pid_t tid, struct task *t)
{
	unsigned long long run_ns, nr_runs;
	char path[PATH_SIZE], buf[128];

	snprintf(path, sizeof(path), "/proc/%d/task/%d/schedstat", tgid, tid);
	if (read_direct(path, buf, sizeof(buf)) <= 0 ||
	    sscanf(buf, "%llu %*u %llu", &run_ns, &nr_runs) != 2)
		return;
	t->run_ns = run_ns;
	t->nr_runs = nr_runs;
}

/* One call, where stat is opened, read and closed; false: cannot be told. */
static bool ask_priority(pid_t tid, struct task *t)
{
	/* As the first version of the kernel's struct sched_attr. */
	struct {
		uint32_t size;
		uint32_t policy;
		uint64_t flags;
		int32_t nice;
		uint32_t rt_priority;
		uint64_t times[3];
	} attr;

	if (syscall(SYS_sched_getattr, tid, &attr, sizeof(attr), 0))
		return false;
	t->own_prio = own_priority(attr.nice, attr.rt_priority, attr.policy);
	t->prio = t->own_prio;
	return true;
}

/*
 * A thread of a crowd, by its row: one that waits for a futex has a state and
 * start time that are known, and the rest is its process's. None of it is for a
 * proof; a priority that it was lent is left out.
 */
static bool add_by_row(struct world *w, pid_t tgid, pid_t tid)
{
	uint64_t tick_ns = 1000000000ULL / sysconf(_SC_CLK_TCK);
	uint32_t nr, leader = world_find_task(w, tgid);
	const struct gl_wait_record *row;
	struct task parsed = { 0 }, *t;
	const uint32_t *rows;

	if (!w->snap || tid == tgid || leader == NO_INDEX || w->tasks[leader].exiting)
		return false;
	rows = snapshot_rows(w->snap, tid, &nr);
	row = nr ? &w->snap->waits[rows[0]] : NULL;
	if (!row || row->tgid != tgid || !alike_told(row) || !ask_priority(tid, &parsed))
		return false;
	t = world_add_task(w, tid, tgid);
	memcpy(t->comm, row->comm, sizeof(t->comm));
	t->start_ticks = row->start_ns / tick_ns;
	t->stack_start = w->tasks[leader].stack_start;
	t->ppid = w->tasks[leader].ppid;
	t->prio = parsed.prio;
	t->own_prio = parsed.own_prio;
	t->state = 'S';
	t->by_row = true;
	return true;
}

void proc_refresh(struct task *t)
{
	struct task parsed = { 0 };
	char path[PATH_SIZE], buf[1024];

	snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", t->tgid, t->tid);
	if (read_direct(path, buf, sizeof(buf)) <= 0 || !parse_stat(buf, &parsed))
		parsed.exiting = true;
	parsed.tid = t->tid;
	parsed.tgid = t->tgid;
	parsed.wait = t->wait;
	*t = parsed;
}

void proc_add_thread(struct world *w, pid_t tgid, pid_t tid)
{
	struct task parsed = { 0 }, *t;
	char path[PATH_SIZE], buf[1024];

	snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", tgid, tid);
	if (read_direct(path, buf, sizeof(buf)) <= 0 || !parse_stat(buf, &parsed))
		return;
	if (parsed.state == 'R')
		proc_runs(tgid, tid, &parsed);
	t = world_add_task(w, tid, tgid);
	parsed.tid = tid;
	parsed.tgid = tgid;
	parsed.wait = NO_INDEX;
	*t = parsed;
}

void proc_add_thread_of(struct world *w, pid_t tgid, pid_t tid, bool crowd)
{
	if (!(crowd && add_by_row(w, tgid, tid)))
		proc_add_thread(w, tgid, tid);
}

static void add_process(struct world *w, pid_t tgid)
{
	char path[PATH_SIZE];
	struct dirent *entry;
	struct stat st;
	bool crowd;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task", tgid);
	dir = opendir(path);
	if (!dir) {
		w->unseen.denied_reads += errno == EACCES || errno == EPERM;
		return;
	}
	crowd = !fstat(dirfd(dir), &st) && st.st_nlink > MANY;
	while ((entry = readdir(dir))) {
		pid_t tid = isdigit((unsigned char)entry->d_name[0]) ? atoi(entry->d_name) : 0;

		if (tid)
			proc_add_thread_of(w, tgid, tid, crowd);
	}
	closedir(dir);
}

void proc_tasks(struct world *w)
{
	pid_t self = getpid();
	struct dirent *entry;
	DIR *dir = opendir("/proc");

	if (!dir) {
		w->unseen.denied_reads++;
		return;
	}
	while ((entry = readdir(dir))) {
		pid_t tgid = isdigit((unsigned char)entry->d_name[0]) ? atoi(entry->d_name) : 0;

		if (tgid && tgid != self && !remote_is_child(w->remote, tgid))
			add_process(w, tgid);
	}
	closedir(dir);
}

/* --- one task --- */

/* Large enough for any symbol's name; what proc_syscall() parses. */
#define WCHAN_SIZE	64
#define SYSCALL_SIZE	256

void proc_wchan_ahead(struct remote *remote, pid_t tgid, pid_t tid)
{
	char path[PATH_SIZE];

	snprintf(path, sizeof(path), "/proc/%d/task/%d/wchan", tgid, tid);
	remote_ahead_file(remote, tgid, path, WCHAN_SIZE);
}

void proc_sleeper_ahead(struct remote *remote, pid_t tgid, pid_t tid)
{
	char path[PATH_SIZE];

	proc_wchan_ahead(remote, tgid, tid);
	snprintf(path, sizeof(path), "/proc/%d/task/%d/syscall", tgid, tid);
	remote_ahead_file(remote, tgid, path, SYSCALL_SIZE);
}

int proc_wchan(struct remote *remote, pid_t tgid, pid_t tid, char *buf, size_t size)
{
	char path[PATH_SIZE];
	ssize_t got;

	buf[0] = '\0';
	snprintf(path, sizeof(path), "/proc/%d/task/%d/wchan", tgid, tid);
	got = remote_read_file(remote, tgid, path, buf, size);
	if (got < 0) {
		buf[0] = '\0';
		return got;
	}
	buf[strcspn(buf, ".\n")] = '\0';
	if (!strcmp(buf, "0"))
		buf[0] = '\0';
	return 0;
}

int proc_syscall(struct remote *remote, const struct task *t, struct proc_syscall *ret)
{
	unsigned long long a[6], sp, pc;
	char path[PATH_SIZE], buf[SYSCALL_SIZE];
	ssize_t got;
	long nr;

	*ret = (struct proc_syscall){ .nr = -1 };
	snprintf(path, sizeof(path), "/proc/%d/task/%d/syscall", t->tgid, t->tid);
	got = remote_read_file(remote, t->tgid, path, buf, sizeof(buf));
	if (got < 0)
		return got;
	if (sscanf(buf, "%ld %llx %llx %llx %llx %llx %llx %llx %llx", &nr, &a[0], &a[1], &a[2],
		   &a[3], &a[4], &a[5], &sp, &pc) != 9)
		return 0;
	ret->nr = proc_is_i386(t) ? proc_i386_call(nr) : nr;
	for (int i = 0; i < 6; i++)
		ret->args[i] = a[i];
	ret->sp = sp;
	ret->pc = pc;
	return 0;
}

/* The numbers of a line "Name:\t1\t2\t3"; returns how many there are. */
static uint32_t parse_numbers(const char *line, pid_t *numbers, uint32_t max)
{
	uint32_t nr = 0;
	char *end;

	for (; nr < max && *line && *line != '\n'; line = end) {
		long next = strtol(line, &end, 10);

		if (end == line)
			break;
		numbers[nr++] = next;
	}
	return nr;
}

static const char *find_line(const char *buf, const char *name)
{
	const char *line = strstr(buf, name);

	return line ? line + strlen(name) : NULL;
}

static uint64_t find_signals(const char *buf, const char *name)
{
	const char *line = find_line(buf, name);

	return line ? strtoull(line, NULL, 16) : 0;
}

void proc_ids_parse(const char *status, pid_t tid, struct proc_ids *ret)
{
	/* The name comes first and is escaped: no line of it looks like another. */
	const char *line = find_line(status, "\nNSpid:");

	*ret = (struct proc_ids){ .numbers = { tid }, .nr_numbers = 1 };
	if (line)
		ret->nr_numbers = parse_numbers(line, ret->numbers, PROC_MAX_NUMBERS);
	ret->ns_tid = ret->nr_numbers ? ret->numbers[ret->nr_numbers - 1] : tid;
	ret->nested = ret->nr_numbers > 1;
	ret->blocked = find_signals(status, "\nSigBlk:");
	ret->ignored = find_signals(status, "\nSigIgn:");
	ret->caught = find_signals(status, "\nSigCgt:");
}

int proc_ids(pid_t tgid, pid_t tid, struct proc_ids *ret)
{
	char path[PATH_SIZE], *buf;
	int err;

	*ret = (struct proc_ids){ .numbers = { tid }, .nr_numbers = 1 };
	snprintf(path, sizeof(path), "/proc/%d/task/%d/status", tgid, tid);
	buf = read_long(path, &err);
	if (!buf)
		return err;
	proc_ids_parse(buf, tid, ret);
	free(buf);
	return 0;
}

pid_t proc_tracer(pid_t tgid, pid_t tid)
{
	char path[PATH_SIZE], buf[4096];
	const char *line;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/status", tgid, tid);
	if (read_direct(path, buf, sizeof(buf)) < 0)
		return -1;
	line = find_line(buf, "\nTracerPid:");
	return line ? strtol(line, NULL, 10) : -1;
}

/* --- timers --- */

static uint64_t signal_bit(int sig)
{
	return 1ULL << (sig - 1);
}

/* Does the timer whose lines start at @at send one of @signals to @tid? */
static bool timer_interrupts(const char *at, pid_t tid, uint64_t signals)
{
	const char *notify = find_line(at, "\nnotify:");
	char how[16], whom[16];
	int sig, target;

	if (!notify || sscanf(at, " %d", &sig) != 1 || sig < 1 || sig > 64)
		return false;
	if (sscanf(notify, " %15[a-z]/%15[a-z].%d", how, whom, &target) != 3)
		return false;
	return signals & signal_bit(sig) && strcmp(how, "none") &&
	       (!strcmp(whom, "pid") || target == tid);
}

/*
 * Is there a timer whose signal is among @signals? /proc does not tell which
 * are armed: one that does something counts, as ending waits is what it is for.
 * 1, 0, or -1: it cannot be told.
 */
static int has_timer(pid_t tgid, pid_t tid, uint64_t signals)
{
	char path[PATH_SIZE], *buf;
	int found = 0, err;
	const char *at;

	snprintf(path, sizeof(path), "/proc/%d/timers", tgid);
	buf = read_long(path, &err);
	if (!buf)
		return err == -ENOENT ? 0 : -1;
	for (at = find_line(buf, "\nsignal:"); at && !found; at = find_line(at, "\nsignal:"))
		found = timer_interrupts(at, tid, signals);
	free(buf);
	return found;
}

/* Signals that do nothing unless they are handled. */
static uint64_t harmless(void)
{
	return signal_bit(SIGCHLD) | signal_bit(SIGCONT) | signal_bit(SIGURG) |
	       signal_bit(SIGWINCH);
}

enum timed proc_timed(pid_t tgid, pid_t tid)
{
	uint64_t interval = signal_bit(SIGALRM) | signal_bit(SIGVTALRM) | signal_bit(SIGPROF);
	struct proc_ids ids;
	uint64_t deadly;
	int timer;

	if (proc_ids(tgid, tid, &ids))
		return TIMED_UNKNOWN;
	/* A signal that ends the process ends its wait too. */
	deadly = ~ids.caught & ~ids.ignored & ~harmless();
	timer = has_timer(tgid, tid, (ids.caught | deadly) & ~ids.blocked);
	if (timer > 0)
		return TIMED_YES;
	return timer < 0 || ids.caught & ~ids.blocked & interval ? TIMED_UNKNOWN : TIMED_NO;
}
