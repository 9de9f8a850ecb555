/* The text of a proposal: one statement for all data of a path, one for each other thing that is missing. */
#include "base/clock.h"
#include "policy/print.h"
#include "policy/propose.h"
#include "wire/url.h"

enum { PROPOSED_DAYS = 90 };

static bool is_data(enum verb verb) {
    return verb <= VERB_READ_SCHEMA;
}

/* Data of the whole database: the rule names no tables. */
static bool has_tables(enum verb verb) {
    return verb <= VERB_CHANGE_SCHEMA;
}

/* ---- tables and columns ---- */

static struct atom of_column(const struct atom *a, const struct str *column) {
    return (struct atom){ .verb = a->verb, .path = a->path, .object = a->object, .columns = column, .n_columns = 1 };
}

/* One that nothing denies: of the request's, else one that a rule names, else none (the whole table). */
static struct str candidate(const struct proposal *x, const struct atom *a) {
    const struct node *n = node_find(x->policy, NODE_TABLE, a->path, a->object);
    size_t named = n && !a->n_columns ? n->n_columns : 0;
    for (size_t i = 0; i < a->n_columns + named; i++) {
        struct str column = i < a->n_columns ? a->columns[i] : n->columns[i - a->n_columns];
        struct atom one = of_column(a, &column);
        if (proposal_judge(x, &one) != DENIED) return column;
    }
    return (struct str){ 0 };
}

static bool named_before(const struct atom *a, size_t column) {
    for (size_t i = 0; i < column; i++)
        if (str_eq_nocase(a->columns[i], a->columns[column])) return true;
    return false;
}

static void add_missing_columns(struct buf *out, const struct proposal *x, const struct atom *a) {
    bool first = true;
    for (size_t i = 0; i < a->n_columns; i++) {
        struct atom one = of_column(a, &a->columns[i]);
        if (named_before(a, i) || proposal_judge(x, &one) == REASON_NONE) continue;
        buf_add_z(out, first ? "(" : ", ");
        print_table_name(out, a->columns[i]);
        first = false;
    }
    if (!first) buf_add_char(out, ')');
}

static void add_table(struct buf *out, const struct proposal *x, const struct atom *a) {
    print_table_name(out, a->object);
    if (a->verb == VERB_DELETE || a->verb == VERB_CHANGE_SCHEMA) return;
    if (!a->any_column) {
        add_missing_columns(out, x, a);
        return;
    }
    struct str column = candidate(x, a);
    if (!column.n) return;
    buf_add_char(out, '(');
    print_table_name(out, column);
    buf_add_char(out, ')');
}

/* ---- data ---- */

/* All that is missing of one verb in one path, as one `data` of the grammar. */
static bool add_verb(struct buf *out, const struct proposal *x, struct str path, enum verb verb, bool first_verb) {
    const struct atoms *atoms = x->recorded->atoms;
    bool any = false;
    for (size_t i = 0; i < atoms->n; i++) {
        const struct atom *a = &atoms->items[i];
        if (a->verb != verb || !str_eq(a->path, path) || proposal_judge(x, a) == REASON_NONE) continue;
        if (any && !has_tables(verb)) continue;
        if (any) buf_add_z(out, ", ");
        else buf_printf(out, "%s%s", first_verb ? "" : " and ", verb_name(verb));
        if (!any && has_tables(verb)) buf_add_char(out, ' ');
        if (has_tables(verb)) add_table(out, x, a);
        any = true;
    }
    return any;
}

static void add_data(struct buf *out, const struct proposal *x, struct str path) {
    bool first = true;
    for (unsigned v = 0; v < VERB_COUNT; v++)
        if (is_data((enum verb)v) && add_verb(out, x, path, (enum verb)v, first)) first = false;
    buf_printf(out, " in %.*s", STR_ARG(path));
}

/* ---- the rest ---- */

/* A loopback address is dialled only where the rule itself writes the port. */
static void add_call(struct buf *out, const struct atom *a) {
    char buf[URL_MAX];
    struct url u;
    if (url_parse(a->object, buf, &u, NULL)) return; /* never: the proposal took only what can be written */
    buf_printf(out, "call \"%.*s://%.*s", STR_ARG(u.scheme), STR_ARG(u.authority));
    if (url_is_loopback(&u) && !u.port_written) buf_printf(out, ":%u", (unsigned)u.port);
    buf_printf(out, "%.*s\" with audience ", STR_ARG(u.path));
    print_string(out, a->account);
}

static void add_placed(struct buf *out, const struct proposal *x, const struct atom *a) {
    struct str account = policy_account_name(x->policy, a->account);
    if (a->verb == VERB_ACT_AS) buf_printf(out, "act as %.*s", STR_ARG(account));
    else if (a->verb == VERB_CALL) add_call(out, a);
    else if (a->verb == VERB_ADMINISTER) buf_printf(out, "administer %.*s", STR_ARG(a->path));
    else if (a->verb != VERB_RUN_JOB) buf_printf(out, "%s on %.*s", verb_name(a->verb), STR_ARG(a->path));
    else {
        buf_printf(out, a->object.n ? "run job %.*s" : "run jobs%.*s", STR_ARG(a->object));
        buf_printf(out, " on %.*s as %.*s", STR_ARG(a->path), STR_ARG(account));
    }
}

static void add_end(struct buf *out, const struct proposal *x, const struct stmt *domain) {
    int64_t year;
    unsigned month, day;
    clock_civil_from_days(x->now_us / (INT64_C(86400) * 1000000) + PROPOSED_DAYS, &year, &month, &day);
    buf_add_z(out, "\n    ");
    if (symbol(x->policy, 'j', x->recorded->job)) buf_printf(out, "during job %.*s ", STR_ARG(x->recorded->job));
    buf_printf(out, "owner %.*s until %04lld-%02u-%02u\n", STR_ARG(domain->clauses.owner.text), (long long)year, month,
               day);
}

static bool same_placed(const struct atom *a, const struct atom *b) {
    return a->verb == b->verb && str_eq(a->path, b->path) && str_eq(a->object, b->object) && str_eq(a->account, b->account);
}

static bool written_before(const struct proposal *x, size_t at) {
    const struct atom *items = x->recorded->atoms->items, *a = &items[at];
    for (size_t i = 0; i < at; i++) {
        bool same = is_data(a->verb) ? is_data(items[i].verb) && str_eq(items[i].path, a->path) : same_placed(&items[i], a);
        if (same && proposal_judge(x, &items[i]) != REASON_NONE) return true;
    }
    return false;
}

void propose_statement(const struct proposal *x, struct proposal_part *part, size_t at) {
    const struct atom *a = &x->recorded->atoms->items[at];
    if (written_before(x, at)) return;
    buf_printf(&part->rule, "allow %.*s to ", STR_ARG(x->who));
    if (is_data(a->verb)) add_data(&part->rule, x, a->path);
    else add_placed(&part->rule, x, a);
    add_end(&part->rule, x, part->domain);
}
