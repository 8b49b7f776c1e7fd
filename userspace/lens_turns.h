/* SPDX-License-Identifier: GPL-2.0 */
/* lens_turns - how often locks that are waited for were dropped; for lens_*.c only */
#ifndef LENS_TURNS_H
#define LENS_TURNS_H

#include <stdint.h>

#include "bpf/lens_abi.h"

struct lens_names;
struct world;

/**
 * lens_turns_add() - sum up in @names->locks how often each was dropped, whoever held it
 * @w: a look; of locks that none of its tasks waits for, most are left out
 * @key, @row: [@nr] as the kernel has them
 */
void lens_turns_add(struct lens_names *names, struct world *w, const struct lens_hold_key *key,
		    const struct lens_hold *row, uint32_t nr);

#endif /* LENS_TURNS_H */
