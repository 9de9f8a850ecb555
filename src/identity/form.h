/* form.h: application/x-www-form-urlencoded, read strictly: bodies and queries. Any thread.
 *
 * Refused: a name twice, a '%' without two hex digits, control characters (encoded ones too), bad UTF-8, more than 32
 * fields. WHATWG URL §5.1, for what is not refused. */
#pragma once
#include "base/arena.h"

enum { FORM_FIELDS_MAX = 32 };

struct form {
    struct str names[FORM_FIELDS_MAX], values[FORM_FIELDS_MAX];
    size_t n;
};

MUST_USE bool form_parse(struct str text, struct arena *arena, struct form *ret);
bool form_get(const struct form *form, const char *name, struct str *ret); /* false, and *ret left, when absent */
/* The first name that is not in the NULL-terminated list; {NULL, 0} when all are. */
struct str form_unknown(const struct form *form, const char *const *known);
/* "%7B" → "{"; '+' stays when plus_is_space is false. */
MUST_USE bool percent_decode(struct str text, bool plus_is_space, struct arena *arena, struct str *ret);
