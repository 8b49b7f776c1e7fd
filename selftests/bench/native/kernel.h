/* SPDX-License-Identifier: GPL-2.0 */
/*
 * kernel - as much of the kernel, in user space, as the module's probe path needs:
 * its files are compiled as they are. There is one CPU and one task; no interrupt
 * comes. local_t and per-CPU variables are single instructions here as there, and
 * the clock is the processor's counter, scaled, as the kernel's own fast one is.
 */
#ifndef BENCH_NATIVE_KERNEL_H
#define BENCH_NATIVE_KERNEL_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <x86intrin.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int32_t s32;
typedef int64_t s64;
typedef u64 __le64;
typedef u8 __u8;
typedef u16 __u16;
typedef u32 __u32;
typedef u64 __u64;
typedef s32 __s32;

#define U8_MAX			0xff
#define notrace
#define noinline		__attribute__((noinline))
#define __uninitialized		__attribute__((uninitialized))
#define __percpu
#define ARRAY_SIZE(x)		(sizeof(x) / sizeof((x)[0]))
#define likely(x)		__builtin_expect(!!(x), 1)
#define unlikely(x)		__builtin_expect(!!(x), 0)
/* There is no other thread. */
#define data_race(x)		(x)
#undef __always_inline
#define __always_inline		inline __attribute__((always_inline))
#define __aligned(x)		__attribute__((aligned(x)))
#define static_assert		_Static_assert
#define IS_ENABLED(CONFIG_x)	0
#define READ_ONCE(x)		(*(const volatile typeof(x) *)&(x))
#define WRITE_ONCE(x, value)	(*(volatile typeof(x) *)&(x) = (value))
#define barrier()		__asm__ volatile("" ::: "memory")
#define smp_rmb()		barrier()	/* x86 orders reads itself */
#define smp_wmb()		barrier()	/* and writes */
#define memset			__builtin_memset
#define le64_to_cpu(x)		(x)
#define min_t(type, x, y)	((type)(x) < (type)(y) ? (type)(x) : (type)(y))
#define max_t(type, x, y)	((type)(x) > (type)(y) ? (type)(x) : (type)(y))
#define DIV_ROUND_UP(n, d)	(((n) + (d) - 1) / (d))
#define __ffs64(x)		((u32)__builtin_ctzll(x))
#define ilog2(x)		((u32)(63 - __builtin_clzll(x)))

/* --- atomics; x86 orders loads and stores well enough --- */

/** struct atomic64 - what the kernel calls atomic64_t */
struct atomic64 {
	s64 counter;
};

#define atomic64_t			struct atomic64
#define atomic64_read(v)		READ_ONCE((v)->counter)
#define atomic64_read_acquire(v)	__atomic_load_n(&(v)->counter, __ATOMIC_ACQUIRE)
#define atomic64_set(v, n)		WRITE_ONCE((v)->counter, n)
#define atomic64_set_release(v, n)	__atomic_store_n(&(v)->counter, n, __ATOMIC_RELEASE)
#define atomic64_cmpxchg(v, old, new)	__sync_val_compare_and_swap(&(v)->counter, old, new)
#define atomic64_inc_return(v)		__sync_add_and_fetch(&(v)->counter, 1)
#define atomic64_inc(v)			((void)__sync_add_and_fetch(&(v)->counter, 1))
#define atomic64_dec(v)			((void)__sync_sub_and_fetch(&(v)->counter, 1))

/** struct atomic32 - what the kernel calls atomic_t */
struct atomic32 {
	int counter;
};

#define atomic_t			struct atomic32
#define ATOMIC_INIT(n)			{ n }
#define atomic_read(v)			READ_ONCE((v)->counter)
#define atomic_inc(v)			((void)__sync_add_and_fetch(&(v)->counter, 1))
#define atomic_dec(v)			((void)__sync_sub_and_fetch(&(v)->counter, 1))
#define atomic_xchg(v, n)		__sync_lock_test_and_set((int *)(v), n)

/** struct local - what the kernel calls local_t: no lock prefix */
struct local {
	long counter;
};

#define local_t		struct local
#define local_read(l)	READ_ONCE((l)->counter)
#define local_set(l, n)	WRITE_ONCE((l)->counter, n)

