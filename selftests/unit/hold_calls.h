/* SPDX-License-Identifier: GPL-2.0 */
/* hold_calls - what tests of the module's table of holders tell it of one lock */
#ifndef HOLD_CALLS_H
#define HOLD_CALLS_H

#include "../../kmod/hold.h"

#define LOCK	0xffff888000001000ULL

static inline void released(struct gl_holdtab *tab, u64 id, u64 now_ns)
{
	struct gl_holder who = { .id = id, .tid = id, .tgid = id };
	struct gl_hold *hold = gl_hold_find(tab, LOCK);

	if (hold)
		gl_hold_released(tab, hold, LOCK, &who, now_ns);
}

static inline void taken(struct gl_holdtab *tab, struct gl_hold_waiter who, u64 now_ns,
			 struct gl_hold_found *found)
{
	struct gl_hold *hold = gl_hold_find(tab, LOCK);

	*found = (struct gl_hold_found){ 0 };
	if (hold)
		gl_hold_taken(tab, hold, LOCK, &who, now_ns, found);
}

#endif /* HOLD_CALLS_H */
