/* SPDX-License-Identifier: GPL-2.0 */
/* graphviz - lay out a graph by graphviz's dot, which is no part of gridlock. */
#ifndef GRAPHVIZ_H
#define GRAPHVIZ_H

#include <stddef.h>

/**
 * graphviz_svg() - a picture of a graph in graphviz's language
 * @dot: [@size] the graph
 * @ret: set to the SVG, to be freed
 * @size_ret: set to its size
 *
 * dot is ended when it takes longer than a minute: large graphs may have no
 * layout in any reasonable time.
 *
 * Return: 0, or -errno: -ENOENT: dot is not installed; -ETIMEDOUT: it took too
 * long; -EIO: it failed, and said why on stderr.
 */
int graphviz_svg(const char *dot, size_t size, char **ret, size_t *size_ret);

#endif /* GRAPHVIZ_H */
