#include "cli/table.h"
#include "base/enc.h"

bool table_add(struct table *t, struct str text, bool is_null) {
    if (!arena_grow(t->arena, &t->cells, &t->cap_cells, t->n_cells + 1, sizeof *t->cells)) return false;
    struct str copy = is_null ? STR("NULL") : str_dup(t->arena, text);
    if (text.n && !copy.p) return false;
    t->cells[t->n_cells++] = (struct table_cell){ copy, is_null };
    return true;
}

void table_clear(struct table *t) {
    arena_reset(t->arena);
    t->cells = NULL;
    t->n_cells = t->cap_cells = 0;
}

/* As a terminal may have it: no control characters, and not endless. */
static void put_text(struct buf *out, struct str text) {
    uint32_t c;
    size_t n = 0;
    for (struct str rest = text; n < TABLE_CELL_MAX && utf8_next(&rest, &c); n++) {
        char bytes[4];
        bool control = c < 0x20 || (c >= 0x7f && c < 0xa0) || (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
        buf_add(out, bytes, utf8_put(control ? 0xfffd : c, bytes));
    }
    if (n == TABLE_CELL_MAX) buf_add_z(out, "…");
}

static size_t width_of(struct str text) {
    size_t n = utf8_length(text);
    return n >= TABLE_CELL_MAX ? TABLE_CELL_MAX + 1 : n;
}

static void pad(struct buf *out, size_t n) {
    while (n--) buf_add_char(out, ' ');
}

static void put_cell(struct buf *out, struct str text, size_t width, bool right, bool last) {
    size_t gap = width - width_of(text);
    if (right) pad(out, gap);
    put_text(out, text);
    if (!right && !last) pad(out, gap);
    buf_add_z(out, last ? "\n" : "  ");
}

void table_print(const struct table *t, struct buf *out) {
    size_t widths[TABLE_COLUMNS_MAX];
    for (size_t c = 0; c < t->n_columns; c++) widths[c] = width_of(t->names[c]);
    for (size_t i = 0; i < t->n_cells; i++) {
        size_t width = width_of(t->cells[i].text), *most = &widths[i % t->n_columns];
        if (width > *most) *most = width;
    }
    for (size_t c = 0; c < t->n_columns; c++) put_cell(out, t->names[c], widths[c], t->right[c], c + 1 == t->n_columns);
    for (size_t c = 0; c < t->n_columns; c++) {
        for (size_t k = 0; k < widths[c]; k++) buf_add_char(out, '-');
        buf_add_z(out, c + 1 == t->n_columns ? "\n" : "  ");
    }
    for (size_t i = 0; i < t->n_cells; i++) {
        size_t c = i % t->n_columns;
        put_cell(out, t->cells[i].text, widths[c], t->right[c], c + 1 == t->n_columns);
    }
}

void csv_put_field(struct buf *out, struct str text) {
    bool quote = text.n == 0;
    for (size_t i = 0; i < text.n && !quote; i++)
        quote = text.p[i] == '"' || text.p[i] == ',' || text.p[i] == '\n' || text.p[i] == '\r';
    if (!quote) {
        buf_add_str(out, text);
        return;
    }
    buf_add_char(out, '"');
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] == '"') buf_add_char(out, '"');
        buf_add_char(out, text.p[i]);
    }
    buf_add_char(out, '"');
}
