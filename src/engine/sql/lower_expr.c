/* lower_expr.c: expressions. Every one is written so that it stands alone: in parentheses, or as a call. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/enc.h"
#include "engine/sql/lowerer.h"
#include "googlesql/datetime.h"
#include "googlesql/functions.h"

static void write_string(struct lowerer *l, struct str s) {
    if (s.n && memchr(s.p, 0, s.n)) { /* SQLite's text literals end at a NUL */
        buf_add_z(&l->out, "CAST(x'");
        enc_hex(&l->out, s);
        buf_add_z(&l->out, "' AS TEXT)");
        return;
    }
    buf_add_char(&l->out, '\'');
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '\'') buf_add_char(&l->out, '\'');
        buf_add_char(&l->out, s.p[i]);
    }
    buf_add_char(&l->out, '\'');
}

static void write_blob(struct lowerer *l, struct str s) {
    buf_add_z(&l->out, "x'");
    enc_hex(&l->out, s);
    buf_add_char(&l->out, '\'');
}

/* Always with a point or an exponent, so that SQLite makes it REAL. */
static void write_float(struct lowerer *l, double f) {
    char text[40];
    (void)snprintf(text, sizeof text, "%.17g", f);
    buf_add_z(&l->out, text);
    if (!strpbrk(text, ".e")) buf_add_z(&l->out, ".0");
}

static void write_literal(struct lowerer *l, const struct sql_expr *e) {
    switch (e->type) {
    case SQL_FLOAT64: write_float(l, e->f); break;
    case SQL_STRING: write_string(l, e->text); break;
    case SQL_BYTES:
    case SQL_TIMESTAMP: write_blob(l, e->text); break;
    case SQL_BOOL:
    case SQL_DATE:
    case SQL_INT64:
    case SQL_UNKNOWN:
        if (e->i == INT64_MIN) buf_add_z(&l->out, "(-9223372036854775807 - 1)");
        else buf_printf(&l->out, "%lld", (long long)e->i);
        break;
    }
}

void lower_column(struct lowerer *l, const struct sql_source *source, uint16_t column) {
    buf_add_numbered(&l->out, "r", source->id);
    if (source->table) buf_add_numbered(&l->out, ".c", source->table->columns[column].id);
    else buf_add_numbered(&l->out, ".o", column);
}

static bool constant_float(const struct sql_expr *e) {
    return e->kind == EX_LITERAL && e->type == SQL_FLOAT64;
}

static enum code lower_list(struct lowerer *l, struct sql_expr *const *args, size_t n, const char *between) {
    for (size_t i = 0; i < n; i++) {
        if (i) buf_add_z(&l->out, between);
        enum code rc = lower_expr(l, args[i]);
        if (rc) return rc;
    }
    return OK;
}

/* With a NaN that equals nothing: '' is a BLOB, and no FLOAT64 is one. A constant is no NaN. */
static enum code lower_not_nan(struct lowerer *l, const struct sql_expr *e) {
    if (e->type != SQL_FLOAT64 || constant_float(e)) return lower_expr(l, e);
    buf_add_z(&l->out, "g_nan(");
    enum code rc = lower_expr(l, e);
    buf_add_char(&l->out, ')');
    return rc;
}

static enum code lower_template(struct lowerer *l, const struct sql_expr *e) {
    buf_add_char(&l->out, '(');
    for (const char *p = e->function->lower + 1; *p; p++) {
        enum code rc = OK;
        if (*p != '$') {
            buf_add_char(&l->out, *p);
        } else if (p[1] == '*') {
            rc = lower_list(l, e->args, e->n_args, ", ");
            p++;
        } else if (p[1] == 'n') {
            bool constant = constant_float(
                e->args[e->n_args - 1]); /* the other operand: then nothing can be equal to a NaN */
            const struct sql_expr *arg = e->args[p[2] - '1'];
            rc = constant ? lower_expr(l, arg) : lower_not_nan(l, arg);
            p += 2;
        } else {
            if (e->distinct) buf_add_z(&l->out, "DISTINCT ");
            rc = lower_expr(l, e->args[p[1] - '1']);
            p++;
        }
        if (rc) return rc;
    }
    buf_add_char(&l->out, ')');
    return OK;
}

