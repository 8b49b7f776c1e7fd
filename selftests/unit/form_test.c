// SPDX-License-Identifier: GPL-2.0
/*
 * form_test - what type of lock a stack tells of: the module's file, compiled as it is,
 * with a kernel around it whose functions and stacks are made up.
 */
#include <stdio.h>
#include <string.h>

#include "kselftest_harness.h"
#include "kernel/kernel.h"

#define CONFIG_X86_64		1
#define KSYM_SYMBOL_LEN		128
#define THIS_MODULE		NULL
#define IS_ENABLED(CONFIG_x)	is_enabled(#CONFIG_x)
#define __init
#define __ro_after_init

/* The kernel's functions: a name, and how far from mutex_unlock() it begins. */
struct function_there {
	long start;
	const char *name;
};

/* Where each one that is called by a call of its address returns to. */
struct call_there {
	unsigned long returns_to;
	const char *callee;
	unsigned char opcode;
};

static const struct function_there *text;
static size_t nr_text;
static const struct call_there *calls;
static size_t nr_calls;
static unsigned long stack[16];
static size_t nr_stack, nr_walks;
static bool rt, watching = true;

void kernel_step(void)
{
}

void mutex_unlock(void *lock)
{
}

#define MIDDLE		((unsigned long)mutex_unlock)
/* The last function is that long, and so is what lies below the first. */
#define LENGTH		256
#define OWN_CODE	0x1000UL

static bool is_enabled(const char *option)
{
	return rt && !strcmp(option, "CONFIG_PREEMPT_RT");
}

static bool rcu_is_watching(void)
{
	return watching;
}

static bool within_module_core(unsigned long address, void *module)
{
	return address >= OWN_CODE && address < OWN_CODE + 0x100;
}

static unsigned int stack_trace_save(unsigned long *frames, unsigned int most, unsigned int skip)
{
	nr_walks++;
	for (size_t i = 0; i < nr_stack && i < most; i++)
		frames[i] = stack[i];
	return nr_stack < most ? nr_stack : most;
}

static bool str_has_prefix(const char *string, const char *prefix)
{
	return !strncmp(string, prefix, strlen(prefix));
}

static int sprint_symbol(char *buffer, unsigned long address)
{
	for (size_t i = 0; i < nr_text; i++) {
		unsigned long start = MIDDLE + text[i].start;
		unsigned long end = i + 1 < nr_text ? MIDDLE + text[i + 1].start : start + LENGTH;

		if (address >= start && address < end)
			return sprintf(buffer, "%s+0x%lx/0x%lx", text[i].name, address - start,
				       end - start);
	}
	return sprintf(buffer, "0x%lx", address);
}

/* An address in a function, as a call from there would return to. */
static unsigned long in(const char *name)
{
	for (size_t i = 0; i < nr_text; i++)
		if (!strcmp(text[i].name, name))
			return MIDDLE + text[i].start + 16;
	return 0;
}

static long copy_from_kernel_nofault(void *to, const void *from, size_t size)
{
	unsigned long returns_to = (unsigned long)from + size;
	unsigned char *code = to;

	memset(code, 0x90, size);
	for (size_t i = 0; i < nr_calls; i++) {
		int distance = in(calls[i].callee) - 16 - returns_to;

		if (calls[i].returns_to != returns_to)
			continue;
		code[0] = calls[i].opcode;
		memcpy(&code[1], &distance, sizeof(distance));
	}
	return 0;
}

#include "../../kmod/form.c"

/* As 6.12 has them. */
static const struct function_there plain[] = {
	{ 0, "mutex_unlock" }, { 0x110, "__mutex_lock.constprop.0" },
	{ 0x7e0, "__mutex_lock_slowpath" }, { 0x800, "mutex_lock" },
	{ 0x980, "__ww_mutex_lock.constprop.0" }, { 0x1380, "ww_mutex_lock" },
	{ 0x20000, "__traceiter_contention_begin" },
};

/* As 6.12-rt has them; this one's rwlock_t has them inlined. */
static const struct function_there on_rt[] = {
	{ -0x1070, "__rwbase_read_lock" }, { -0xed0, "down_read" },
	{ -0x100, "rt_mutex_slowlock.constprop.0" }, { 0, "mutex_unlock" },
	{ 0x20, "mutex_lock" }, { 0x110, "rt_mutex_lock" },
	{ 0x2160, "rtlock_slowlock_locked" }, { 0x2dd0, "rt_spin_lock" },
	{ 0x2ee0, "rt_read_lock" }, { 0x3f20, "__ww_rt_mutex_lock.constprop.0" },
	{ 0x20000, "rtnl_lock" }, { 0x20100, "caller" },
	{ 0x20200, "__rt_mutex_slowlock_locked.constprop.0" }, { 0x20300, "driver" },
};

