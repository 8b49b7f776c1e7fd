/* SPDX-License-Identifier: GPL-2.0 */
/*
 * settle - the end of a look that is to prove something: did it see all who
 * could set a member free, although tasks come and go while it looks?
 */
#ifndef SETTLE_H
#define SETTLE_H

struct world;

/**
 * settle() - find who came since the tasks of @w were listed
 *
 * Whoever came and could release a resource makes it one that somebody unseen
 * may release. Where tasks come and go too fast to tell, the waits concerned
 * support no verdict above likely.
 */
void settle(struct world *w);

#endif /* SETTLE_H */
