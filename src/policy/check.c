/* What the text means as a whole: names, covers, owners, ends; and what a known schema says of tables. */
#include <string.h>
#include "base/buf.h"
#include "base/enc.h"
#include "crypto/hash.h"
#include "policy/lex.h"
#include "policy/print.h"
#include "policy/snapshot.h"

struct checker {
    struct policy *policy;
    const struct policy_context *context;
    struct policy_faults *faults;
    const struct file_ast *file;
    const struct stmt *domain;
    bool oom;
};

static void blame(struct checker *c, struct name at, bool warning, const char *fmt, ...) PRINTF_LIKE(4, 5);
static void blame(struct checker *c, struct name at, bool warning, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    struct policy_fault fault = { c->file->name, at.line, at.column, warning, arena_vprintf(c->policy->arena, fmt, args) };
    va_end(args);
    if (!policy_fault_add(c->faults, c->policy->arena, fault)) c->oom = true;
}

/* ---- names ---- */

static struct str key_of(char buf[512], char kind, struct str name) {
    if (name.n > 510) name.n = 510;
    buf[0] = kind;
    if (name.n) memcpy(buf + 1, name.p, name.n);
    return (struct str){ buf, name.n + 1 };
}

const struct stmt *symbol(const struct policy *policy, char kind, struct str name) {
    char buf[512];
    return name.n > 510 ? NULL : map_get(policy->names, key_of(buf, kind, name));
}

/* A word that would make a rule read wrong. */
static bool is_language(struct str name) {
    static const char *const words[] = { "anyone", "to",    "in",    "on",      "as",     "and",
                                         "except", "until", "owner", "because", "during", "from" };
    for (size_t i = 0; i < COUNT(words); i++)
        if (str_eq_z(name, words[i])) return true;
    return false;
}

static void define(struct checker *c, char kind, struct name name, const struct stmt *stmt) {
    char buf[512];
    if (name.text.n > 255) {
        blame(c, name, false, "is longer than 255 bytes");
        return;
    }
    if (is_language(name.text)) blame(c, name, false, "\"%.*s\" is a word of the language", STR_ARG(name.text));
    const struct stmt *old = symbol(c->policy, kind, name.text);
    if (old) {
        blame(c, name, false, "\"%.*s\" is already defined: %.*s:%u", STR_ARG(name.text),
              STR_ARG(c->policy->files[old->file].name), old->line);
        return;
    }
    union {
        const struct stmt *in;
        void *out;
    } value = { stmt };
    if (!map_put(c->policy->names, key_of(buf, kind, name.text), value.out, NULL)) c->oom = true;
}

static void define_stmt(struct checker *c, struct stmt *s) {
    switch (s->kind) {
    case STMT_DOMAIN: define(c, 'd', s->name, s); break;
    case STMT_IDENTITY:
    case STMT_GROUP: define(c, 'n', s->name, s); break;
    case STMT_ACCOUNT:
        define(c, 'n', s->name, s);
        if (s->broken) break;
        if (str_find_char(s->detail.text, '@') < 1) blame(c, s->detail, false, "is not an e-mail address");
        define(c, 'e', s->detail, s);
        break;
    case STMT_JOB: define(c, 'j', s->name, s); break;
    case STMT_TABLES: define(c, 't', s->name, s); break;
    case STMT_ALLOW:
    case STMT_DENY:
    case STMT_MASK:
    case STMT_LIMIT: break;
    }
    bool is_rule = s->kind >= STMT_ALLOW;
    if (s->label.text.n && is_rule) define(c, 'l', s->label, s);
    else if (s->label.text.n) blame(c, s->label, false, "only rules have labels");
}

static void subjects(struct checker *c, const struct names *names, bool accounts) {
    for (size_t i = 0; i < names->n; i++) {
        const struct stmt *s = symbol(c->policy, 'n', names->items[i].text);
        if (!s) blame(c, names->items[i], false, "\"%.*s\" is not defined", STR_ARG(names->items[i].text));
        else if (accounts && s->kind != STMT_ACCOUNT)
            blame(c, names->items[i], false, "\"%.*s\" is not an account", STR_ARG(names->items[i].text));
    }
}

static void jobs(struct checker *c, const struct names *names) {
    for (size_t i = 0; i < names->n; i++)
        if (!symbol(c->policy, 'j', names->items[i].text))
            blame(c, names->items[i], false, "job \"%.*s\" is not defined", STR_ARG(names->items[i].text));
}

/* ---- paths and tables ---- */

bool path_covers(struct str pattern, struct str path) {
    if (str_eq(pattern, path)) return true;
    if (!str_ends(pattern, STR("/*"))) return false;
    struct str prefix = str_upto(pattern, pattern.n - 1);
    return str_starts(path, prefix) && path.n > prefix.n && str_find_char(str_from(path, prefix.n), '/') < 0;
}

