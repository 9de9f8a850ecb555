#include "policy/print.h"
#include "base/buf.h"
#include "base/clock.h"
#include "policy/parse.h"

void print_string(struct buf *out, struct str text) {
    buf_add_char(out, '"');
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] == '"' || text.p[i] == '\\') buf_add_char(out, '\\');
        buf_add_char(out, text.p[i]);
    }
    buf_add_char(out, '"');
}

void print_safe(struct buf *out, struct str text) {
    for (size_t i = 0; i < text.n; i++) buf_add_char(out, text.p[i] < ' ' || text.p[i] > '~' ? '?' : text.p[i]);
}

static void print_names(struct buf *out, const struct names *names) {
    for (size_t i = 0; i < names->n; i++) {
        if (i) buf_add_z(out, ", ");
        buf_add_str(out, names->items[i].text);
    }
}

static void print_strings(struct buf *out, const struct names *names) {
    for (size_t i = 0; i < names->n; i++) {
        if (i) buf_add_z(out, ", ");
        print_string(out, names->items[i].text);
    }
}

void print_table_name(struct buf *out, struct str s) {
    for (bool first = true; s.n; first = false) {
        struct str part = str_cut(&s, '.');
        if (!first) buf_add_char(out, '.');
        bool quote = is_reserved(part);
        if (quote) buf_add_char(out, '`');
        buf_add_str(out, part);
        if (quote) buf_add_char(out, '`');
    }
}

static void print_tables(struct buf *out, const struct table_refs *tables) {
    for (size_t i = 0; i < tables->n; i++) {
        const struct table_ref *t = &tables->items[i];
        if (i) buf_add_z(out, ", ");
        print_table_name(out, t->name.text);
        if (t->except) buf_add_z(out, " except ");
        if (!t->has_columns) continue;
        for (size_t c = 0; c < t->columns.n; c++) {
            buf_add_z(out, c ? ", " : "(");
            print_table_name(out, t->columns.items[c].text);
        }
        buf_add_char(out, ')');
    }
}

static void print_who(struct buf *out, const struct who *who) {
    if (who->anyone) buf_add_z(out, who->names.n ? "anyone except " : "anyone");
    print_names(out, &who->names);
}

/* ---- definitions ---- */

static bool is_bare_claim(struct str s) {
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool letter = (c >= 'a' && c <= 'z') || c == '_';
        if (!letter && (i == 0 || !((c >= '0' && c <= '9') || c == '-'))) return false;
    }
    return s.n > 0;
}

static void print_claim(struct buf *out, const struct names *claim) {
    for (size_t i = 0; i < claim->n; i++) {
        if (i) buf_add_char(out, '.');
        if (is_bare_claim(claim->items[i].text)) buf_add_str(out, claim->items[i].text);
        else print_string(out, claim->items[i].text);
    }
}

static void print_test(struct buf *out, const struct test *t) {
    static const char *const ops[] = { " = ", " != ", " in (" };
    if (t->op == TEST_CONTAINS) {
        print_strings(out, &t->values);
        buf_add_z(out, " in ");
        print_claim(out, &t->claim);
        return;
    }
    print_claim(out, &t->claim);
    buf_add_z(out, ops[t->op]);
    print_strings(out, &t->values);
    if (t->op == TEST_ONE_OF) buf_add_char(out, ')');
}

static void print_identity(struct buf *out, const struct stmt *s) {
    buf_printf(out, "identity %.*s is %.*s ", STR_ARG(s->name.text), STR_ARG(s->kind_word.text));
    if (s->extra.text.n) buf_printf(out, "%.*s ", STR_ARG(s->extra.text));
    if (str_eq(s->kind_word.text, STR("oidc"))) buf_add_str(out, s->detail.text);
    else print_string(out, s->detail.text);
    for (size_t i = 0; i < s->tests.n; i++) {
        buf_add_z(out, i ? " and " : " where ");
        print_test(out, &s->tests.items[i]);
    }
}

static void print_job(struct buf *out, const struct stmt *s) {
    buf_printf(out, "job %.*s is %.*s ", STR_ARG(s->name.text), STR_ARG(s->kind_word.text));
    print_string(out, s->detail.text);
    if (!s->extra.text.p) return;
    buf_add_z(out, " sha256 ");
    print_string(out, s->extra.text);
}

