#include "policy/propose.h"
#include <stdio.h>
#include <string.h>
#include "base/clock.h"
#include "policy/print.h"
#include "wire/url.h"

enum { PROPOSED_DAYS = 90 };

static enum reason decide_one(const struct proposal *x, struct atom atom) {
    struct verdict verdict;
    policy_decide(x->policy, x->subject, &(struct atoms){ &atom, 1, 1 }, x->now_us, &verdict);
    return verdict.reason;
}

static bool is_missing(const struct proposal *x, const struct atom *a) {
    return decide_one(x, *a) != REASON_NONE;
}

/* ---- what may stand in a proposal: the request's words are the caller's, who must not write rules through them ---- */

static const char CANNOT_WRITE[] = "the request holds names that no statement can hold";

static bool is_word(struct str s, const char *more) {
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool fits = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c && strchr(more, c));
        if (!fits) return false;
    }
    return true;
}

static bool is_printable(struct str s) {
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] < ' ' || s.p[i] > '~') return false;
    return true;
}

static bool is_writable(const struct proposal *x, const struct atom *a) {
    struct str path = a->path;
    (void)str_cut(&path, ' ');
    if (!is_word(path, "-_/")) return false;
    for (size_t i = 0; i < a->n_columns; i++)
        if (!a->columns[i].n || !is_word(a->columns[i], "_")) return false;
    if (a->verb == VERB_RUN_JOB) return !a->object.n || symbol(x->policy, 'j', a->object);
    if (a->verb == VERB_CALL) return url_is_normal(a->object) && is_printable(a->account);
    return is_word(a->object, "_.");
}

static bool is_data(enum verb verb) {
    return verb <= VERB_READ_SCHEMA;
}

/* ---- who ---- */

/* An account before others, as it is what a job or a token acts as; else the identity that asks most, so that the fewest
 * bear it; else the first by name. */
static struct str known_name(const struct proposal *x) {
    const struct policy_names *sure = &x->recorded->bearing.sure;
    const struct stmt *best = NULL;
    for (size_t i = 0; i < sure->n; i++) {
        const struct stmt *s = symbol(x->policy, 'n', sure->items[i]);
        if (s && s->kind == STMT_ACCOUNT) return s->name.text;
        if (s && (!best || s->tests.n > best->tests.n)) best = s;
    }
    return best ? best->name.text : (struct str){ 0 };
}

/* Nobody that the policy names: the proposal begins by naming them. */
static void name_caller(struct proposal *x) {
    const struct policy_recorded *r = x->recorded;
    (void)snprintf(x->fresh, sizeof x->fresh, "caller");
    for (unsigned i = 2; symbol(x->policy, 'n', str_z(x->fresh)); i++)
        (void)snprintf(x->fresh, sizeof x->fresh, "caller-%u", i);
    bool is_account = !r->issuer.n && str_find_char(r->subject, '@') > 0;
    if (!is_printable(r->subject) || !is_word(r->issuer, "-_")) x->unhelpful = CANNOT_WRITE;
    else if (!r->subject.n || (!r->issuer.n && !is_account)) {
        x->unhelpful = "the policy names nobody with this proof, and the record does not say whom to name";
    }
    if (x->unhelpful) return;
    if (is_account) buf_printf(&x->rule, "account %s is ", x->fresh);
    else buf_printf(&x->rule, "identity %s is oidc %.*s where sub = ", x->fresh, STR_ARG(r->issuer));
    print_string(&x->rule, r->subject);
    buf_add_char(&x->rule, '\n');
    x->who = str_z(x->fresh);
}

/* ---- where ---- */

static const struct stmt *domain_of_path(const struct policy *p, struct str path) {
    for (size_t i = 0; i < p->n_domains; i++)
        for (size_t k = 0; k < p->domains[i]->members.n; k++)
            if (path_covers(p->domains[i]->members.items[k].text, path)) return p->domains[i];
    return NULL;
}

static const struct stmt *domain_of_account(const struct policy *p, struct str email) {
    const struct stmt *account = symbol(p, 'e', email);
    for (size_t i = 0; account && i < p->n_domains; i++)
        if (p->domains[i]->file == account->file) return p->domains[i];
    return NULL;
}

/* What has no path goes where its subject is named, else to the first file. */
static const struct stmt *domain_of_name(const struct policy *p, struct str name) {
    const struct stmt *subject = symbol(p, 'n', name);
    for (size_t i = 0; subject && i < p->n_domains; i++)
        if (p->domains[i]->file == subject->file) return p->domains[i];
    return p->n_domains ? p->domains[0] : NULL;
}

static const struct stmt *domain_of(const struct proposal *x, const struct atom *a) {
    if (a->verb == VERB_CALL) return domain_of_name(x->policy, x->who);
    return a->verb == VERB_ACT_AS ? domain_of_account(x->policy, a->account) : domain_of_path(x->policy, a->path);
}

