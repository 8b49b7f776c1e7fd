/* SPDX-License-Identifier: GPL-2.0 */
/*
 * look - one whole look at the machine: the module's rows, the world made
 * from them and procfs, and what the detectors say of it.
 */
#ifndef LOOK_H
#define LOOK_H

#include <stdint.h>
#include <sys/types.h>

#include "finding.h"
#include "snapshot.h"
#include "world.h"

struct window;

/** struct look - owns its parts */
struct look {
	/** @snap: the module's rows; NULL when they could not be had */
	struct snapshot *snap;
	/** @snap_err: 0, or -errno of source_snapshot() */
	int snap_err;
	struct world *world;
	struct findings found;
};

/**
 * look_take() - look once
 * @only: [nr_only] threads to resolve, or NULL for all (world_look())
 * @window: takes the look in, and tells the detectors what those before it saw;
 *	NULL: none
 * @limits: thresholds of the detectors, and when to end; NULL: run no detector,
 *	take all the time it takes
 *
 * Return: the look; free with look_free(). A foreign or damaged waits.bin is
 * in snap_err; the look then rests on procfs alone.
 */
struct look *look_take(struct remote *remote, const pid_t *only, uint32_t nr_only,
		       struct window *window, const struct limits *limits);
void look_free(struct look *look);

/**
 * look_confirm() - prove the findings of @candidate
 * @candidate: a look with findings that need proof
 * @limits: as for look_take()
 *
 * Three passes over all members. Pass 1 reads each member's generations (start
 * time, times it was put on a CPU, time there) and then sees that it is off the
 * run queue; pass 2 is a fresh look at the members alone; pass 3 sees that each
 * is still off the run queue and reads the generations again. A task that was
 * off the run queue after generations were read, and was not put on a CPU until
 * they were read again, slept from the one to the other. A finding of pass 2 all
 * of whose members slept through it is one that held at every moment of pass 2.
 *
 * Findings of pass 2 without that proof are dropped, or kept as possible where
 * the proof could not be read (without root).
 *
 * Return: the look of pass 2; free with look_free().
 */
struct look *look_confirm(struct remote *remote, const struct look *candidate,
			  const struct limits *limits);

/** finding_needs_proof() - is it a claim about tasks that never run */
bool finding_needs_proof(const struct finding *f);

#endif /* LOOK_H */
