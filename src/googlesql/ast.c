#include "googlesql/ast.h"
#include <stdio.h>
#include <string.h>

/* Columns count characters, and a tab leads to the next multiple of 8, as Spanner counts. */
void sql_place(struct str text, uint32_t at, unsigned *ret_line, unsigned *ret_column) {
    unsigned line = 1, column = 1;
    for (size_t i = 0; i < at && i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        if (c == '\n' || (c == '\r' && (i + 1 >= text.n || text.p[i + 1] != '\n'))) {
            line++;
            column = 1;
        } else if (c == '\t') {
            column = (column - 1) / 8 * 8 + 9;
        } else if ((c & 0xC0) != 0x80) {
            column++;
        }
    }
    *ret_line = line;
    *ret_column = column;
}

enum code sql_error(struct err *err, enum code code, struct str text, uint32_t at, const char *fmt, ...) {
    char message[900];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(message, sizeof message, fmt, args);
    va_end(args);
    unsigned line, column;
    sql_place(text, at, &line, &column);
    return err_at(err, code, line, column, "%s [at %u:%u]", message, line, column);
}

static bool same_literal(const struct sql_expr *a, const struct sql_expr *b) {
    return a->i == b->i && memcmp(&a->f, &b->f, sizeof a->f) == 0 && str_eq(a->text, b->text);
}

static bool same_head(const struct sql_expr *a, const struct sql_expr *b) {
    if (a->kind != b->kind || a->type != b->type || a->n_args != b->n_args || a->flag != b->flag) return false;
    if (a->distinct != b->distinct || a->star != b->star || a->has_operand != b->has_operand) return false;
    if (a->has_else != b->has_else || a->to != b->to || a->function != b->function) return false;
    return a->source == b->source && a->column == b->column;
}

bool sql_expr_equal(const struct sql_expr *a, const struct sql_expr *b) {
    if (a == b) return true;
    if (!same_head(a, b) || a->query || b->query) return false;
    if (a->kind == EX_LITERAL && !same_literal(a, b)) return false;
    if (a->kind == EX_PARAM || a->kind == EX_ITEM) return a->i == b->i;
    if ((a->kind == EX_PART || a->kind == EX_INTERVAL) && !str_eq_nocase(a->text, b->text)) return false;
    for (size_t i = 0; i < a->n_args; i++)
        if (!sql_expr_equal(a->args[i], b->args[i])) return false;
    return true;
}
