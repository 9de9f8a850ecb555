/* analyse_types.c: which type may stand for which. INT64 becomes FLOAT64; literals and parameters of STRING become DATE or
 * TIMESTAMP; NULL and untyped parameters become anything. */
#include "googlesql/analyser.h"
#include "googlesql/datetime.h"

static bool is_literal(const struct sql_expr *e, enum sql_type type) {
    return e->kind == EX_LITERAL && e->type == type;
}

unsigned coercion_cost(const struct sql_expr *e, enum sql_type to) {
    if (e->type == to) return 0;
    if (e->type == SQL_UNKNOWN) return 0;
    if (e->type == SQL_INT64 && to == SQL_FLOAT64) return e->kind == EX_LITERAL ? 1 : 2;
    bool textual = is_literal(e, SQL_STRING) || (e->kind == EX_PARAM && e->type == SQL_STRING);
    if (textual && (to == SQL_DATE || to == SQL_TIMESTAMP)) return 1;
    return NO_COERCION;
}

static enum code cast_to(struct analyser *a, struct sql_expr **io, enum sql_type to) {
    struct sql_expr *cast = ARENA_NEW(a->arena, struct sql_expr);
    struct sql_expr **args = ARENA_ARRAY(a->arena, struct sql_expr *, 1);
    if (!cast || !args) return err_oom(a->err);
    args[0] = *io;
    *cast = (struct sql_expr){ .kind = EX_CAST, .type = to, .to = to, .at = (*io)->at, .args = args, .n_args = 1 };
    *io = cast;
    return OK;
}

static enum code literal_to_time(struct analyser *a, struct sql_expr *e, enum sql_type to) {
    if (!datetime_literal(a->arena, to, e->text, e))
        return fault(a, INVALID_ARGUMENT, e->at, "Could not cast literal to type %s", sql_type_name(to));
    e->type = to;
    return OK;
}

static void infer(struct analyser *a, struct sql_expr *e, enum sql_type to) {
    for (size_t i = 0; i < a->n_used; i++)
        if (str_eq_nocase(a->used[i].name, e->text)) a->used[i].type = to;
    e->type = to;
}

enum code coerce(struct analyser *a, struct sql_expr **io, enum sql_type to) {
    struct sql_expr *e = *io;
    if (e->type == to || to == SQL_UNKNOWN) return OK;
    if (e->kind == EX_PARAM && e->type == SQL_UNKNOWN) return infer(a, e, to), OK;
    if (e->type == SQL_UNKNOWN) return e->type = to, OK;
    if (is_literal(e, SQL_INT64) && to == SQL_FLOAT64) {
        e->f = (double)e->i;
        e->type = to;
        return OK;
    }
    if (is_literal(e, SQL_STRING) && (to == SQL_DATE || to == SQL_TIMESTAMP)) return literal_to_time(a, e, to);
    if (coercion_cost(e, to) < NO_COERCION) return cast_to(a, io, to);
    return fault(a, INVALID_ARGUMENT, e->at, "Could not cast %s to %s", sql_type_name(e->type), sql_type_name(to));
}

bool common_type(struct sql_expr *const *args, size_t n, enum sql_type *ret) {
    unsigned best = NO_COERCION;
    bool typed = false;
    *ret = SQL_UNKNOWN;
    for (unsigned to = SQL_BOOL; to <= SQL_BYTES; to++) {
        unsigned cost = 0;
        bool there = false;
        for (size_t i = 0; i < n && cost < NO_COERCION; i++) {
            typed = typed || args[i]->type != SQL_UNKNOWN;
            there = there || args[i]->type == to;
            unsigned c = coercion_cost(args[i], (enum sql_type)to);
            cost = c >= NO_COERCION ? NO_COERCION : cost + (c != 0);
        }
        if (!there || cost >= best) continue;
        best = cost;
        *ret = (enum sql_type)to;
    }
    return !typed || best < NO_COERCION;
}

enum code coerce_all(struct analyser *a, struct sql_expr **args, size_t n, enum sql_type to) {
    for (size_t i = 0; i < n; i++) {
        enum code rc = coerce(a, &args[i], to);
        if (rc) return rc;
    }
    return OK;
}
