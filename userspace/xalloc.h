/* SPDX-License-Identifier: GPL-2.0 */
/*
 * xalloc - allocation that ends the program, with a sentence and status 2,
 * when memory runs out.
 */
#ifndef XALLOC_H
#define XALLOC_H

#include <stddef.h>
#include <stdlib.h>

void *xcalloc(size_t nr, size_t size);
void *xreallocarray(void *ptr, size_t nr, size_t size);
char *xstrdup(const char *s);
/** xqsort() - qsort(); what is in order already, as it often is, is only looked through */
void xqsort(void *base, size_t nr, size_t size, int (*compare)(const void *a, const void *b));
/** xqsort_r() - the same of qsort_r() */
void xqsort_r(void *base, size_t nr, size_t size,
	      int (*compare)(const void *a, const void *b, void *arg), void *arg);
/** xtsearch() - what the tree of tsearch(3) has that equals @what; @what itself when that is new */
void *xtsearch(void *what, void **tree, int (*compare)(const void *a, const void *b));
char *xasprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/**
 * vec_push() - room for one more in a counted array that grows by powers of two
 * @array: pointer variable
 * @nr: its count variable; counted up
 *
 * Evaluates to a pointer to the new, zeroed element.
 */
#define vec_push(array, nr)                                                            \
	({                                                                             \
		if (((nr) & ((nr) - 1)) == 0)                                          \
			(array) = xreallocarray((array), (nr) ? 2 * (size_t)(nr) : 1,  \
						sizeof(*(array)));                     \
		__builtin_memset(&(array)[(nr)], 0, sizeof(*(array)));                 \
		&(array)[(nr)++];                                                      \
	})

#endif /* XALLOC_H */
