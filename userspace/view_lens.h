/* SPDX-License-Identifier: GPL-2.0 */
/* view_lens - how long locks were held, as text and as JSON. */
#ifndef VIEW_LENS_H
#define VIEW_LENS_H

#include <json-c/json.h>

#include "lens_holds.h"

/** view_lens_text() - a table on stdout */
void view_lens_text(const struct lens_holds *holds);

/** view_lens_json() - add holds, locks_held and holds_lost to the lens's object */
void view_lens_json(struct json_object *lens, const struct lens_holds *holds);

#endif /* VIEW_LENS_H */
