// SPDX-License-Identifier: GPL-2.0
/* detect_cpu - tasks that could run and did not get a CPU, and who had it */
#include "finding.h"
#include "window.h"
#include "xalloc.h"

static void add(const struct world *w, uint32_t task, const struct runner_series *s,
		struct findings *found)
{
	struct finding *f = findings_add(found, FINDING_CPU_STARVATION);

	*vec_push(f->tasks, f->nr_tasks) = task;
	f->since_ns = s->since_ns;
	for (uint32_t i = 0; i < s->others.nr; i++) {
		uint32_t other = window_find(w, &s->others.other[i].task);

		if (other != NO_INDEX)
			finding_add_role(f, "by", other);
	}
	finding_add_fact(f, "looks", UNIT_COUNT, s->nr_looks);
	finding_add_fact(f, "runnable_s", UNIT_NS, s->span_ns);
	finding_add_fact(f, "cpu", UNIT_COUNT, s->cpu);
	if (!s->others.nr)
		finding_cap(f, VERDICT_LIKELY,
			    "nobody was seen on its CPU instead: a quota may hold it back");
}

static void find(const struct world *w, const struct graph *g, const struct limits *limits,
		 struct findings *found)
{
	(void)g;
	for (uint32_t t = 0; w->window && t < w->nr_tasks; t++) {
		const struct runner_series *s;

		if (w->tasks[t].state != 'R')
			continue;
		s = window_runner(w->window, w, t);
		if (s && s->nr_looks >= limits->cpu_looks &&
		    s->span_ns >= limits->cpu_starvation_ns)
			add(w, t, s, found);
	}
}

const struct detector detect_cpu = {
	.name = "cpu-starvation",
	.detect = find,
};
