/* policy.c: the policy from the operator's side: check, canonical text, why a request was refused, whom it names. */
#include "policy/policy.h"
#include <stdio.h>
#include "base/clock.h"
#include "base/file.h"
#include "base/json_text.h"
#include "cli/operator.h"
#include "gate/policies.h"

enum { ARENA_BYTES = 96 << 20, OUT_BYTES = 16 << 20, FILE_BYTES = 1 << 20 };

static enum code load(const struct config *config, struct policy **ret, struct err *err) {
    DEFER(buf_free) struct buf report = BUF_INIT(OUT_BYTES);
    enum code rc = policies_load(NULL, config, &report, ret, err);
    if (report.n) (void)fwrite(report.p, 1, report.n, stderr);
    return rc ? err_wrap(err, "%s", config->policy) : OK;
}

static int run_check(struct args *args) {
    DEFER(arena_freep) struct arena *arena = arena_new(ARENA_BYTES);
    DEFER(policy_unrefp) struct policy *policy = NULL;
    DEFER(buf_free) struct buf out = BUF_INIT(4096);
    struct config *config = arena ? ARENA_NEW(arena, struct config) : NULL;
    struct err err;
    enum code rc = config ? setup_config(args, arena, config, &err) : err_oom(&err);
    if (!rc) rc = load(config, &policy, &err);
    if (rc) return complain(args, &err);
    buf_printf(&out, "%s: %zu rules\n", config->policy, policy_rule_count(policy));
    return print_out(&out);
}

/* ---- fmt ---- */

static enum code format_file(const char *path, bool write, bool list, struct buf *out, bool *changed, struct err *err) {
    DEFER(arena_freep) struct arena *arena = arena_new(ARENA_BYTES);
    struct policy_source source = { .name = str_z(path) };
    struct str text;
    enum code rc = arena ? file_read(arena, path, FILE_BYTES, &source.text, err) : err_oom(err);
    if (!rc) rc = policy_format(source, arena, &text, err);
    if (rc) return rc;
    bool same = str_eq(text, source.text);
    *changed = *changed || !same;
    if (list && !same) buf_printf(out, "%s\n", path);
    if (!write && !list) buf_add_str(out, text);
    return write && !same ? file_write_durable(path, text, 0600, err) : OK;
}

static int run_fmt(struct args *args) {
    DEFER(buf_free) struct buf out = BUF_INIT(OUT_BYTES);
    bool changed = false;
    for (size_t i = 0; i < args->n_operands; i++) {
        struct err err;
        if (!format_file(args->operands[i], args_has(args, "write"), args_has(args, "list"), &out, &changed, &err))
            continue;
        (void)fprintf(stderr, "%s:", args->operands[i]);
        return complain(args, &err);
    }
    int status = print_out(&out);
    return status ? status : args_has(args, "list") && changed ? 1 : 0;
}

/* ---- explain ---- */

static void member(struct buf *out, const char *name, struct str value) {
    buf_printf(out, "%s\"%s\":", out->n > 1 ? "," : "", name);
    json_text_string(out, value);
}

static void put_who(struct buf *out, const struct audit_actor *a) {
    json_text_string(out, a->email.n ? a->email : a->subject);
}

static void print_near(const struct policy_explanation *x, struct buf *out) {
    buf_add_z(out, ",\"near\":[");
    for (size_t i = 0; i < x->n_near; i++) {
        buf_add_z(out, i ? ",{\"rule\":" : "{\"rule\":");
        json_text_string(out, x->near[i].rule);
        member(out, "file", x->near[i].file);
        buf_printf(out, ",\"line\":%u", x->near[i].line);
        member(out, "lacks", x->near[i].lacks);
        buf_add_char(out, '}');
    }
    buf_add_char(out, ']');
}

/* `rule` and `file` hold what one file alone needs; where two need something, only the list does. */
static void print_additions(const struct policy_explanation *x, struct buf *out) {
    bool one = x->n_additions == 1;
    member(out, "rule", one ? x->additions[0].rule : STR(""));
    member(out, "file", one ? x->additions[0].file : STR(""));
    buf_add_z(out, ",\"additions\":[");
    for (size_t i = 0; i < x->n_additions; i++) {
        buf_add_z(out, i ? ",{\"file\":" : "{\"file\":");
        json_text_string(out, x->additions[i].file);
        member(out, "owner", x->additions[i].owner);
        member(out, "rule", x->additions[i].rule);
        buf_add_char(out, '}');
    }
    buf_add_char(out, ']');
}

