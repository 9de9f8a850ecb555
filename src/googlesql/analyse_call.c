/* analyse_call.c: functions and operators: which row of the table is meant. */
#include <ctype.h>
#include <stdio.h>
#include "googlesql/analyser.h"
#include "googlesql/datetime.h"

static enum sql_type letter_type(char c) {
    switch (c) {
    case 'B': return SQL_BOOL;
    case 'I': return SQL_INT64;
    case 'F': return SQL_FLOAT64;
    case 'S': return SQL_STRING;
    case 'Y': return SQL_BYTES;
    case 'D': return SQL_DATE;
    case 'T': return SQL_TIMESTAMP;
    default: return SQL_UNKNOWN;
    }
}

/* The letter of argument i; '\0' when the signature takes fewer. */
static char letter_at(const char *signature, size_t i) {
    size_t n = 0;
    char last = '\0';
    for (const char *p = signature; *p != '>'; p++) {
        if (*p == '*') return last;
        if (*p == '?') continue;
        last = *p;
        if (n++ == i) return last;
    }
    return '\0';
}

static size_t least_arguments(const char *signature) {
    size_t n = 0;
    for (const char *p = signature; *p != '>' && *p != '?'; p++) n += *p != '*';
    if (n > 1 && signature[n] == '*') n--; /* "SS*": one S, then any number */
    return n;
}

/* The cost of calling this row, or NO_COERCION; *ret_any is what A stands for. */
static unsigned row_cost(const struct sql_function *f, const struct sql_expr *e, enum sql_type *ret_any) {
    struct sql_expr *any[64];
    size_t n_any = 0;
    unsigned cost = 0;
    if (e->n_args < least_arguments(f->signature)) return NO_COERCION;
    for (size_t i = 0; i < e->n_args; i++) {
        char c = letter_at(f->signature, i);
        const struct sql_expr *arg = e->args[i];
        unsigned one = 0;
        if (c == '\0' || (c == 'P') != (arg->kind == EX_PART) || (c == 'N') != (arg->kind == EX_INTERVAL))
            return NO_COERCION;
        if (c == 'A' && n_any < COUNT(any)) any[n_any++] = e->args[i];
        else if (c != 'A' && c != 'P' && c != 'N') one = coercion_cost(arg, letter_type(c));
        if (one >= NO_COERCION) return NO_COERCION;
        cost += one;
    }
    *ret_any = SQL_UNKNOWN;
    if (n_any && !common_type(any, n_any, ret_any)) return NO_COERCION;
    for (size_t i = 0; i < e->n_args; i++) {
        if (letter_at(f->signature, i) != 'A' || *ret_any == SQL_UNKNOWN) continue;
        unsigned one = coercion_cost(e->args[i], *ret_any);
        if (one >= NO_COERCION) return NO_COERCION;
        cost += one;
    }
    return cost;
}

const struct sql_function *find_overload(struct str name, const struct sql_expr *e, enum sql_type *ret_any) {
    const struct sql_function *best = NULL;
    unsigned least = NO_COERCION;
    for (size_t i = 0; i < sql_n_functions; i++) {
        enum sql_type any;
        if (!str_eq_nocase(name, str_z(sql_functions[i].name))) continue;
        unsigned cost = row_cost(&sql_functions[i], e, &any);
        if (cost >= least) continue;
        least = cost;
        best = &sql_functions[i];
        *ret_any = any;
    }
    return best;
}

enum code apply_overload(struct analyser *a, struct sql_expr *e, const struct sql_function *f, enum sql_type any) {
    for (size_t i = 0; i < e->n_args; i++) {
        char c = letter_at(f->signature, i);
        if (c == 'P' || c == 'N') continue;
        enum code rc = coerce(a, &e->args[i], c == 'A' ? any : letter_type(c));
        if (rc) return rc;
    }
    const char *result = f->signature;
    while (*result != '>') result++;
    e->function = f;
    e->type = result[1] == 'A' ? any : letter_type(result[1]);
    return OK;
}

static bool is_operator(struct str name) {
    return !isalpha((unsigned char)name.p[0]) || str_find_char(name, ' ') >= 0 || str_eq_z(name, "NOT") ||
           str_eq_z(name, "LIKE") || str_eq_z(name, "BETWEEN");
}

/* As the statement spells it: <> is parsed as !=, and NOT LIKE as NOT of LIKE. */
static struct str operator_spelling(const struct analyser *a, const struct sql_expr *e) {
    struct str here = str_from(a->text, e->at);
    if (str_starts(here, STR("<>"))) return STR("<>");
    if (str_eq_z(e->text, "LIKE") && str_eq_nocase(str_upto(here, 3), STR("NOT"))) return STR("NOT LIKE");
    return e->text;
}