static void print_tables_stmt(struct buf *out, const struct stmt *s) {
    buf_printf(out, "tables %.*s are ", STR_ARG(s->name.text));
    print_tables(out, &s->tables);
    buf_printf(out, " in %.*s", STR_ARG(s->path.text));
}

/* ---- acts ---- */

static void print_set(struct buf *out, const struct act *a) {
    if (a->set == SET_EVERY) buf_add_z(out, " every table");
    if (a->set == SET_NAMED) buf_printf(out, " tables %.*s", STR_ARG(a->named.text));
    if (a->set != SET_LIST) return;
    buf_add_char(out, ' ');
    print_tables(out, &a->tables);
}

static void print_dml(struct buf *out, const struct act *a) {
    bool first = true;
    for (unsigned v = VERB_READ; v <= VERB_DELETE; v++) {
        if (!(a->verbs & 1u << v)) continue;
        if (!first) buf_add_z(out, ", ");
        buf_add_z(out, verb_name((enum verb)v));
        first = false;
    }
    print_set(out, a);
}

static void print_act(struct buf *out, const struct act *a) {
    static const char *const words[] = {
        [ACT_CHANGE_SCHEMA] = "change schema",
        [ACT_CHANGE_GRANTS] = "change grants",
        [ACT_READ_STREAM] = "read stream ",
        [ACT_READ_SCHEMA] = "read schema",
        [ACT_READ_STATISTICS] = "read statistics",
        [ACT_BACK_UP] = "back up",
        [ACT_RESTORE] = "restore",
        [ACT_RUN_JOBS] = "run jobs",
        [ACT_RUN_JOB] = "run job ",
        [ACT_ACT_AS] = "act as ",
        [ACT_ACT_FOR] = "act for ",
        [ACT_SEE_JOBS] = "see jobs",
        [ACT_CANCEL_JOBS] = "cancel jobs",
        [ACT_CALL] = "call ",
        [ACT_ADMINISTER] = "administer ",
    };
    if (a->kind == ACT_DML) {
        print_dml(out, a);
        return;
    }
    buf_add_z(out, words[a->kind]);
    if (a->kind == ACT_READ_STREAM) buf_add_str(out, a->named.text);
    if (a->kind == ACT_CHANGE_SCHEMA) print_set(out, a);
    if (a->kind == ACT_CALL) {
        print_string(out, a->named.text);
        buf_add_z(out, " with audience ");
        print_strings(out, &a->as);
        return;
    }
    print_names(out, &a->jobs);
    if (a->path.text.n) buf_printf(out, "%s%.*s", a->kind == ACT_ADMINISTER ? "" : " on ", STR_ARG(a->path.text));
    if (a->as.n && a->path.text.n) buf_add_z(out, " as ");
    print_names(out, &a->as);
}

static void print_acts(struct buf *out, const struct stmt *s) {
    for (size_t i = 0; i < s->acts.n; i++) {
        if (i) buf_add_z(out, " and ");
        print_act(out, &s->acts.items[i]);
    }
    if (s->path.text.n) buf_printf(out, " in %.*s", STR_ARG(s->path.text));
}

static void print_mask(struct buf *out, const struct stmt *s) {
    buf_add_z(out, "mask ");
    print_tables(out, &s->tables);
    buf_printf(out, " as %.*s", STR_ARG(s->kind_word.text));
    if (s->detail.text.n) buf_printf(out, " %.*s", STR_ARG(s->detail.text));
    if (s->extra.text.n) buf_printf(out, " %.*s", STR_ARG(s->extra.text));
    buf_add_z(out, " for ");
    print_who(out, &s->who);
    buf_printf(out, " in %.*s", STR_ARG(s->path.text));
}

static void print_limit(struct buf *out, const struct stmt *s) {
    buf_add_z(out, "limit ");
    print_who(out, &s->who);
    for (size_t i = 0; i < s->bounds.n; i++) {
        const struct bound *b = &s->bounds.items[i];
        buf_printf(out, "%s%.*s %.*s", i ? ", " : " to ", STR_ARG(b->count.text), STR_ARG(b->unit.text));
        if (b->per.text.n) buf_printf(out, " per %.*s", STR_ARG(b->per.text));
        else buf_add_z(out, " at once");
    }
    buf_printf(out, " in %.*s", STR_ARG(s->path.text));
}

/* ---- clauses, in one order whatever the order of the text ---- */

static void print_until(struct buf *out, const struct clauses *c) {
    char instant[CLOCK_RFC3339_MAX];
    if (c->until_is_date) buf_printf(out, "until %.*s", STR_ARG(c->until.text));
    else buf_printf(out, "until %.*s", (int)clock_rfc3339(c->until_us, instant), instant);
}