struct str path_wild(struct str path, char out[256]) {
    size_t n = path.n;
    while (n && path.p[n - 1] != '/') n--;
    if (!n || n + 1 > 256) return (struct str){ 0 };
    memcpy(out, path.p, n);
    out[n] = '*';
    return (struct str){ out, n + 1 };
}

static void covered(struct checker *c, struct name path) {
    if (path.text.n > 250) blame(c, path, false, "is longer than 250 bytes");
    if (!c->domain) return;
    for (size_t i = 0; i < c->domain->members.n; i++)
        if (path_covers(c->domain->members.items[i].text, path.text)) return;
    blame(c, path, false, "\"%.*s\" is not covered by domain %.*s", STR_ARG(path.text), STR_ARG(c->domain->name.text));
}

/* A spanner database holds tables; dataproc and synapse run jobs, of which only dataproc's are known by their code. */
static void system_is(struct checker *c, struct name path, enum act_kind kind) {
    bool spanner = str_starts(path.text, STR("spanner ")), synapse = str_starts(path.text, STR("synapse "));
    bool data = kind < ACT_RUN_JOBS;
    if (kind == ACT_ADMINISTER) return;
    if (data && !spanner) blame(c, path, false, "holds no tables: name a spanner database");
    if (!data && spanner) blame(c, path, false, "runs no jobs: name a dataproc or synapse path");
    if (kind == ACT_RUN_JOB && synapse)
        blame(c, path, false, "runs pipelines, not jobs of a job statement: write run jobs");
}

/* Requests come to every path, commits to databases only. */
static void countable(struct checker *c, const struct stmt *s) {
    bool spanner = str_starts(s->path.text, STR("spanner "));
    for (size_t i = 0; i < s->bounds.n; i++)
        if (!spanner && str_eq(s->bounds.items[i].unit.text, STR("commits")))
            blame(c, s->bounds.items[i].unit, false, "there are no commits in %.*s: name a spanner database",
                  STR_ARG(s->path.text));
}

static void schema(struct checker *c, const struct table_refs *tables, struct str path) {
    if (!c->context || !c->context->column || str_ends(path, STR("*"))) return;
    for (size_t i = 0; i < tables->n; i++) {
        const struct table_ref *t = &tables->items[i];
        enum policy_known known = c->context->column(c->context->user, path, t->name.text, (struct str){ 0 });
        if (known == POLICY_ABSENT)
            blame(c, t->name, true, "%.*s has no table \"%.*s\"", STR_ARG(path), STR_ARG(t->name.text));
        for (size_t k = 0; known == POLICY_PRESENT && k < t->columns.n; k++) {
            struct name column = t->columns.items[k];
            if (c->context->column(c->context->user, path, t->name.text, column.text) == POLICY_ABSENT)
                blame(c, column, true, "table \"%.*s\" has no column \"%.*s\"", STR_ARG(t->name.text),
                      STR_ARG(column.text));
        }
    }
}

/* DELETE and DDL touch whole rows and tables: columns beside them would say what is not so. */
static void whole_tables(struct checker *c, const struct act *a, const struct table_refs *tables, struct name at) {
    const char *verb = a->kind == ACT_CHANGE_SCHEMA ? "change schema" : a->verbs & 1u << VERB_DELETE ? "delete" : NULL;
    if (a->kind != ACT_DML && a->kind != ACT_CHANGE_SCHEMA) return;
    for (size_t i = 0; verb && i < tables->n; i++) {
        if (!tables->items[i].has_columns) continue;
        blame(c, at.text.n ? at : tables->items[i].name, false, "%s takes whole tables, without columns", verb);
        return;
    }
}

static void named_tables(struct checker *c, const struct stmt *s, const struct act *a) {
    const struct stmt *t = symbol(c->policy, 't', a->named.text);
    if (!t) {
        blame(c, a->named, false, "tables \"%.*s\" are not defined", STR_ARG(a->named.text));
        return;
    }
    if (!path_covers(t->path.text, s->path.text))
        blame(c, a->named, false, "tables \"%.*s\" are in %.*s, not in %.*s", STR_ARG(a->named.text), STR_ARG(t->path.text),
              STR_ARG(s->path.text));
    whole_tables(c, a, &t->tables, a->named);
}

static void act(struct checker *c, const struct stmt *s, const struct act *a) {
    if (a->set == SET_NAMED) named_tables(c, s, a);
    if (a->set == SET_LIST) {
        whole_tables(c, a, &a->tables, (struct name){ 0 });
        schema(c, &a->tables, s->path.text);
    }
    jobs(c, &a->jobs);
    if (a->kind == ACT_ACT_AS || a->kind == ACT_RUN_JOB || a->kind == ACT_RUN_JOBS) subjects(c, &a->as, true);
    if (a->path.text.n) covered(c, a->path);
    if (a->path.text.n) system_is(c, a->path, a->kind);
}

