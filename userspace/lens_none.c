// SPDX-License-Identifier: GPL-2.0
/* lens_none - in the place of lens_bpf.c and lens_attach.c in a build without libbpf */
#include <stdio.h>
#include <string.h>

#include "lens.h"

struct lens *lens_open(const struct lens_pids *pids, struct remote *remote)
{
	(void)pids;
	(void)remote;
	fprintf(stderr, "gridlock: no lens in this build: it takes libbpf, libelf, clang and bpftool\n");
	return NULL;
}

void lens_close(struct lens *lens)
{
	(void)lens;
}

const struct lens_view *lens_look(struct lens *lens, struct world *w, struct episodes *episodes)
{
	(void)lens;
	(void)w;
	(void)episodes;
	return NULL;
}

const struct lens_holds *lens_read_holds(struct lens *lens, struct remote *remote)
{
	(void)lens;
	(void)remote;
	return NULL;
}

void lens_read_cost(const struct lens *lens, struct lens_cost *ret)
{
	(void)lens;
	memset(ret, 0, sizeof(*ret));
}