static __always_inline void local_add(long n, local_t *l)
{
	__asm__ volatile("addq %1, %0" : "+m"(l->counter) : "er"(n) : "memory");
}

static __always_inline long local_cmpxchg(local_t *l, long old, long new)
{
	__asm__ volatile("cmpxchgq %2, %1" : "+a"(old), "+m"(l->counter) : "r"(new) : "memory");
	return old;
}

static __always_inline long local_inc_return(local_t *l)
{
	long n = 1;

	__asm__ volatile("xaddq %0, %1" : "+r"(n), "+m"(l->counter) : : "memory");
	return n + 1;
}

#define local_inc(l)	local_add(1, l)
#define local_sub(n, l)	local_add(-(n), l)

static inline long local_xchg(local_t *l, long n)
{
	long old = l->counter;

	l->counter = n;
	return old;
}

/* Of any size; with a lock prefix, which the kernel's has not: it is rare. */
#define cmpxchg_local(p, old, new)	__sync_val_compare_and_swap(p, old, new)

/* --- one CPU, one task --- */

/** struct task_struct - what the probes read of it */
struct task_struct {
	u64 start_boottime;
	s32 pid, tgid;
	void *mm;
};

extern struct task_struct *current;

#define DECLARE_PER_CPU(type, name)	extern type name
#define DEFINE_PER_CPU(type, name)	type name
#define __this_cpu_read(name)		(name)
#define this_cpu_inc(name)		this_cpu_add(name, 1)
#define this_cpu_add(name, n)		\
	__asm__ volatile("addq %1, %0" : "+m"(name) : "er"((unsigned long)(n)) : "memory")
#define per_cpu(name, nr)		(*((void)(nr), &(name)))
#define for_each_possible_cpu(nr)	for ((nr) = 0; (nr) < 1; (nr)++)
#define cpu_online(nr)			true
#define cpu_possible(nr)		true
#define nr_cpu_ids			1U
#define PID_MAX_LIMIT			(1 << 22)
#define in_nmi()			0
#define in_hardirq()			0
#define in_serving_softirq()		0

/* --- what the probe path has, and is switched off or out of reach here --- */

#define DECLARE_STATIC_KEY_FALSE(name)	extern bool name
#define static_branch_unlikely(key)	unlikely(*(key))
#define DECLARE_TRACEPOINT(name)	extern bool name
#define tracepoint_enabled(name)	unlikely(name)
#define WARN_ON_ONCE(x)			((void)(x))
#define lockdep_assert_held(x)		((void)(x))
#define stop_machine(fn, arg, cpus)	(fn)(arg)
#define cpu_online_mask			NULL

/** struct mutex - for readers, of which there are none */
struct mutex {
	int unused;
};

#define DEFINE_MUTEX(name)	struct mutex name
#define mutex_unlock(m)		((void)(m))

static inline int mutex_lock_killable(struct mutex *m)
{
	(void)m;
	return 0;
}

/* --- memory, hashes, the clock --- */

static inline u32 hash_64(u64 value, u32 bits)
{
	return value * 0x61C8864680B583EBull >> (64 - bits);
}

static inline u32 hash_ptr(const void *p, u32 bits)
{
	return hash_64((u64)(uintptr_t)p, bits);
}

static inline u32 roundup_pow_of_two(u32 n)
{
	return n <= 1 ? 1 : 1U << (ilog2(n - 1) + 1);
}

static inline size_t array_size(size_t nr, size_t size)
{
	return nr * size;
}

static inline void *vzalloc(size_t size)
{
	void *memory = aligned_alloc(64, (size + 63) & ~63ULL);

	return memory ? __builtin_memset(memory, 0, size) : NULL;
}

static inline void vfree(const void *memory)
{
	free((void *)memory);
}

static inline u64 get_random_u64(void)
{
	return 0x5bd1e995;
}

/* Scaled by the bench: ns = ticks * tsc_mult >> 32 */
extern u64 tsc_mult;

static __always_inline u64 ktime_get_mono_fast_ns(void)
{
	return (__uint128_t)__rdtsc() * tsc_mult >> 32;
}

#endif /* BENCH_NATIVE_KERNEL_H */