/* ---- statements ---- */

static struct name at_start(const struct stmt *s) {
    return (struct name){ .line = s->line, .column = 1 };
}

static void rule(struct checker *c, const struct stmt *s) {
    const struct clauses *k = &s->clauses;
    subjects(c, &s->who.names, false);
    for (size_t i = 0; i < s->acts.n; i++) act(c, s, &s->acts.items[i]);
    if (s->path.text.n) {
        covered(c, s->path);
        if (s->kind == STMT_LIMIT) countable(c, s);
        else system_is(c, s->path, ACT_DML);
    }
    jobs(c, &k->jobs);
    if (!(k->has & 1u << CLAUSE_OWNER)) blame(c, at_start(s), false, "needs an owner");
    bool ends = k->has & 1u << CLAUSE_UNTIL;
    if (s->kind == STMT_ALLOW && !ends) blame(c, at_start(s), false, "an allow needs an end: until DATE");
    if (s->kind != STMT_ALLOW && ends)
        blame(c, k->until, false, "a restriction may not end by itself, as its end would grant");
}

static void digest(struct checker *c, const struct stmt *s) {
    bool hex = s->extra.text.n == 64;
    for (size_t i = 0; hex && i < 64; i++) hex = strchr("0123456789abcdefABCDEF", s->extra.text.p[i]) != NULL;
    if (!s->extra.text.p)
        blame(c, s->detail, true, "without sha256, whoever may write \"%.*s\" is this job", STR_ARG(s->detail.text));
    else if (!hex) blame(c, s->extra, true, "is not 64 hex digits: no code can match it");
}

/* `workspaces` is our own issuer of workspaces' identities, which no configuration names. */
static void issuer(struct checker *c, struct name name) {
    if (str_eq(name.text, STR("workspaces")) || !c->context || !c->context->issuer) return;
    if (c->context->issuer(c->context->user, name.text) == POLICY_ABSENT)
        blame(c, name, false, "issuer \"%.*s\" is not in the configuration", STR_ARG(name.text));
}

static void statement(struct checker *c, const struct stmt *s, bool first) {
    if (first != (s->kind == STMT_DOMAIN))
        blame(c, at_start(s), false, first ? "a file begins with its domain" : "one domain a file");
    if (s->broken) return;
    if (s->kind == STMT_DOMAIN && first) c->domain = s;
    if (s->kind == STMT_IDENTITY && str_eq(s->kind_word.text, STR("oidc"))) issuer(c, s->detail);
    if (s->kind == STMT_JOB) digest(c, s);
    if (s->kind == STMT_TABLES) {
        covered(c, s->path);
        system_is(c, s->path, ACT_DML);
        schema(c, &s->tables, s->path.text);
    }
    if (s->kind >= STMT_ALLOW) rule(c, s);
}

/* Its label, else its file and a hash of its canonical text: moving a rule keeps its name, changing it does not. */
static void name_rule(struct checker *c, struct stmt *s) {
    enum { HASH_BYTES = 8 };
    uint8_t digest[SHA256_BYTES];
    s->rule = s->label.text;
    if (s->broken || s->kind < STMT_ALLOW || s->label.text.n) return;
    DEFER(buf_free) struct buf text = BUF_INIT(4 << 20);
    DEFER(buf_free) struct buf name = BUF_INIT(1024);
    print_stmt(&text, s, false);
    hash_sha256(buf_str(&text), digest);
    buf_printf(&name, "%.*s#", STR_ARG(str_upto(c->file->name, 512)));
    enc_hex(&name, (struct str){ (const char *)digest, HASH_BYTES });
    s->rule = str_dup(c->policy->arena, buf_str(&name));
    if (!buf_ok(&text) || !buf_ok(&name) || !s->rule.p) c->oom = true;
}

bool policy_check(struct policy *policy, const struct policy_context *context, struct policy_faults *faults) {
    struct checker c = { .policy = policy, .context = context, .faults = faults };
    for (size_t f = 0; f < policy->n_files; f++) {
        c.file = &policy->files[f];
        for (size_t i = 0; i < c.file->n; i++) {
            c.file->items[i].file = (unsigned)f;
            define_stmt(&c, &c.file->items[i]);
            name_rule(&c, &c.file->items[i]);
        }
    }
    for (size_t f = 0; f < policy->n_files; f++) {
        c.file = &policy->files[f];
        c.domain = NULL;
        for (size_t i = 0; i < c.file->n; i++) statement(&c, &c.file->items[i], i == 0);
        if (!c.file->n && !c.file->faulty)
            blame(&c, (struct name){ 0 }, false, "holds no statement: a file begins with its domain");
    }
    return !c.oom;
}
