/* SPDX-License-Identifier: GPL-2.0 */
/*
 * text - small pieces of text that many need: safe names, durations, hashes.
 */
#ifndef TEXT_H
#define TEXT_H

#include <stddef.h>
#include <stdint.h>
#include <time.h>

/** TEXT_NAME_SIZE - bytes that hold any escaped name, with its NUL */
#define TEXT_NAME_SIZE	256

/**
 * text_escape() - make a name from elsewhere safe to print
 * @s: raw name; may hold any bytes
 * @buf: [@size] the result: control and non-ASCII bytes and backslashes as \xNN
 *
 * Return: @buf.
 */
const char *text_escape(const char *s, char *buf, size_t size);

/** text_duration() - @ns for people: "12.3 s", "340 ms", "1.2 us"; returns @buf */
const char *text_duration(uint64_t ns, char *buf, size_t size);

/* What text_hash() begins with. */
#define TEXT_HASH	2166136261U

/** text_hash() - FNV-1a (Fowler, Noll, Vo 1991) of [@size] bytes, going on from @hash */
uint32_t text_hash(uint32_t hash, const void *bytes, size_t size);

/** TEXT_NUMBER_SIZE - bytes that hold any number, with its NUL */
#define TEXT_NUMBER_SIZE	11

/** text_number() - @number in decimal; returns where in @buf that begins */
const char *text_number(uint32_t number, char buf[TEXT_NUMBER_SIZE]);

/** text_join() - [@nr] texts one after the other; to be freed */
char *text_join(const char *const *part, size_t nr);

/** now_ns() - CLOCK_MONOTONIC in ns, as the kernel has it: of no time namespace */
uint64_t now_ns(void);

#endif /* TEXT_H */