/* As it were if it were not. */
static const struct function_there twice[] = {
	{ -0x1070, "__rwbase_read_lock" }, { -0xed0, "down_read" }, { 0, "mutex_unlock" },
	{ 0x2000, "__rwbase_read_lock" }, { 0x2ee0, "rt_read_lock" }, { 0x20100, "caller" },
};

#define KERNEL(functions)	set_kernel(functions, ARRAY_SIZE(functions), false)
#define RT_KERNEL(functions)	set_kernel(functions, ARRAY_SIZE(functions), true)

static void set_kernel(const struct function_there *functions, size_t nr, bool is_rt)
{
	text = functions;
	nr_text = nr;
	rt = is_rt;
	gl_form_init();
}

/* Innermost first, behind two frames of the module; NULL ends them. */
#define STACK(...)	set_stack((const char *[]){ __VA_ARGS__, NULL })

static void set_stack(const char *const *names)
{
	nr_stack = 0;
	stack[nr_stack++] = OWN_CODE + 1;
	stack[nr_stack++] = OWN_CODE + 2;
	while (*names)
		stack[nr_stack++] = in(*names++);
}

TEST(a_ww_mutex_is_told_from_a_mutex)
{
	KERNEL(plain);
	STACK("__ww_mutex_lock.constprop.0");
	EXPECT_EQ(GL_FORM_WW_MUTEX, gl_form_of_waiter(GL_KIND_MUTEX));
	STACK("__traceiter_contention_begin", "__ww_mutex_lock.constprop.0");
	EXPECT_EQ(GL_FORM_WW_MUTEX, gl_form_of_waiter(GL_KIND_MUTEX));
	STACK("__mutex_lock.constprop.0");
	EXPECT_EQ(GL_FORM_MUTEX, gl_form_of_waiter(GL_KIND_MUTEX));
	EXPECT_TRUE(gl_form_is_told(GL_FORM_WW_MUTEX) && gl_form_is_told(GL_FORM_MUTEX));
	EXPECT_FALSE(gl_form_is_told(GL_FORM_RWSEM));
}

TEST(what_is_far_up_on_the_stack_says_nothing)
{
	KERNEL(plain);
	STACK("mutex_unlock", "mutex_unlock", "mutex_unlock", "__ww_mutex_lock.constprop.0");
	EXPECT_EQ(GL_FORM_WW_MUTEX, gl_form_of_waiter(GL_KIND_MUTEX));
	STACK("mutex_unlock", "mutex_unlock", "mutex_unlock", "mutex_unlock",
	      "__ww_mutex_lock.constprop.0");
	EXPECT_EQ(GL_FORM_UNKNOWN, gl_form_of_waiter(GL_KIND_MUTEX));
}

TEST(nobody_looks_where_the_kind_tells)
{
	KERNEL(plain);
	STACK("__ww_mutex_lock.constprop.0");
	EXPECT_EQ(GL_FORM_UNKNOWN, gl_form_of_waiter(GL_KIND_SPINLOCK));
	EXPECT_EQ(GL_FORM_UNKNOWN, gl_form_of_waiter(GL_KIND_RTMUTEX));
	EXPECT_EQ(0, nr_walks);
}

TEST(nobody_looks_where_rcu_does_not)
{
	KERNEL(plain);
	STACK("__ww_mutex_lock.constprop.0");
	watching = false;
	EXPECT_EQ(GL_FORM_UNKNOWN, gl_form_of_waiter(GL_KIND_MUTEX));
	EXPECT_EQ(0, nr_walks);
}

