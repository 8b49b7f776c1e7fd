// SPDX-License-Identifier: GPL-2.0
/*
 * form - tells by a waiter's stack what type of lock it waits for.
 *
 * The tracepoints' flags do not tell it, the functions that wait do. Most of
 * them are static, and the compiler makes of them what it likes: so they are
 * looked for by name when the module is loaded, among the functions around one
 * that is exported, and a probe then only compares addresses.
 *
 * mutex_lock() and rt_mutex_lock() of PREEMPT_RT end by a jump into one function
 * for both, and are not on the stack. But whoever called them is, and the call
 * says whom it called. Where that is neither, as with rtnl_lock(), which ends by a
 * jump to mutex_lock(), the form stays unknown.
 */
#include "form.h"

#include <linux/build_bug.h>
#include <linux/cache.h>
#include <linux/init.h>
#include <linux/kallsyms.h>
#include <linux/kernel.h>
#include <linux/minmax.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>
#include <linux/stacktrace.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "limits.h"
#include "uapi/gridlock.h"

/* A function that waits for locks of several forms: who called it is of one. */
#define FORM_OF_CALLER	GL_NR_FORMS

/* The opcode of a call that has its target in it, and its length. */
#define CALL_OPCODE	0xe8
#define CALL_BYTES	5

/** struct rule - what functions are called that wait for locks of one form */
struct rule {
	/** @prefix: how their names begin */
	const char *prefix;
	/** @form: GL_FORM_*, or FORM_OF_CALLER */
	u32 form;
	/** @alone: of two functions of that name each may be for another form */
	bool alone;
};

/*
 * The first that fits counts. rwlock_t and rw_semaphore of PREEMPT_RT are made from
 * one source file: the compiler may leave each one of these functions, or inline them.
 */
static const struct rule rules[] = {
	{ "__ww_mutex_lock",	GL_FORM_WW_MUTEX },
	{ "__ww_rt_mutex_lock",	GL_FORM_WW_MUTEX },
	{ "ww_mutex_lock",	GL_FORM_WW_MUTEX },
	{ "__mutex_lock",	GL_FORM_MUTEX },
	{ "_mutex_lock",	GL_FORM_MUTEX },
	{ "mutex_lock",		GL_FORM_MUTEX },
	{ "rt_mutex_lock",	GL_FORM_RT_MUTEX },
	{ "_rt_mutex_lock",	GL_FORM_RT_MUTEX },
	{ "rt_mutex_slowlock",	FORM_OF_CALLER },
	{ "__rt_mutex_slowlock", FORM_OF_CALLER },
	{ "__rt_mutex_lock",	FORM_OF_CALLER },
	{ "rtlock_slowlock",	FORM_OF_CALLER },
	{ "rt_spin_lock",	GL_FORM_SPINLOCK },
	{ "rt_read_lock",	GL_FORM_RWLOCK },
	{ "rt_write_lock",	GL_FORM_RWLOCK },
	{ "down_read",		GL_FORM_RWSEM },
	{ "down_write",		GL_FORM_RWSEM },
	{ "_down_write",	GL_FORM_RWSEM },
	{ "__rwbase_read_lock",	GL_FORM_RWSEM, true },
	{ "rwbase_read_lock",	GL_FORM_RWSEM, true },
	{ "rwbase_write_lock",	GL_FORM_RWSEM, true },
};

/** struct function - one that was found, by its addresses */
struct function {
	/** @start: where it begins */
	unsigned long start;
	/** @end: the first address behind it */
	unsigned long end;
	/** @rule: index of the rule that it fits */
	u32 rule;
};

/* Written by gl_form_init() alone, before any probe. */
static struct function functions[GL_FORM_FUNCTIONS] __ro_after_init;
static u32 nr_functions __ro_after_init;
static u32 nr_by_rule[ARRAY_SIZE(rules)] __ro_after_init;

static __always_inline u32 form_by_rule(u32 n)
{
	return rules[n].alone && nr_by_rule[n] > 1 ? FORM_OF_CALLER : rules[n].form;
}

/* The form of the function that an address is in; GL_FORM_UNKNOWN: none of ours. */
static __always_inline u32 form_at(unsigned long address)
{
	u32 n;

	for (n = 0; n < nr_functions; n++)
		if (address >= functions[n].start && address < functions[n].end)
			return form_by_rule(functions[n].rule);
	return GL_FORM_UNKNOWN;
}

/* The function that was called from before a return address; 0: not by its address. */
static __always_inline unsigned long callee_of(unsigned long return_address)
{
#ifdef CONFIG_X86_64
	u8 call[CALL_BYTES];
	s32 distance;

	if (copy_from_kernel_nofault(call, (void *)(return_address - CALL_BYTES), CALL_BYTES) ||
	    call[0] != CALL_OPCODE)
		return 0;
	memcpy(&distance, &call[1], sizeof(distance));
	return return_address + distance;
#else
	return 0;
#endif
}

/*
 * The form that return addresses tell of, innermost first. What waits is among the
 * first few, behind the tracepoint's own; what is called from there on says nothing.
 */