static void place(struct proposal *x, const struct atom *a) {
    const struct stmt *domain = domain_of(x, a);
    if (a->verb != VERB_CALL && a->account.n && !policy_account_name(x->policy, a->account).n)
        x->unhelpful = "the policy has no such account";
    else if (!domain) x->unhelpful = "no domain covers what is asked for";
    else if (x->domain && x->domain != domain)
        x->unhelpful = "it needs rules in more than one domain: ask for less at once";
    else x->domain = domain;
}

/* ---- what ---- */

static void add_columns(struct buf *out, const struct str *columns, size_t n) {
    for (size_t i = 0; i < n; i++) {
        buf_add_z(out, i ? ", " : "(");
        print_table_name(out, columns[i]);
    }
    if (n) buf_add_char(out, ')');
}

/* One that nothing denies: of the request's, else one that a rule names, else none (the whole table). */
static struct str candidate(const struct proposal *x, const struct atom *a) {
    const struct node *n = node_find(x->policy, NODE_TABLE, a->path, a->object);
    size_t named = n && !a->n_columns ? n->n_columns : 0;
    for (size_t i = 0; i < a->n_columns + named; i++) {
        struct str column = i < a->n_columns ? a->columns[i] : n->columns[i - a->n_columns];
        struct atom one = { .verb = a->verb, .path = a->path, .object = a->object, .columns = &column, .n_columns = 1 };
        if (decide_one(x, one) != DENIED) return column;
    }
    return (struct str){ 0 };
}

static void add_missing_columns(struct proposal *x, const struct atom *a) {
    bool first = true;
    for (size_t i = 0; i < a->n_columns; i++) {
        struct atom one = {
            .verb = a->verb, .path = a->path, .object = a->object, .columns = &a->columns[i], .n_columns = 1
        };
        bool again = false;
        for (size_t k = 0; k < i; k++) again = again || str_eq_nocase(a->columns[k], a->columns[i]);
        if (again || !is_missing(x, &one)) continue;
        buf_add_z(&x->rule, first ? "(" : ", ");
        print_table_name(&x->rule, a->columns[i]);
        first = false;
    }
    if (!first) buf_add_char(&x->rule, ')');
}

static void add_table(struct proposal *x, const struct atom *a) {
    print_table_name(&x->rule, a->object);
    if (a->verb == VERB_DELETE || a->verb == VERB_CHANGE_SCHEMA) return;
    if (!a->any_column) {
        add_missing_columns(x, a);
        return;
    }
    struct str column = candidate(x, a);
    add_columns(&x->rule, &column, column.n ? 1 : 0);
}

static void add_end(struct proposal *x) {
    int64_t year;
    unsigned month, day;
    clock_civil_from_days(x->now_us / (INT64_C(86400) * 1000000) + PROPOSED_DAYS, &year, &month, &day);
    buf_add_z(&x->rule, "\n    ");
    if (symbol(x->policy, 'j', x->recorded->job)) buf_printf(&x->rule, "during job %.*s ", STR_ARG(x->recorded->job));
    buf_printf(&x->rule, "owner %.*s until %04lld-%02u-%02u\n", STR_ARG(x->domain->clauses.owner.text), (long long)year,
               month, day);
}

static void begin(struct proposal *x) {
    buf_printf(&x->rule, "allow %.*s to ", STR_ARG(x->who));
}

/* All that is missing of one verb in one path, as one `data` of the grammar. */
static bool add_verb(struct proposal *x, struct str path, enum verb verb, bool first_verb) {
    const struct atoms *atoms = x->recorded->atoms;
    bool any = false;
    for (size_t i = 0; i < atoms->n; i++) {
        const struct atom *a = &atoms->items[i];
        if (a->verb != verb || !str_eq(a->path, path) || !is_missing(x, a)) continue;
        if (any && verb == VERB_READ_SCHEMA) continue;
        if (any) buf_add_z(&x->rule, ", ");
        else buf_printf(&x->rule, "%s%s", first_verb ? "" : " and ", verb_name(verb));
        if (verb == VERB_READ_SCHEMA) buf_add_z(&x->rule, "");
        else {
            if (!any) buf_add_char(&x->rule, ' ');
            add_table(x, a);
        }
        any = true;
    }
    return any;
}

static bool path_came_before(const struct proposal *x, size_t at) {
    const struct atom *items = x->recorded->atoms->items;
    for (size_t i = 0; i < at; i++)
        if (is_data(items[i].verb) && str_eq(items[i].path, items[at].path) && is_missing(x, &items[i])) return true;
    return false;
}

static void propose_data(struct proposal *x, struct str path) {
    bool first = true;
    begin(x);
    for (unsigned v = 0; v < VERB_COUNT; v++)
        if (is_data((enum verb)v) && add_verb(x, path, (enum verb)v, first)) first = false;
    buf_printf(&x->rule, " in %.*s", STR_ARG(path));
    add_end(x);
}