/* FLOAT64 by size: NaN is TEXT, which SQLite puts above every number. With a constant on the right, `<` and `<=` are right
 * as they are and the others need a guard; else a function decides. */
static enum code lower_compare(struct lowerer *l, const struct sql_expr *e) {
    const char *op = e->function->lower + 1;
    bool greater = op[0] == '>';
    const struct sql_expr *a = e->args[0], *b = e->args[1];
    enum code rc;
    if (constant_float(b) && a->kind == EX_COLUMN) {
        buf_add_char(&l->out, '(');
        rc = lower_expr(l, a);
        buf_add_char(&l->out, ' ');
        buf_add_z(&l->out, op);
        buf_add_char(&l->out, ' ');
        if (!rc) rc = lower_expr(l, b);
        if (!rc && greater) {
            buf_add_z(&l->out, " AND typeof(");
            rc = lower_expr(l, a);
            buf_add_z(&l->out, ") <> 'text'");
        }
    } else {
        buf_add_z(&l->out, op[1] ? "g_le(" : "g_lt(");
        rc = lower_expr(l, greater ? b : a);
        buf_add_z(&l->out, ", ");
        if (!rc) rc = lower_expr(l, greater ? a : b);
    }
    buf_add_char(&l->out, ')');
    return rc;
}

/* The statement's time, or a function of it. */
static enum code lower_now(struct lowerer *l, const struct sql_expr *e) {
    unsigned char bytes[TIMESTAMP_BYTES];
    const char *function = e->function->lower + 1;
    int64_t seconds = l->now_us / 1000000;
    datetime_put((struct datetime){ seconds, (int32_t)(l->now_us - seconds * 1000000) * 1000 }, bytes);
    if (*function) buf_printf(&l->out, "%s(", function);
    write_blob(l, (struct str){ (const char *)bytes, sizeof bytes });
    if (*function && e->n_args) buf_add_z(&l->out, ", ");
    enum code rc = lower_list(l, e->args, e->n_args, ", ");
    if (*function) buf_add_char(&l->out, ')');
    return rc;
}

static enum code lower_call(struct lowerer *l, const struct sql_expr *e) {
    const struct sql_function *f = e->function;
    if (f->lower[0] == '#') return lower_compare(l, e);
    if (f->lower[0] == '@') return lower_now(l, e);
    if (f->lower[0] == '=' && e->n_args == 1 && strstr(f->lower, "coalesce")) return lower_expr(l, e->args[0]);
    if (f->lower[0] == '=') return lower_template(l, e);
    buf_add_z(&l->out, f->lower);
    buf_add_char(&l->out, '(');
    if (e->distinct) buf_add_z(&l->out, "DISTINCT ");
    enum code rc = lower_list(l, e->args, e->n_args, ", ");
    buf_add_char(&l->out, ')');
    return rc;
}

static enum code lower_case(struct lowerer *l, const struct sql_expr *e) {
    size_t i = 0, end = e->n_args - (e->has_else ? 1 : 0);
    enum code rc = OK;
    buf_add_z(&l->out, "CASE ");
    if (e->has_operand) rc = lower_not_nan(l, e->args[i++]);
    for (; i < end && !rc; i += 2) {
        buf_add_z(&l->out, " WHEN ");
        rc = lower_expr(l, e->args[i]);
        buf_add_z(&l->out, " THEN ");
        if (!rc) rc = lower_expr(l, e->args[i + 1]);
    }
    if (e->has_else && !rc) {
        buf_add_z(&l->out, " ELSE ");
        rc = lower_expr(l, e->args[end]);
    }
    buf_add_z(&l->out, " END");
    return rc;
}

