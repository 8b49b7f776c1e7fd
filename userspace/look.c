// SPDX-License-Identifier: GPL-2.0
/* look - one whole look at the machine (look.h) */
#include <stdlib.h>

#include "look.h"
#include "resolve.h"
#include "source.h"
#include "xalloc.h"

struct look *look_take(struct remote *remote, const pid_t *only, uint32_t nr_only,
		       const struct limits *limits)
{
	struct look *look = xcalloc(1, sizeof(*look));

	/* Module rows first: reading them never blocks on another task. */
	look->snap_err = source_snapshot(GL_RECORD_WAIT, &look->snap);
	look->world = world_look(look->snap, remote, only, nr_only,
				 limits ? limits->until_ns : 0);
	if (limits)
		findings_detect(look->world, limits, &look->found);
	return look;
}

void look_free(struct look *look)
{
	if (!look)
		return;
	findings_free(&look->found);
	world_free(look->world);
	snapshot_free(look->snap);
	free(look);
}