TEST(who_jumped_is_told_by_who_was_called)
{
	RT_KERNEL(on_rt);
	STACK("__rt_mutex_slowlock_locked.constprop.0", "rt_mutex_slowlock.constprop.0", "caller");
	struct call_there one = { in("caller"), "mutex_lock", CALL_OPCODE };

	EXPECT_EQ(GL_FORM_UNKNOWN, gl_form_of_waiter(GL_KIND_RTMUTEX));
	calls = &one;
	nr_calls = 1;
	EXPECT_EQ(GL_FORM_MUTEX, gl_form_of_waiter(GL_KIND_RTMUTEX));
	one.callee = "rt_mutex_lock";
	EXPECT_EQ(GL_FORM_RT_MUTEX, gl_form_of_waiter(GL_KIND_RTMUTEX));
	one.opcode++;
	EXPECT_EQ(GL_FORM_UNKNOWN, gl_form_of_waiter(GL_KIND_RTMUTEX));
}

/* It jumped to mutex_lock(), or called what waits for both. */
TEST(who_was_called_in_between_does_not_tell)
{
	RT_KERNEL(on_rt);
	struct call_there two[] = {
		{ in("caller"), "rtnl_lock", CALL_OPCODE },
		{ in("driver"), "mutex_lock", CALL_OPCODE },
	};

	calls = two;
	nr_calls = 2;
	STACK("rt_mutex_slowlock.constprop.0", "caller", "driver");
	EXPECT_EQ(GL_FORM_UNKNOWN, gl_form_of_waiter(GL_KIND_RTMUTEX));
	two[0].callee = "rt_mutex_slowlock.constprop.0";
	EXPECT_EQ(GL_FORM_UNKNOWN, gl_form_of_waiter(GL_KIND_RTMUTEX));
	two[0].callee = "rt_mutex_lock";
	EXPECT_EQ(GL_FORM_RT_MUTEX, gl_form_of_waiter(GL_KIND_RTMUTEX));
}

TEST(who_called_is_told_by_its_frame)
{
	RT_KERNEL(on_rt);
	STACK("rt_mutex_slowlock.constprop.0", "mutex_lock", "caller");
	EXPECT_EQ(GL_FORM_MUTEX, gl_form_of_waiter(GL_KIND_RTMUTEX));
	STACK("rtlock_slowlock_locked", "rt_spin_lock", "caller");
	EXPECT_EQ(GL_FORM_SPINLOCK, gl_form_of_waiter(GL_KIND_RTMUTEX));
	STACK("rtlock_slowlock_locked", "rt_read_lock", "caller");
	EXPECT_EQ(GL_FORM_RWLOCK, gl_form_of_waiter(GL_KIND_RTMUTEX));
	STACK("__rt_mutex_slowlock_locked.constprop.0", "__ww_rt_mutex_lock.constprop.0");
	EXPECT_EQ(GL_FORM_WW_MUTEX, gl_form_of_waiter(GL_KIND_RTMUTEX));
	STACK("rtlock_slowlock_locked");
	EXPECT_EQ(GL_FORM_UNKNOWN, gl_form_of_waiter(GL_KIND_RTMUTEX));
}

TEST(one_function_of_a_name_tells)
{
	RT_KERNEL(on_rt);
	STACK("__rwbase_read_lock", "caller");
	EXPECT_EQ(GL_FORM_RWSEM, gl_form_of_waiter(GL_KIND_RWLOCK_RT_R));
}

TEST(of_two_functions_of_one_name_the_caller_tells)
{
	RT_KERNEL(twice);
	STACK("__rwbase_read_lock", "caller");
	EXPECT_EQ(GL_FORM_UNKNOWN, gl_form_of_waiter(GL_KIND_RWLOCK_RT_R));
	STACK("__rwbase_read_lock", "rt_read_lock");
	EXPECT_EQ(GL_FORM_RWLOCK, gl_form_of_waiter(GL_KIND_RWLOCK_RT_R));
	STACK("__rwbase_read_lock", "down_read");
	EXPECT_EQ(GL_FORM_RWSEM, gl_form_of_waiter(GL_KIND_RWLOCK_RT_R));
}

/* None of ours is there: no row has a form, and `coverage` says so. */
TEST(functions_elsewhere_are_not_found)
{
	static const struct function_there far[] = {
		{ 0, "mutex_unlock" }, { 0x10, "x" }, { 0x20000, "__ww_mutex_lock.constprop.0" },
	};

	KERNEL(far);
	STACK("__ww_mutex_lock.constprop.0");
	EXPECT_EQ(GL_FORM_UNKNOWN, gl_form_of_waiter(GL_KIND_MUTEX));
	EXPECT_FALSE(gl_form_is_told(GL_FORM_WW_MUTEX));
	EXPECT_EQ(0, nr_walks);
}

TEST_HARNESS_MAIN
