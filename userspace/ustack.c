// SPDX-License-Identifier: GPL-2.0
/* ustack - user stacks as words (ustack.h); who unwinds is in ustack_dwfl.c */
#include <stdio.h>
#include <string.h>

#include "ustack.h"
#include "xalloc.h"

/* "pc guessed offset function module", one line a frame; "-" for no function. */
static bool parse_frame(const char *line, struct frame *ret)
{
	unsigned long long pc, offset;
	int guessed, at = 0, function_end = 0;

	if (sscanf(line, "%llx %d %llx %n%*s%n", &pc, &guessed, &offset, &at, &function_end) < 3 ||
	    !function_end || line[function_end] != ' ')
		return false;
	*ret = (struct frame){ .pc = pc, .offset = offset, .guessed = guessed };
	if (strncmp(line + at, "- ", 2))
		ret->function = strndup(line + at, function_end - at);
	ret->module = xstrdup(line + function_end + 1);
	return true;
}

void ustack_parse(const char *words, struct frames *ret)
{
	char *copy = xstrdup(words), *rest = copy, *line;

	*ret = (struct frames){ 0 };
	while ((line = strsep(&rest, "\n"))) {
		struct frame frame;

		if (parse_frame(line, &frame))
			*vec_push(ret->frame, ret->nr) = frame;
	}
	free(copy);
}

void ustack_free(struct frames *frames)
{
	for (uint32_t i = 0; i < frames->nr; i++) {
		free(frames->frame[i].function);
		free(frames->frame[i].module);
	}
	free(frames->frame);
	*frames = (struct frames){ 0 };
}