/* `x = NULL` is a mistake rather than a question. Some operators do take it. */
static enum code check_literal_null(const struct analyser *a, const struct sql_expr *e) {
    static const struct str takes[] = { STR_INIT("<<"),      STR_INIT(">>"),      STR_INIT("BETWEEN"),
                                        STR_INIT("IS NULL"), STR_INIT("IS TRUE"), STR_INIT("IS FALSE") };
    if (!is_operator(e->text)) return OK;
    for (size_t i = 0; i < COUNT(takes); i++)
        if (str_eq(e->text, takes[i])) return OK;
    for (size_t i = 0; i < e->n_args; i++)
        if (e->args[i]->kind == EX_NULL)
            return fault(a, INVALID_ARGUMENT, e->args[i]->at, "Operands of %.*s cannot be literal NULL",
                         STR_ARG(operator_spelling(a, e)));
    return OK;
}

static enum code no_overload(struct analyser *a, const struct sql_expr *e) {
    char types[300] = "";
    size_t n = 0;
    for (size_t i = 0; i < e->n_args && n < sizeof types - 20; i++) {
        const struct sql_expr *arg = e->args[i];
        const char *type = arg->kind == EX_PART       ? "DATE_TIME_PART"
                           : arg->kind == EX_INTERVAL ? "INTERVAL"
                           : arg->type                ? sql_type_name(arg->type)
                                                      : "NULL";
        n += (size_t)snprintf(types + n, sizeof types - n, "%s%s", i ? ", " : "", type);
    }
    const char *what = is_operator(e->text) ? "operator" : "function";
    if (e->n_args == 0)
        return fault(a, INVALID_ARGUMENT, e->at, "No matching signature for %s %.*s with no arguments", what,
                     STR_ARG(e->text));
    return fault(a, INVALID_ARGUMENT, e->at, "No matching signature for %s %.*s for argument types: %s", what,
                 STR_ARG(e->text), types);
}

static const struct sql_function count_star = { "COUNT", ">I", "=count(*)", FN_AGGREGATE | FN_NO_DISTINCT, "" };

static bool takes_part(struct str name, size_t i) {
    static const char *const second[] = { "DATE_TRUNC", "TIMESTAMP_TRUNC" }, *const third[] = { "DATE_DIFF",
                                                                                                "TIMESTAMP_DIFF" };
    for (size_t k = 0; k < COUNT(second); k++)
        if ((i == 1 && str_eq_nocase(name, str_z(second[k]))) || (i == 2 && str_eq_nocase(name, str_z(third[k]))))
            return true;
    return false;
}

static enum code resolve_part(struct analyser *a, struct sql_expr *e, struct str name) {
    e->kind = EX_PART;
    e->text = name;
    e->i = date_part_find(name);
    if (e->i == PART_NONE)
        return fault(a, INVALID_ARGUMENT, e->at, "A valid date part name is required but found %.*s", STR_ARG(name));
    return OK;
}

static enum code resolve_arguments(struct analyser *a, struct scope *s, struct sql_expr *e) {
    for (size_t i = 0; i < e->n_args; i++) {
        struct sql_expr *arg = e->args[i];
        enum code rc;
        if (arg->kind == EX_PART) rc = resolve_part(a, arg, arg->text);
        else if (arg->kind == EX_NAME && arg->n_path == 1 && takes_part(e->text, i))
            rc = resolve_part(a, arg, arg->path[0]);
        else if (takes_part(e->text, i) && arg->kind == EX_CALL)
            return fault(a, UNIMPLEMENTED, arg->at, "Weeks that begin on a named day: not supported yet");
        else rc = analyse_expr(a, s, arg);
        if (rc) return rc;
    }
    return OK;
}

/* An aggregate whose arguments name only columns of the query around it would belong to that one in SQLite, not here. */
static enum code check_aggregate(struct analyser *a, struct scope *s, struct sql_expr *e) {
    if (s->clause)
        return fault(a, INVALID_ARGUMENT, e->at, "Aggregate function %s not allowed in %s", e->function->name, s->clause);
    if (e->distinct && (e->function->flags & FN_NO_DISTINCT))
        return fault(a, UNIMPLEMENTED, e->at, "%s with DISTINCT: not supported yet", e->function->name);
    bool foreign = false, own = false;
    for (size_t i = 0; i < e->n_args; i++) own = has_own_column(e->args[i], s->query, &foreign) || own;
    if (foreign && !own)
        return fault(a, UNIMPLEMENTED, e->at, "An aggregate over columns of an outer query only: not supported yet");
    if (e->n_args > 1 && e->args[1]->kind != EX_LITERAL && e->args[1]->kind != EX_PARAM)
        return fault(a, INVALID_ARGUMENT, e->args[1]->at, "Argument 2 to %s must be a literal or query parameter",
                     e->function->name);
    s->query->grouped = true;
    return OK;
}

#define BIT(part) (1u << (part))
enum {
    CLOCK_PARTS = BIT(PART_NANOSECOND) | BIT(PART_MICROSECOND) | BIT(PART_MILLISECOND) | BIT(PART_SECOND) |
                  BIT(PART_MINUTE) | BIT(PART_HOUR),
    CALENDAR_PARTS = BIT(PART_DAY) | BIT(PART_WEEK) | BIT(PART_MONTH) | BIT(PART_QUARTER) | BIT(PART_YEAR),
    FIELD_PARTS = CALENDAR_PARTS | BIT(PART_ISOWEEK) | BIT(PART_ISOYEAR) | BIT(PART_DAYOFWEEK) | BIT(PART_DAYOFYEAR),
};

