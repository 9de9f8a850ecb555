#include "cli/csv.h"
#include <string.h>
#include "base/enc.h"

/* One field from `at` on; false: not whole yet, or bad (*ret_bad says what). Leaves `at` on what ends it. */
static bool quoted_field(struct str in, size_t *at, struct arena *arena, struct csv_field *ret, const char **ret_bad) {
    size_t start = *at + 1, i = start;
    bool doubled = false;
    for (;; i += 2, doubled = true) {
        const char *quote = i < in.n ? memchr(in.p + i, '"', in.n - i) : NULL;
        if (!quote) return false;
        i = (size_t)(quote - in.p);
        if (i + 1 >= in.n || in.p[i + 1] != '"') break;
    }
    *ret = (struct csv_field){ { in.p + start, i - start }, true };
    *at = i + 1;
    if (!doubled) return true;
    char *copy = arena_alloc(arena, ret->text.n + 1);
    if (!copy) return *ret_bad = "is too long", false;
    size_t n = 0;
    for (size_t k = 0; k < ret->text.n; k++) {
        copy[n++] = ret->text.p[k];
        if (ret->text.p[k] == '"') k++;
    }
    ret->text = (struct str){ copy, n };
    return true;
}

static bool plain_field(struct str in, size_t *at, struct csv_field *ret, const char **ret_bad) {
    size_t start = *at, i = start;
    while (i < in.n && in.p[i] != ',' && in.p[i] != '\n' && in.p[i] != '\r') {
        if (in.p[i] == '"') return *ret_bad = "has a quote inside: quote the whole field, and double quotes in it", false;
        i++;
    }
    *ret = (struct csv_field){ { in.p + start, i - start }, false };
    *at = i;
    return true;
}

static const char *bad_text(struct str text) {
    if (text.n && memchr(text.p, '\0', text.n)) return "holds a NUL byte";
    return utf8_valid(text) ? NULL : "is not UTF-8";
}

/* After a field: ',' goes on, a line break ends the row. */
enum after { AFTER_FIELD, AFTER_ROW, AFTER_MORE, AFTER_BAD };
static enum after after_field(struct str in, size_t *at, bool last) {
    if (*at >= in.n) return last ? AFTER_ROW : AFTER_MORE;
    char c = in.p[*at];
    if (c == ',') return ++*at, AFTER_FIELD;
    if (c == '\n') return ++*at, AFTER_ROW;
    if (c != '\r') return AFTER_BAD;
    if (*at + 1 >= in.n) return last ? AFTER_BAD : AFTER_MORE;
    if (in.p[*at + 1] != '\n') return AFTER_BAD;
    *at += 2;
    return AFTER_ROW;
}

static unsigned count_lines(struct str text) {
    unsigned n = 0;
    for (const char *p = text.p, *end = text.p + text.n; p < end && (p = memchr(p, '\n', (size_t)(end - p))); p++) n++;
    return n;
}

/* Reading goes on after the line break, so that must be there. */
static enum csv_got bad(struct csv *csv, struct str *rest, size_t at, bool last, struct err *err, const char *what) {
    const char *end = at < rest->n ? memchr(rest->p + at, '\n', rest->n - at) : NULL;
    if (!end && !last && rest->n <= CSV_ROW_MAX) return CSV_MORE;
    (void)err_at(err, INVALID_ARGUMENT, csv->line, (unsigned)csv->n_fields + 1, "field %zu %s", csv->n_fields + 1, what);
    size_t skip = end ? (size_t)(end - rest->p) + 1 : rest->n;
    csv->line += count_lines(str_upto(*rest, skip));
    *rest = str_from(*rest, skip);
    return CSV_BAD;
}

static enum csv_got read_row(struct csv *csv, struct str *rest, bool last, struct arena *arena, struct err *err) {
    size_t at = 0;
    csv->n_fields = 0;
    csv->row_line = csv->line;
    for (;;) {
        const char *what = NULL;
        if (csv->n_fields == CSV_FIELDS_MAX) return bad(csv, rest, at, last, err, "is one too many: at most 1024 in a row");
        struct csv_field *field = &csv->fields[csv->n_fields];
        bool quoted = at < rest->n && rest->p[at] == '"';
        bool whole = quoted ? quoted_field(*rest, &at, arena, field, &what) : plain_field(*rest, &at, field, &what);
        if (what) return bad(csv, rest, at, last, err, what);
        if (!whole && !last && rest->n <= CSV_ROW_MAX) return CSV_MORE;
        if (!whole) return bad(csv, rest, at, last, err, "has no closing quote");
        what = bad_text(field->text);
        if (what) return bad(csv, rest, at, last, err, what);
        enum after after = after_field(*rest, &at, last);
        if (after == AFTER_MORE)
            return rest->n <= CSV_ROW_MAX ? CSV_MORE : bad(csv, rest, at, last, err, "is longer than 10 MiB");
        if (after == AFTER_BAD) return bad(csv, rest, at, last, err, "must be followed by a comma or a line break");
        csv->n_fields++;
        if (after == AFTER_FIELD) continue;
        csv->line += count_lines(str_upto(*rest, at));
        *rest = str_from(*rest, at);
        return CSV_ROW;
    }
}

enum csv_got csv_next(struct csv *csv, struct str *rest, bool last, struct arena *arena, struct err *err) {
    if (csv->line == 0) {
        if (rest->n < 3 && !last) return CSV_MORE; /* a byte order mark may come */
        csv->line = 1;
        (void)str_strip_prefix(rest, STR("\xef\xbb\xbf"));
    }
    while (rest->n && (rest->p[0] == '\n' || str_starts(*rest, STR("\r\n")))) {
        *rest = str_from(*rest, rest->p[0] == '\n' ? 1 : 2);
        csv->line++;
    }
    if (rest->n == 0) return last ? CSV_END : CSV_MORE;
    return read_row(csv, rest, last, arena, err);
}