static void print_json(const struct audit_entry *e, const struct policy_explanation *x, struct buf *out) {
    buf_add_char(out, '{');
    member(out, "id", e->id);
    member(out, "time", e->timestamp);
    buf_add_z(out, ",\"who\":");
    put_who(out, &e->actor);
    buf_add_z(out, ",\"chain\":[");
    for (size_t i = 0; i < e->n_chain; i++) {
        if (i) buf_add_char(out, ',');
        put_who(out, &e->chain[i]);
    }
    buf_add_z(out, "],\"asked\":[");
    for (size_t i = 0; i < e->n_atoms; i++) {
        const struct audit_atom *a = &e->atoms[i];
        buf_add_z(out, i ? ",{" : "{");
        buf_add_z(out, "\"verb\":");
        json_text_string(out, a->verb);
        member(out, "path", a->path);
        member(out, "object", a->object);
        member(out, "account", a->account);
        buf_add_z(out, ",\"columns\":[");
        for (size_t c = 0; c < a->n_columns; c++) {
            if (c) buf_add_char(out, ',');
            json_text_string(out, a->columns[c]);
        }
        buf_add_z(out, "]}");
    }
    buf_printf(out, "],\"askedTotal\":%zu", e->atoms_total);
    member(out, "method", e->method);
    buf_printf(out, ",\"allowed\":%s", e->allowed ? "true" : "false");
    member(out, "reason", e->reason);
    member(out, "text", x->text);
    print_near(x, out);
    print_additions(x, out);
    buf_add_z(out, "}\n");
}

static void print_text(const struct audit_entry *e, const struct policy_explanation *x, struct buf *out) {
    buf_printf(out, "request %.*s, %.*s, %.*s\n", STR_ARG(e->id), STR_ARG(e->timestamp), STR_ARG(e->method));
    for (size_t i = 0; i < e->n_chain; i++) {
        struct str who = e->chain[i].email.n ? e->chain[i].email : e->chain[i].subject;
        buf_printf(out, "%s%.*s", i ? ", then " : "for ", STR_ARG(who));
    }
    if (e->n_chain) buf_add_char(out, '\n');
    if (e->atoms_total > e->n_atoms)
        buf_printf(out, "%zu of %zu things asked for are judged here: of the others the entry names only the objects\n",
                   e->n_atoms, e->atoms_total);
    buf_add_str(out, x->text);
    if (x->text.n && !str_ends(x->text, STR("\n"))) buf_add_char(out, '\n');
}

static enum code explain(const struct args *args, struct arena *arena, struct buf *out, struct err *err) {
    char dir[4096];
    struct config *config = ARENA_NEW(arena, struct config);
    struct audit_entry *entry = ARENA_NEW(arena, struct audit_entry);
    DEFER(policy_unrefp) struct policy *policy = NULL;
    struct policy_recorded recorded;
    struct policy_explanation explanation = { 0 };
    if (!config || !entry) return err_oom(err);
    enum code rc = operator_audit_dir(args, arena, config, dir, err);
    if (!rc) rc = operator_entry(dir, str_z(args->operands[0]), arena, entry, err);
    if (!rc && !entry->decided)
        return err_set(err, FAILED_PRECONDITION, "request %.*s was not judged by the policy: %s, %.*s", STR_ARG(entry->id),
                       code_name(entry->code), STR_ARG(str_upto(entry->detail, 400)));
    if (!rc) rc = load(config, &policy, err);
    if (!rc) rc = operator_recorded(entry, arena, &recorded, err);
    if (!rc) rc = policy_explain(policy, &recorded, clock_wall_us(), arena, &explanation, err);
    if (rc) return rc;
    if (args_has(args, "json")) print_json(entry, &explanation, out);
    else print_text(entry, &explanation, out);
    return OK;
}

static int run_explain(struct args *args) {
    DEFER(arena_freep) struct arena *arena = arena_new(ARENA_BYTES);
    DEFER(buf_free) struct buf out = BUF_INIT(OUT_BYTES);
    struct err err;
    enum code rc = arena ? explain(args, arena, &out, &err) : err_oom(&err);
    return rc ? complain(args, &err) : print_out(&out);
}

static const struct option check_options[] = { OPTION_CONFIG, { 0 } };
const struct command command_policy_check = {
    .name = "policy check",
    .line = "Checks the policy and prints all faults",
    .operands = "",
    .options = check_options,
    .about = "Faults with file:line:column on standard error; exits with 65 when there are errors. Warnings do not fail.",
    .run = run_check,
};
static const struct option fmt_options[] = {
    { .name = "write", .doc = "Writes the files instead of printing them." },
    { .name = "list", .doc = "Prints the names of files that are not in canonical form; then exits with 1." },
    { 0 },
};
const struct command command_policy_fmt = {
    .name = "policy fmt",
    .line = "Prints policy files in canonical form",
    .operands = "FILE.policy…",
    .min_operands = 1,
    .max_operands = ARGS_OPERANDS_MAX,
    .options = fmt_options,
    .about = "A file with faults of syntax is not formatted.\n\n  linkspan policy fmt --write policy/*.policy",
    .run = run_fmt,
};
static const struct option explain_options[] = {
    OPTION_CONFIG,
    { .name = "json",
      .doc = "As JSON: {id, time, who, chain, asked, method, allowed, reason, text, near, rule, file, additions}." },
    { 0 },
};
const struct command command_policy_explain = {
    .name = "policy explain",
    .line = "Says why a request was refused, and which rule would allow it",
    .operands = "ID",
    .min_operands = 1,
    .max_operands = 1,
    .options = explain_options,
    .about = "For the operator, on the server's machine: reads its audit log and its policy. The id is in the error that "
             "the caller\n"
             "got. The rule is a proposal: it grants exactly what was asked for, and a person decides. Where two domains "
             "need one,\n"
             "each has its file; rules that nearly fit are named with what they lack.\n\n"
             "  linkspan policy explain 01JDZ… --config site/linkspan.yaml",
    .run = run_explain,
};
