/* SPDX-License-Identifier: GPL-2.0 */
/*
 * array - how long an array is.
 */
#ifndef ARRAY_H
#define ARRAY_H

/**
 * ARRAY_SIZE() - the number of elements of an array
 * @array: the array itself, not a pointer to it
 */
#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

#endif /* ARRAY_H */