/* A loopback address is dialled only where the rule itself writes the port. */
static bool is_loopback(const struct url *u) {
    if (u->numeric) return str_starts(u->host, STR("127.")) || str_eq(u->host, STR("::1"));
    return str_eq(u->host, STR("localhost")) || str_ends(u->host, STR(".localhost"));
}

static void add_call(struct proposal *x, const struct atom *a) {
    char buf[URL_MAX];
    struct url u;
    if (url_parse(a->object, buf, &u, NULL)) return; /* is_writable looked */
    buf_printf(&x->rule, "call \"%.*s://%.*s", STR_ARG(u.scheme), STR_ARG(u.authority));
    if (is_loopback(&u) && !u.port_written) buf_printf(&x->rule, ":%u", (unsigned)u.port);
    buf_printf(&x->rule, "%.*s\" with audience ", STR_ARG(u.path));
    print_string(&x->rule, a->account);
}

static void propose_placed(struct proposal *x, const struct atom *a) {
    struct str account = policy_account_name(x->policy, a->account);
    begin(x);
    if (a->verb == VERB_ACT_AS) buf_printf(&x->rule, "act as %.*s", STR_ARG(account));
    else if (a->verb == VERB_CALL) add_call(x, a);
    else if (a->verb == VERB_ADMINISTER) buf_printf(&x->rule, "administer %.*s", STR_ARG(a->path));
    else if (a->verb != VERB_RUN_JOB) buf_printf(&x->rule, "%s on %.*s", verb_name(a->verb), STR_ARG(a->path));
    else {
        buf_printf(&x->rule, a->object.n ? "run job %.*s" : "run jobs%.*s", STR_ARG(a->object));
        buf_printf(&x->rule, " on %.*s as %.*s", STR_ARG(a->path), STR_ARG(account));
    }
    add_end(x);
}

static bool admitted_by_others(const struct proposal *x, const struct atom *use) {
    const struct atoms *atoms = x->recorded->atoms;
    for (size_t i = 0; i < atoms->n; i++)
        if (atoms->items[i].verb != VERB_USE && str_eq(atoms->items[i].path, use->path) && is_missing(x, &atoms->items[i]))
            return true;
    return false;
}

static void propose_atom(struct proposal *x, size_t at) {
    const struct atom *a = &x->recorded->atoms->items[at];
    if (a->verb == VERB_USE) {
        if (!admitted_by_others(x, a))
            x->unhelpful = "any rule that allows something there admits; what the caller wants to do there says which";
        return;
    }
    place(x, a);
    if (!x->unhelpful && !is_writable(x, a)) x->unhelpful = CANNOT_WRITE;
    if (x->unhelpful) return;
    if (!is_data(a->verb)) propose_placed(x, a);
    else if (!path_came_before(x, at)) propose_data(x, a->path);
}

/* ---- does it help? The policy with the text appended must allow what was asked. ---- */

static bool load_with(const struct proposal *x, struct arena *arena, struct policy **ret) {
    const struct policy *p = x->policy;
    struct policy_faults faults;
    struct err err;
    struct policy_source *sources = ARENA_ARRAY(arena, struct policy_source, p->n_files);
    if (!sources) return false;
    for (size_t i = 0; i < p->n_files; i++) {
        sources[i] = (struct policy_source){ p->files[i].name, p->files[i].text };
        if (i == x->domain->file)
            sources[i].text = arena_printf(arena, "%.*s\n%.*s", STR_ARG(sources[i].text), STR_ARG(buf_str(&x->rule)));
        if (!sources[i].text.p) return false;
    }
    return policy_load(sources, p->n_files, NULL, arena, &faults, ret, &err) == OK;
}

static bool helps(const struct proposal *x) {
    DEFER(arena_freep) struct arena *arena = arena_new(64 << 20);
    DEFER(policy_unrefp) struct policy *after = NULL;
    struct verdict verdict;
    if (!arena || !load_with(x, arena, &after)) return false;
    struct policy_recorded r = *x->recorded;
    struct policy_names *sure = &r.bearing.sure;
    struct str *names = ARENA_ARRAY(arena, struct str, sure->n + 1);
    if (!names) return false;
    if (sure->n) memcpy(names, sure->items, sure->n * sizeof *names);
    names[sure->n] = x->who;
    *sure = (struct policy_names){ names, sure->n + 1 };
    const struct policy_subject *subject = subject_recorded(after, &r, arena);
    if (!subject) return false;
    policy_decide(after, subject, r.atoms, x->now_us, &verdict);
    return verdict.reason == REASON_NONE;
}

void propose(struct proposal *x) {
    const struct atoms *atoms = x->recorded->atoms;
    x->who = known_name(x);
    if (!x->who.n) name_caller(x);
    for (size_t i = 0; i < atoms->n && !x->unhelpful; i++)
        if (is_missing(x, &atoms->items[i])) propose_atom(x, i);
    if (!x->unhelpful && x->domain && !helps(x)) x->unhelpful = "no single rule that can be written here would let it pass";
    if (!x->unhelpful && !x->domain) x->unhelpful = "nothing is missing";
}
