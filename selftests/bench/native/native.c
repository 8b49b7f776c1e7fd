// SPDX-License-Identifier: GPL-2.0
/*
 * native - how long the module's probe path takes for one contention, a begin and its
 * end, on this very processor: the files of the module as they are, with a little of
 * the kernel around them (kernel.h). What the tracepoint itself and finding out the
 * context cost is not in it.
 *
 *	native [PAIRS]		per row; default 2,000,000
 *
 * Prints a table in Markdown: ns of a pair, the timer's own cost taken off. Interrupts,
 * and other machines on this one, are in it: below each row is one of a loop that does
 * nothing but look at the clock, for as long as a pair takes, each thousand of the one
 * in turn with a thousand of the other.
 */
#include <stdio.h>
#include <time.h>

#include "../../../kmod/count.h"
#include "../../../kmod/cpu.h"
#include "../../../kmod/ended.h"
#include "../../../kmod/episode.h"
#include "../../../kmod/event.h"
#include "../../../kmod/form.h"
#include "../../../kmod/group.h"
#include "../../../kmod/owner.h"
#include "../../../kmod/spin.h"
#include "../../../kmod/tell.h"
#include "../../../kmod/turn.h"
#include "../../../kmod/wait.h"

#define FEW		10
#define MANY		64000
#define LOCK(n)		(0xffff888000000000ULL + 64ULL * (n))

/* The longest pair that has a bucket of its own; ticks. */
#define MOST_TICKS	(1 << 20)

/* Pairs in a row, of which the longest is looked at. */
#define WINDOW		1000

/* No probe may hold a task up for so long: the longest pause that Go's collector makes. */
#define LONG_NS		10000

static struct task_struct task = { .start_boottime = 1, .pid = 1, .tgid = 1 };

struct task_struct *current = &task;
struct gl_cpu *gl_cpu_ptr;
struct gl_events gl_events;
u32 gl_nr_rows = GL_DEFAULT_MAX_LOCKS, gl_nr_groups = 16;
u64 tsc_mult;
bool gl_enabled = true, gl_by_owner, gl_grouping, gl_holding, gl_backoffs_on, gl_turns_on;
bool gridlock_wait_end, gridlock_wait_lasts;
unsigned long gl_trace_ns;

void gl_release_end(struct gl_cpu *cpu, struct gl_ended *ended)
{
}

bool gl_owner_is_set(u64 mutex)
{
	return false;
}

void gl_owner_peek(u32 kind, u64 lock, s32 *tid, s32 *tgid)
{
}

void gl_episode_backed_off(u64 lock, s32 owner_tid)
{
}

u8 gl_form_of_waiter(u32 kind)
{
	return GL_FORM_UNKNOWN;
}

void gl_turn_begin(struct gl_slot *slot)
{
}

void gl_turn_end(const struct gl_slot *slot, bool got)
{
}

void gl_group_end(struct gl_cpu *cpu, const struct gl_ended *ended)
{
}

void gl_group_reset(struct gl_cpu *cpu)
{
}

void gl_tell_ended(const struct gl_ended *ended)
{
}

/** struct load - a kind of contention, and how many locks and tasks there are */
struct load {
	const char *name;
	bool sleeps;
	u32 nr_locks, nr_tasks;
	/** @stays: these wait all the while; the one that comes and goes is beside them */
	u32 nr_stay;
};

/** struct times - how long so many pairs took; ticks, without the timer */
struct times {
	u64 nr, sum, most, nr_long;
	/** @hist: pairs by their length */
	u32 hist[MOST_TICKS];
	/** @most_of: [nr_windows] the longest of each WINDOW pairs */
	u64 *most_of;
	u64 nr_windows;
};

static struct times times, idle_times;

static void pair(const struct load *load, u64 lock)
{
	struct gl_cpu *cpu = gl_this_cpu();

	if (!gl_cpu_enter(cpu, GL_LEVEL_TASK))
		abort();
	if (load->sleeps)
		gl_wait_begin(cpu, GL_KIND_MUTEX, lock, 0);
	else
		gl_spin_begin(cpu, GL_LEVEL_TASK, GL_KIND_SPINLOCK, lock);
	gl_cpu_leave(cpu, GL_LEVEL_TASK);
	if (!gl_cpu_enter(cpu, GL_LEVEL_TASK))
		abort();
	if (load->sleeps)
		gl_wait_end(cpu, lock, 0);
	else
		gl_spin_end(cpu, GL_LEVEL_TASK, lock, 0);
	gl_cpu_leave(cpu, GL_LEVEL_TASK);
}

/* Of a pair; without a load, of looking at the clock until @idle_ticks have passed. */
static u64 ticks_of(const struct load *load, u64 lock, u64 idle_ticks)
{
	unsigned int aux;
	u64 start;

	_mm_lfence();
	start = __rdtsc();
	_mm_lfence();
	if (load)
		pair(load, lock);
	else
		while (__rdtsc() - start < idle_ticks)
			;
	return __rdtscp(&aux) - start;
}

static double ns(double ticks)
{
	return ticks * tsc_mult / 4294967296.0;
}

static void scale_clock(void)
{
	struct timespec a, b, rest = { .tv_nsec = 200000000 };
	u64 start, ticks, passed_ns;

	clock_gettime(CLOCK_MONOTONIC, &a);
	start = __rdtsc();
	nanosleep(&rest, NULL);
	clock_gettime(CLOCK_MONOTONIC, &b);
	ticks = __rdtsc() - start;
	passed_ns = (b.tv_sec - a.tv_sec) * 1000000000LL + b.tv_nsec - a.tv_nsec;
	tsc_mult = ((__uint128_t)passed_ns << 32) / ticks;
}

