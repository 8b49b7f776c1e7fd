/* SPDX-License-Identifier: GPL-2.0 */
/*
 * event_list - every event that the module counts, in one place: included
 * with GL_EVENT(name, text) defined as an enumerator or as a string.
 *
 * An event that was not recorded has a name that starts with "lost".
 */

/* clang-format off */
/* begin events seen, phases included */
GL_EVENT(BEGINS,		"events.begins")
/* end events seen */
GL_EVENT(ENDS,			"events.ends")
/* begins that continue a wait: spin to sleep and back */
GL_EVENT(PHASES,		"events.phases")
/* begins while enabled=0 */
GL_EVENT(DISABLED,		"events.disabled")
/* ends of waits begun before load or not recorded */
GL_EVENT(ENDS_UNMATCHED,	"events.ends_unmatched")
/* waits of negative length taken as 0 ns */
GL_EVENT(CLOCK_CLAMPED,		"events.clock_clamped")
/* staged futex slots given to another task */
GL_EVENT(SLOTS_STOLEN,		"events.slots_stolen")
/* ended waits in `other` since their group found no row */
GL_EVENT(GROUPS_FULL,		"events.groups_full")
/* ended waits not traced since RCU did not watch */
GL_EVENT(UNTOLD,		"events.untold")
/* waits that ended without the lock, by why (GL_FAILED_*) */
GL_EVENT(FAILED_SIGNAL,		"failed.signal")
GL_EVENT(FAILED_TIMEOUT,	"failed.timeout")
GL_EVENT(FAILED_DEADLOCK,	"failed.deadlock")
/* begin: no place in the wait table */
GL_EVENT(LOST_NO_SLOT,		"lost.no_slot")
/* begin: a futex sleep without its arguments */
GL_EVENT(LOST_NOT_STAGED,	"lost.not_staged")
/* calls of futex_waitv(): a wait for several futexes, if it comes to one, has no slot */
GL_EVENT(LOST_FUTEX_WAITV,	"lost.futex_waitv")
/* begin: a sleeping wait where none can be */
GL_EVENT(LOST_CONTEXT,		"lost.context")
/* begin: inside a probe of the same context */
GL_EVENT(LOST_RECURSION_BEGIN,	"lost.recursion_begin")
/* end: inside a probe of the same context */
GL_EVENT(LOST_RECURSION_END,	"lost.recursion_end")
/* end: dropped on purpose (drop_ends) */
GL_EVENT(LOST_END_DROPPED,	"lost.end_dropped")
/* wait: its end was never seen */
GL_EVENT(LOST_END_MISSED,	"lost.end_missed")
/* wait: its task exited without an end */
GL_EVENT(LOST_TASK_EXITED,	"lost.task_exited")
/* futex wait, wake-up or refusal that no episode took in: no place, or inside a probe */
GL_EVENT(LOST_NO_EPISODE,	"lost.no_episode")
/* kernel lock that somebody was found waiting for, and that no place to count turns is left for */
GL_EVENT(LOST_NO_TURN_LOCK,	"lost.no_turn_lock")
/* wait for a kernel lock whose turns are counted, by a task that no place is left for */
GL_EVENT(LOST_NO_TURN,		"lost.no_turn")
/* file locks that were refused at once: who asked did not want to wait */
GL_EVENT(FILELOCK_REFUSED,	"filelock.refused")
/* waits for file locks that a signal ended */
GL_EVENT(FILELOCK_INTERRUPTED,	"filelock.interrupted")
/* file locks refused by the kernel, as the wait would be a deadlock */
GL_EVENT(FILELOCK_DEADLOCKS,	"filelock.deadlocks")
/* file locks that a kernel thread did not get at once, for a client elsewhere: no waits */
GL_EVENT(FILELOCK_FOR_OTHERS,	"filelock.for_others")
/* releases seen of locks that others wait for (holds=1) */
GL_EVENT(RELEASES,		"events.releases")
/* locks whose holder was forgotten, for that of another lock */
GL_EVENT(HOLDS_GIVEN_UP,	"events.holds_given_up")
/* release: inside a probe of the same context; no hold going on then is known */
GL_EVENT(LOST_RECURSION_RELEASE, "lost.recursion_release")
/* release, or who got the lock: lost as another CPU changed what is known; no hold then is */
GL_EVENT(LOST_HOLD_BUSY,	"lost.hold_busy")
/* probes that were timed */
GL_EVENT(COST_SAMPLES,		"cost.sampled_probes")
/* time they took; ns */
GL_EVENT(COST_NS,		"cost.sampled_ns")
/* clang-format on */