/* Which parts a function takes, by the SQLite function behind it. */
static const struct {
    const char *lower;
    unsigned parts;
} part_rules[] = {
    { "g_date_add", CALENDAR_PARTS },
    { "g_date_sub", CALENDAR_PARTS },
    { "g_date_diff", CALENDAR_PARTS | BIT(PART_ISOWEEK) | BIT(PART_ISOYEAR) },
    { "g_date_trunc", CALENDAR_PARTS },
    { "g_extract_d", FIELD_PARTS },
    { "g_extract_t", FIELD_PARTS | CLOCK_PARTS },
    { "g_timestamp_add", CLOCK_PARTS | BIT(PART_DAY) },
    { "g_timestamp_sub", CLOCK_PARTS | BIT(PART_DAY) },
    { "g_timestamp_diff", CLOCK_PARTS | BIT(PART_DAY) },
    { "g_timestamp_trunc", CLOCK_PARTS | CALENDAR_PARTS },
};

static enum code check_parts(struct analyser *a, const struct sql_expr *e) {
    for (size_t i = 0; i < e->n_args; i++) {
        const struct sql_expr *arg = e->args[i];
        if (arg->kind != EX_PART && arg->kind != EX_INTERVAL) continue;
        if (arg->i == PART_NONE)
            return fault(a, INVALID_ARGUMENT, arg->at, "A valid date part name is required but found %.*s",
                         STR_ARG(arg->text));
        for (size_t k = 0; k < COUNT(part_rules); k++)
            if (str_eq(str_z(part_rules[k].lower), str_z(e->function->lower)) && !(part_rules[k].parts & BIT(arg->i)))
                return fault(a, INVALID_ARGUMENT, e->at, "%s does not support the %.*s date part", e->function->name,
                             STR_ARG(arg->text));
    }
    return OK;
}

static bool is_aggregate_name(struct str name) {
    for (size_t i = 0; i < sql_n_functions; i++)
        if (str_eq_nocase(name, str_z(sql_functions[i].name))) return sql_functions[i].flags & FN_AGGREGATE;
    return false;
}

static enum code unknown_function(struct analyser *a, const struct sql_expr *e) {
    if (sql_function_elsewhere(e->text))
        return fault(a, UNIMPLEMENTED, e->at, "Function %.*s: not supported yet", STR_ARG(e->text));
    return fault(a, INVALID_ARGUMENT, e->at, "Function not found: %.*s", STR_ARG(e->text));
}

/* EXTRACT(DATE FROM t) is DATE(t): the one part that is no INT64. */
static enum code extract_date(struct analyser *a, struct sql_expr *e, bool *ret_done) {
    *ret_done = str_eq_nocase(e->text, STR("EXTRACT")) && e->n_args >= 2 && e->args[0]->i == PART_DATE;
    if (!*ret_done) return OK;
    if (e->args[1]->type != SQL_TIMESTAMP) return no_overload(a, e);
    e->text = STR("DATE");
    e->args++;
    e->n_args--;
    enum sql_type any;
    const struct sql_function *f = find_overload(e->text, e, &any);
    return f ? apply_overload(a, e, f, any) : no_overload(a, e);
}

enum code resolve_call(struct analyser *a, struct scope *s, struct sql_expr *e) {
    bool aggregate = is_aggregate_name(e->text), within = s->in_aggregate;
    if (!sql_function_known(e->text)) return unknown_function(a, e);
    if (aggregate && within) return fault(a, INVALID_ARGUMENT, e->at, "Aggregations of aggregations are not allowed");
    if (!aggregate && e->distinct)
        return fault(a, INVALID_ARGUMENT, e->at, "Non-aggregate %.*s() call cannot use DISTINCT", STR_ARG(e->text));
    if (e->star && !str_eq_nocase(e->text, STR("COUNT")))
        return fault(a, INVALID_ARGUMENT, e->at, "Argument * can only be used in COUNT(*)");
    if (aggregate) s->in_aggregate = true;
    enum code rc = resolve_arguments(a, s, e);
    s->in_aggregate = within;
    if (rc) return rc;
    bool done;
    rc = extract_date(a, e, &done);
    if (rc || done) return rc;
    enum sql_type any = SQL_UNKNOWN;
    const struct sql_function *f = e->star ? &count_star : find_overload(e->text, e, &any);
    if (!f) return no_overload(a, e);
    if (f->lower[0] == '!')
        return fault(a, UNIMPLEMENTED, e->at, "Function %s with these arguments: not supported yet", f->name);
    rc = check_literal_null(a, e);
    if (!rc) rc = apply_overload(a, e, f, any);
    if (!rc) rc = check_parts(a, e);
    if (rc) return rc;
    if (e->flag && aggregate) return fault(a, UNIMPLEMENTED, e->at, "SAFE. with aggregates: not supported yet");
    if (e->flag && (f->flags & FN_ERRORS)) return fault(a, UNIMPLEMENTED, e->at, "SAFE.%s: not supported yet", f->name);
    return aggregate ? check_aggregate(a, s, e) : OK;
}