/* The least that timing nothing takes. */
static u64 cost_of_timer(void)
{
	u64 least = ~0ULL;

	for (int i = 0; i < 100000; i++) {
		u64 ticks = ticks_of(NULL, 0, 0);

		if (ticks < least)
			least = ticks;
	}
	return least;
}

static void add(struct times *t, u64 ticks, u64 *most_of)
{
	t->nr++;
	t->sum += ticks;
	t->hist[ticks < MOST_TICKS ? ticks : MOST_TICKS - 1]++;
	t->nr_long += ns(ticks) > LONG_NS;
	if (ticks > t->most)
		t->most = ticks;
	if (ticks > *most_of)
		*most_of = ticks;
}

/* Ticks that so many of the pairs do not exceed. */
static u64 quantile(const struct times *t, double part)
{
	u64 seen = 0, want = part * t->nr;
	u32 i;

	for (i = 0; i < MOST_TICKS - 1 && seen + t->hist[i] <= want; i++)
		seen += t->hist[i];
	return i;
}

static int compare(const void *a, const void *b)
{
	const u64 *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static void print(const char *name, struct times *t)
{
	qsort(t->most_of, t->nr_windows, sizeof(*t->most_of), compare);
	printf("| %s | %.0f | %.0f | %.0f | %.0f | %.0f | %.0f | %.1f |\n", name,
	       ns((double)t->sum / t->nr), ns(quantile(t, 0.5)), ns(quantile(t, 0.99)),
	       ns(quantile(t, 0.999)), ns(t->most_of[t->nr_windows / 2]), ns(t->most),
	       t->nr_long * 1e6 / t->nr);
}

static void reset(struct times *t, u64 nr_windows)
{
	free(t->most_of);
	*t = (struct times){
		.nr_windows = nr_windows, .most_of = calloc(nr_windows, sizeof(*t->most_of)),
	};
	if (!t->most_of)
		abort();
}

static void begin_others(u32 nr)
{
	for (u32 i = 0; i < nr; i++) {
		struct task_struct *other = calloc(1, sizeof(*other));

		*other = (struct task_struct){ .start_boottime = i + 2, .pid = i + 2 };
		current = other;
		gl_wait_begin(gl_this_cpu(), GL_KIND_MUTEX, LOCK(0), 0);
	}
	current = &task;
}

static void measure(const struct load *load, u64 nr)
{
	u64 timer = cost_of_timer(), idle_ticks, i = 0;

	reset(&times, nr / WINDOW);
	reset(&idle_times, nr / WINDOW);
	begin_others(load->nr_stay);
	for (u64 warm = 0; warm < nr / 10; warm++)
		add(&times, ticks_of(load, LOCK(warm % load->nr_locks), 0), times.most_of);
	idle_ticks = quantile(&times, 0.5);
	reset(&times, nr / WINDOW);
	for (u64 w = 0; w < nr / WINDOW; w++) {
		for (u64 end = i + WINDOW; i < end; i++) {
			u64 ticks = ticks_of(load, LOCK(i * 7919 % load->nr_locks), 0);

			add(&times, ticks > timer ? ticks - timer : 0, &times.most_of[w]);
		}
		for (u32 n = 0; n < WINDOW; n++) {
			u64 ticks = ticks_of(NULL, 0, idle_ticks);

			add(&idle_times, ticks > timer ? ticks - timer : 0, &idle_times.most_of[w]);
		}
	}
	print(load->name, &times);
	print("nothing, for as long", &idle_times);
}

/* Everything as after loading the module. */
static void renew(void)
{
	if (gl_waits.slots)
		gl_waittab_exit(&gl_waits);
	free(gl_cpu_ptr);
	gl_cpu_ptr = vzalloc(sizeof(*gl_cpu_ptr));
	gl_cpu_ptr->tag = vzalloc(gl_nr_rows);
	gl_cpu_ptr->row = vzalloc(gl_nr_rows * sizeof(*gl_cpu_ptr->row));
	if (gl_waittab_init(&gl_waits, GL_DEFAULT_MAX_WAITS))
		abort();
}

int main(int argc, char **argv)
{
	static const struct load loads[] = {
		{ "spin, 10 locks", .nr_locks = FEW },
		{ "spin, 64,000 locks", .nr_locks = MANY },
		{ "sleep, 10 locks", .sleeps = true, .nr_locks = FEW },
		{ "sleep, 64,000 locks", .sleeps = true, .nr_locks = MANY },
		{ "sleep, 10,000 others wait", .sleeps = true, .nr_locks = FEW, .nr_stay = 10000 },
	};
	u64 nr = argc > 1 ? strtoull(argv[1], NULL, 10) : 2000000;

	if (nr < 10 * WINDOW)
		nr = 10 * WINDOW;

	scale_clock();
	puts("| ns of a contention | mean | p50 | p99 | p99.9 | max of 1000 | max | >10us, ppm |\n"
	     "|---|---|---|---|---|---|---|---|");
	for (size_t i = 0; i < ARRAY_SIZE(loads); i++) {
		renew();
		measure(&loads[i], nr);
	}
	return gl_events.nr[GL_EVENT_LOST_NO_SLOT] ? 1 : 0;
}
