/* SPDX-License-Identifier: GPL-2.0 */
/*
 * kernel - as much of the kernel, in user space, as the module's tables of waits and
 * holders need: their files are compiled as they are, with linux/ beside this one.
 */
#ifndef KERNEL_H
#define KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int32_t s32;
typedef int64_t s64;

#define notrace
#define likely(x)	(x)
#define unlikely(x)	(x)
/* The race is the kernel checker's business. */
#define data_race(x)	(x)
#ifndef __always_inline
#define __always_inline	inline __attribute__((always_inline))
#endif
#ifndef __aligned
#define __aligned(x)	__attribute__((aligned(x)))
#endif
#ifndef static_assert
#define static_assert	_Static_assert
#endif

/* Before each look at shared memory: a test lets other threads go first there. */
void kernel_step(void);

#define READ_ONCE(x)	(kernel_step(), __atomic_load_n(&(x), __ATOMIC_RELAXED))
#define WRITE_ONCE(x, value)	__atomic_store_n(&(x), value, __ATOMIC_RELAXED)
#define cpu_relax()	kernel_step()
/* Orders reads, and more than the kernel promises. */
#define smp_rmb()	__atomic_thread_fence(__ATOMIC_ACQUIRE)
/* Orders writes, and more than that. */
#define smp_wmb()	__atomic_thread_fence(__ATOMIC_RELEASE)

/** struct atomic64 - what the kernel calls atomic64_t */
struct atomic64 {
	s64 counter;
};

#define atomic64_t	struct atomic64

static inline s64 atomic64_read(const atomic64_t *v)
{
	kernel_step();
	return __atomic_load_n(&v->counter, __ATOMIC_RELAXED);
}

static inline s64 atomic64_read_acquire(const atomic64_t *v)
{
	kernel_step();
	return __atomic_load_n(&v->counter, __ATOMIC_ACQUIRE);
}

static inline void atomic64_set(atomic64_t *v, s64 value)
{
	kernel_step();
	__atomic_store_n(&v->counter, value, __ATOMIC_RELAXED);
}

static inline void atomic64_set_release(atomic64_t *v, s64 value)
{
	kernel_step();
	__atomic_store_n(&v->counter, value, __ATOMIC_RELEASE);
}

static inline s64 atomic64_cmpxchg(atomic64_t *v, s64 old, s64 new)
{
	kernel_step();
	__atomic_compare_exchange_n(&v->counter, &old, new, false, __ATOMIC_SEQ_CST,
				    __ATOMIC_RELAXED);
	return old;
}

static inline s64 atomic64_xchg(atomic64_t *v, s64 value)
{
	kernel_step();
	return __atomic_exchange_n(&v->counter, value, __ATOMIC_SEQ_CST);
}

static inline s64 atomic64_inc_return(atomic64_t *v)
{
	kernel_step();
	return __atomic_add_fetch(&v->counter, 1, __ATOMIC_SEQ_CST);
}

static inline void atomic64_inc(atomic64_t *v)
{
	kernel_step();
	__atomic_add_fetch(&v->counter, 1, __ATOMIC_RELAXED);
}

static inline void atomic64_dec(atomic64_t *v)
{
	kernel_step();
	__atomic_sub_fetch(&v->counter, 1, __ATOMIC_RELAXED);
}

/** struct atomic32 - what the kernel calls atomic_t */
struct atomic32 {
	int counter;
};

#define atomic_t	struct atomic32

static inline int atomic_read(const atomic_t *v)
{
	kernel_step();
	return __atomic_load_n(&v->counter, __ATOMIC_RELAXED);
}

static inline int atomic_cmpxchg_acquire(atomic_t *v, int old, int new)
{
	kernel_step();
	__atomic_compare_exchange_n(&v->counter, &old, new, false, __ATOMIC_ACQUIRE,
				    __ATOMIC_RELAXED);
	return old;
}

static inline void atomic_set_release(atomic_t *v, int value)
{
	kernel_step();
	__atomic_store_n(&v->counter, value, __ATOMIC_RELEASE);
}

#define min_t(type, x, y)	((type)(x) < (type)(y) ? (type)(x) : (type)(y))
#define max_t(type, x, y)	((type)(x) > (type)(y) ? (type)(x) : (type)(y))
#define DIV_ROUND_UP(n, d)	(((n) + (d) - 1) / (d))

static inline u32 ilog2(u32 n)
{
	return 31 - __builtin_clz(n);
}

static inline u32 roundup_pow_of_two(u32 n)
{
	return n <= 1 ? 1 : 1U << (ilog2(n - 1) + 1);
}

/* Multiplication by the golden ratio, as the kernel hashes on 64 bits. */
static inline u32 hash_64(u64 value, u32 bits)
{
	return value * 0x61C8864680B583EBull >> (64 - bits);
}

static inline size_t array_size(size_t nr, size_t size)
{
	return nr * size;
}

/* The kernel gives whole pages, and so whole cache lines. */
static inline void *vzalloc(size_t size)
{
	void *memory = aligned_alloc(64, size);

	return memory ? __builtin_memset(memory, 0, size) : NULL;
}

static inline void vfree(const void *memory)
{
	free((void *)memory);
}

/* The same each time, so that a test that fails does so again. */
static inline u64 get_random_u64(void)
{
	return 0x5bd1e995;
}

#endif /* KERNEL_H */
