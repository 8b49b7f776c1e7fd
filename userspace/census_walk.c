// SPDX-License-Identifier: GPL-2.0
/* census_walk - all threads of the machine, told in pieces (census_walk.h) */
#include <stdlib.h>

#include "census_walk.h"
#include "xalloc.h"

enum census_outcome census_walk(census_tell_fn *tell, void *source, uint32_t *nr_ret)
{
	struct census_border *border = NULL;
	struct census_piece piece;
	uint32_t nr = 0, nr_gone = 0;

	*vec_push(border, nr) = (struct census_border){ 0 };
	do {
		piece = (struct census_piece){ .from = border[nr - 1] };
		if (tell(source, &piece)) {
			piece.outcome = CENSUS_GONE;
			break;
		}
		if (piece.outcome == CENSUS_MORE)
			*vec_push(border, nr) = piece.to;
		else if (piece.outcome == CENSUS_GONE && nr_gone++ < CENSUS_MAX_GONE)
			nr--;
		else
			break;
	} while (nr);
	free(border);
	*nr_ret = piece.to.nr;
	return piece.outcome;
}
