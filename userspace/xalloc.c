// SPDX-License-Identifier: GPL-2.0
/* xalloc - allocation that ends the program when memory runs out (xalloc.h) */
#include <search.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "xalloc.h"

static void *check(void *ptr)
{
	if (!ptr) {
		fputs("gridlock: out of memory\n", stderr);
		exit(2);
	}
	return ptr;
}

void *xcalloc(size_t nr, size_t size)
{
	return check(calloc(nr ? nr : 1, size ? size : 1));
}

void *xreallocarray(void *ptr, size_t nr, size_t size)
{
	return check(reallocarray(ptr, nr ? nr : 1, size ? size : 1));
}

char *xstrdup(const char *s)
{
	return check(strdup(s));
}

void *xtsearch(void *what, void **tree, int (*compare)(const void *a, const void *b))
{
	return *(void **)check(tsearch(what, tree, compare));
}

char *xasprintf(const char *fmt, ...)
{
	va_list args;
	char *text;
	int len;

	va_start(args, fmt);
	len = vasprintf(&text, fmt, args);
	va_end(args);
	return check(len < 0 ? NULL : text);
}

void xqsort_r(void *base, size_t nr, size_t size,
	      int (*compare)(const void *a, const void *b, void *arg), void *arg)
{
	const char *at = base;

	for (size_t i = 1; i < nr; i++, at += size) {
		if (compare(at, at + size, arg) > 0) {
			qsort_r(base, nr, size, compare, arg);
			return;
		}
	}
}

static int compare_by(const void *a, const void *b, void *arg)
{
	int (**compare)(const void *a, const void *b) = arg;

	return (*compare)(a, b);
}

void xqsort(void *base, size_t nr, size_t size, int (*compare)(const void *a, const void *b))
{
	xqsort_r(base, nr, size, compare_by, &compare);
}