static __always_inline u32 form_of_stack(const unsigned long *frames, u32 nr)
{
	u32 form = GL_FORM_UNKNOWN, n;

	for (n = 0; n < nr && n < GL_FORM_NEAR && form == GL_FORM_UNKNOWN; n++)
		form = form_at(frames[n] - 1);
	for (; n < nr && form == FORM_OF_CALLER; n++) {
		form = form_at(frames[n] - 1);
		if (form != GL_FORM_UNKNOWN)
			continue;
		form = form_at(callee_of(frames[n]));
		break;
	}
	return form == FORM_OF_CALLER ? GL_FORM_UNKNOWN : form;
}

static __always_inline bool is_shared(u32 kind)
{
	if (IS_ENABLED(CONFIG_PREEMPT_RT))
		return kind == GL_KIND_RTMUTEX || kind == GL_KIND_RWLOCK_RT_R ||
		       kind == GL_KIND_RWLOCK_RT_W;
	return kind == GL_KIND_MUTEX;
}

/**
 * gl_form_of_waiter() - the form of the lock that the current task waits for
 * @kind: enum gl_kind of the wait
 *
 * Of a kind that is one form alone, and of locks that spin, nothing is looked at.
 * Walks at most GL_FORM_FRAMES frames, which takes some 10,000 instructions: so it is
 * for new rows alone.
 *
 * Context: any for those kinds; for others the waiting task's, in the tracepoint at
 * the begin or end of its wait, preemption disabled.
 *
 * Return: GL_FORM_*.
 */
notrace u8 gl_form_of_waiter(u32 kind)
{
	unsigned long frames[GL_FORM_FRAMES];
	u32 nr, own = 0;

	/* The unwinder looks up modules' code under RCU. */
	if (!is_shared(kind) || !nr_functions || !rcu_is_watching())
		return GL_FORM_UNKNOWN;
	nr = stack_trace_save(frames, GL_FORM_FRAMES, 0);
	while (own < nr && within_module_core(frames[own], THIS_MODULE))
		own++;
	return form_of_stack(&frames[own], nr - own);
}

/* --- at load --- */

/** struct symbol - a function, as the kernel knows it */
struct symbol {
	/** @start: where it begins */
	unsigned long start;
	/** @end: the first address behind it */
	unsigned long end;
	/** @name: what it is called */
	char name[KSYM_SYMBOL_LEN];
};

/* What is at an address: the kernel tells it as "name+0xoffset/0xsize". */
static bool __init symbol_at(unsigned long address, struct symbol *ret)
{
	unsigned long offset, size;
	char *plus;

	sprint_symbol(ret->name, address);
	plus = strchr(ret->name, '+');
	if (!plus || sscanf(plus, "+0x%lx/0x%lx", &offset, &size) != 2 || offset >= size)
		return false;
	*plus = '\0';
	ret->start = address - offset;
	ret->end = ret->start + size;
	return true;
}

static void __init add(const struct symbol *symbol)
{
	u32 n;

	for (n = 0; n < ARRAY_SIZE(rules); n++)
		if (str_has_prefix(symbol->name, rules[n].prefix))
			break;
	if (n == ARRAY_SIZE(rules) || nr_functions == GL_FORM_FUNCTIONS)
		return;
	functions[nr_functions++] = (struct function){
		.start = symbol->start, .end = symbol->end, .rule = n
	};
	nr_by_rule[n]++;
}

/**
 * gl_form_init() - find the functions that wait, where a kind is of several forms
 *
 * Functions that may sleep for a lock lie together, as the scheduler's do: what is
 * looked at is the neighbourhood of one of them. Those that lie elsewhere are not
 * found, and gl_form_is_told() says so.
 *
 * Context: process, while the module is loaded.
 */
void __init gl_form_init(void)
{
	unsigned long middle = (unsigned long)mutex_unlock, at;
	struct symbol symbol;

	for (at = middle; at < middle + GL_FORM_REACH && symbol_at(at, &symbol); at = symbol.end)
		add(&symbol);
	for (at = middle; at > middle - GL_FORM_REACH && symbol_at(at - 1, &symbol);
	     at = symbol.start)
		add(&symbol);
}

/**
 * gl_form_name() - what users are told
 * @form: GL_FORM_*
 *
 * Context: any.
 *
 * Return: the name.
 */
const char *gl_form_name(u32 form)
{
	static const char *const names[] = {
#define GL_FORM_NAME(name, string)	string,
		GL_FORM_LIST(GL_FORM_NAME)
#undef GL_FORM_NAME
	};

	return names[form];
}

/**
 * gl_form_is_told() - can locks of a form be told from others of their kind?
 * @form: GL_FORM_*
 *
 * Context: process.
 *
 * Return: true if a function was found that waits for them alone.
 */
bool gl_form_is_told(u32 form)
{
	u32 n;

	for (n = 0; n < ARRAY_SIZE(rules); n++)
		if (nr_by_rule[n] && form_by_rule(n) == form)
			return true;
	return false;
}