static void print_clause(struct buf *out, const struct clauses *c, enum clause_kind kind) {
    switch (kind) {
    case CLAUSE_JOB:
        buf_add_z(out, "during job ");
        print_names(out, &c->jobs);
        break;
    case CLAUSE_FROM:
        buf_add_z(out, "from ");
        print_string(out, c->from.text);
        break;
    case CLAUSE_WHEN:
        buf_printf(out, "when %.*s %.*s to %.*s ", STR_ARG(c->days.text), STR_ARG(c->begin.text), STR_ARG(c->end.text));
        print_string(out, c->zone.text);
        break;
    case CLAUSE_APPROVAL:
        buf_printf(out, "with approval by %.*s for at most %.*s", STR_ARG(c->approver.text), STR_ARG(c->at_most.text));
        break;
    case CLAUSE_OWNER: buf_printf(out, "owner %.*s", STR_ARG(c->owner.text)); break;
    case CLAUSE_UNTIL: print_until(out, c); break;
    case CLAUSE_BECAUSE:
        buf_add_z(out, "because ");
        print_string(out, c->because.text);
        break;
    case CLAUSE_COUNT: break;
    }
}

static void print_clauses(struct buf *out, const struct clauses *c, bool wrapped) {
    const char *before = wrapped ? "\n    " : " ";
    for (unsigned k = 0; k < CLAUSE_COUNT; k++) {
        if (!(c->has & 1u << k)) continue;
        buf_add_z(out, before);
        print_clause(out, c, (enum clause_kind)k);
        before = " ";
    }
}

void print_stmt(struct buf *out, const struct stmt *s, bool wrapped) {
    switch (s->kind) {
    case STMT_DOMAIN:
        buf_printf(out, "domain %.*s covers ", STR_ARG(s->name.text));
        print_names(out, &s->members);
        buf_printf(out, " owner %.*s", STR_ARG(s->clauses.owner.text));
        break;
    case STMT_IDENTITY: print_identity(out, s); break;
    case STMT_GROUP:
        buf_printf(out, "group %.*s is ", STR_ARG(s->name.text));
        print_names(out, &s->members);
        break;
    case STMT_ACCOUNT:
        buf_printf(out, "account %.*s is ", STR_ARG(s->name.text));
        print_string(out, s->detail.text);
        break;
    case STMT_JOB: print_job(out, s); break;
    case STMT_TABLES: print_tables_stmt(out, s); break;
    case STMT_MASK: print_mask(out, s); break;
    case STMT_LIMIT: print_limit(out, s); break;
    case STMT_ALLOW:
    case STMT_DENY:
        buf_add_z(out, s->kind == STMT_ALLOW ? "allow " : "deny ");
        print_who(out, &s->who);
        buf_add_z(out, " to ");
        print_acts(out, s);
        break;
    }
    print_clauses(out, &s->clauses, wrapped);
}

static void print_comments(struct buf *out, const struct names *comments) {
    for (size_t i = 0; i < comments->n; i++) buf_printf(out, "%.*s\n", STR_ARG(comments->items[i].text));
}

enum code policy_format(struct policy_source source, struct arena *arena, struct str *ret, struct err *err) {
    struct policy_faults faults = { 0 }, later = { 0 };
    struct file_ast file;
    DEFER(buf_free) struct buf out = BUF_INIT(8 << 20);
    if (!policy_parse(source, arena, &file, &faults, &later)) return err_oom(err);
    if (faults.n) {
        const struct policy_fault *f = &faults.items[0];
        return err_at(err, INVALID_ARGUMENT, f->line, f->column, "%.*s", STR_ARG(f->text));
    }
    for (size_t i = 0; i < file.n; i++) {
        const struct stmt *s = &file.items[i];
        if (s->blank_before && i) buf_add_char(&out, '\n');
        print_comments(&out, &s->comments);
        if (s->label.text.n) buf_printf(&out, "%.*s: ", STR_ARG(s->label.text));
        print_stmt(&out, s, true);
        buf_add_char(&out, '\n');
    }
    print_comments(&out, &file.tail);
    if (!buf_ok(&out)) return err_oom(err);
    struct str text = str_dup(arena, buf_str(&out));
    if (!text.p && out.n) return err_oom(err);
    *ret = text;
    return OK;
}