static enum code lower_cast(struct lowerer *l, const struct sql_expr *e) {
    enum sql_type from = e->args[0]->type, to = e->to;
    if (from == to || from == SQL_UNKNOWN) return lower_expr(l, e->args[0]);
    bool plain = from == SQL_INT64 && to == SQL_FLOAT64;
    if (plain) buf_add_z(&l->out, "CAST(");
    else buf_printf(&l->out, "g_cast(%d, %d, %d, ", from, to, e->flag);
    enum code rc = lower_expr(l, e->args[0]);
    buf_add_z(&l->out, plain ? " AS REAL)" : ")");
    return rc;
}

static enum code lower_in(struct lowerer *l, const struct sql_expr *e) {
    buf_add_char(&l->out, '(');
    enum code rc = lower_not_nan(l, e->args[0]);
    buf_add_z(&l->out, e->flag ? " NOT IN (" : " IN (");
    if (!rc) rc = e->query ? lower_query(l, e->query) : lower_list(l, e->args + 1, e->n_args - 1, ", ");
    buf_add_z(&l->out, "))");
    return rc;
}

/* Does it give one row at most, whatever the data? */
static bool one_row(const struct sql_query *q) {
    if (q->limit && q->limit->kind == EX_LITERAL && q->limit->i <= 1) return true;
    return q->kind == QUERY_SELECT && (!q->from || (q->grouped && q->n_group == 0));
}

/* SQLite would take the first row of many; g_one refuses. */
static enum code lower_scalar(struct lowerer *l, const struct sql_query *q) {
    bool plain = one_row(q);
    buf_add_z(&l->out, plain ? "(" : "(SELECT g_one(q.o0) FROM (");
    enum code rc = lower_query(l, q);
    buf_add_z(&l->out, plain ? ")" : ") AS q)");
    return rc;
}

static enum code lower_logical(struct lowerer *l, const struct sql_expr *e) {
    buf_add_char(&l->out, '(');
    enum code rc = lower_list(l, e->args, e->n_args, e->kind == EX_AND ? " AND " : " OR ");
    buf_add_char(&l->out, ')');
    return rc;
}

static enum code lower_exists(struct lowerer *l, const struct sql_query *q) {
    buf_add_z(&l->out, "EXISTS (");
    enum code rc = lower_query(l, q);
    buf_add_char(&l->out, ')');
    return rc;
}

enum code lower_expr(struct lowerer *l, const struct sql_expr *e) {
    switch (e->kind) {
    case EX_NULL: buf_add_z(&l->out, "NULL"); return OK;
    case EX_LITERAL: write_literal(l, e); return OK;
    case EX_PARAM: buf_add_numbered(&l->out, "?", (uint64_t)e->i + 1); return OK;
    case EX_COLUMN: lower_column(l, e->source, e->column); return OK;
    case EX_ITEM: buf_add_numbered(&l->out, "o", (uint64_t)e->i); return OK;
    case EX_PART: buf_printf(&l->out, "%lld", (long long)e->i); return OK;
    case EX_CALL: return lower_call(l, e);
    case EX_AND:
    case EX_OR: return lower_logical(l, e);
    case EX_CASE: return lower_case(l, e);
    case EX_CAST: return lower_cast(l, e);
    case EX_IN:
    case EX_IN_QUERY: return lower_in(l, e);
    case EX_EXISTS: return lower_exists(l, e->query);
    case EX_SUBQUERY: return lower_scalar(l, e->query);
    case EX_INTERVAL: {
        enum code rc = lower_expr(l, e->args[0]);
        buf_printf(&l->out, ", %lld", (long long)e->i);
        return rc;
    }
    case EX_NAME: break;
    }
    return err_set(l->err, INTERNAL, "an expression was not analysed");
}
