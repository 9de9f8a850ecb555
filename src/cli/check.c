/* check.c: all faults of configuration and policy, then what was resolved. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "base/json_text.h"
#include "cli/setup.h"
#include "gate/policies.h"
#include "gate/schemas.h"

enum { ARENA_BYTES = 80 << 20, OUT_BYTES = 4 << 20 };

struct findings {
    struct buf *json; /* the faults as JSON objects, or NULL: text goes to standard error */
    size_t errors, warnings;
};

static void add(struct findings *f, struct str file, unsigned line, unsigned column, bool warning, struct str text) {
    if (warning) f->warnings++;
    else f->errors++;
    if (!f->json) {
        (void)fprintf(stderr, "%.*s:%u:%u: %s%.*s\n", STR_ARG(file), line, column, warning ? "warning: " : "",
                      STR_ARG(text));
        return;
    }
    buf_add_z(f->json, f->errors + f->warnings > 1 ? ",{\"file\":" : "{\"file\":");
    json_text_string(f->json, file);
    buf_printf(f->json, ",\"line\":%u,\"column\":%u,\"severity\":\"%s\",\"message\":", line, column,
               warning ? "warning" : "error");
    json_text_string(f->json, text);
    buf_add_char(f->json, '}');
}

static bool number(struct str *rest, unsigned *ret) {
    uint64_t n;
    if (!str_u64(str_cut(rest, ':'), &n)) return false;
    *ret = (unsigned)n;
    return true;
}

/* "file:line:column: text", as policies_load prints them, with the directory put before the file. */
static void add_policy_line(struct findings *f, const char *dir, struct str line) {
    DEFER(buf_free) struct buf path = BUF_INIT(8192);
    struct str rest = line, file = str_cut(&rest, ':');
    unsigned at_line = 0, at_column = 0;
    if (!number(&rest, &at_line) || !number(&rest, &at_column)) file = (struct str){ NULL, 0 }, rest = line;
    (void)str_strip_prefix(&rest, STR(" "));
    bool warning = str_strip_prefix(&rest, STR("warning: "));
    buf_printf(&path, file.n ? "%s/%.*s" : "%s", dir, STR_ARG(file));
    add(f, buf_str(&path), at_line, at_column, warning, rest);
}

static void check_policy(struct findings *f, const struct config *config, struct policy **ret) {
    DEFER(buf_free) struct buf report = BUF_INIT(OUT_BYTES);
    struct err err;
    size_t before = f->errors;
    struct schemas *schemas = schemas_open(config);
    enum code rc = policies_load(schemas_spanner(schemas), config, &report, ret, &err);
    schemas_close(schemas);
    for (struct str rest = buf_str(&report); rest.n;) add_policy_line(f, config->policy, str_cut(&rest, '\n'));
    if (rc && f->errors == before) add(f, str_z(config->policy), err.line, err.column, false, str_z(err.message));
}

static void check_file(struct findings *f, const char *what, const char *path, bool needed) {
    DEFER(buf_free) struct buf text = BUF_INIT(8192);
    FILE *file = fopen(path, "re");
    if (file) {
        (void)fclose(file);
        return;
    }
    buf_printf(&text, "%s cannot be read: %s", what, strerror(errno));
    add(f, str_z(path), 0, 0, !needed, buf_str(&text));
}

static void check_config(struct findings *f, const struct args *args, struct arena *arena, struct config *config,
                         struct policy **ret_policy) {
    const char *file = args_text(args, "config");
    struct schema_faults *faults = ARENA_NEW(arena, struct schema_faults);
    struct err err;
    if (!faults) {
        add(f, str_z(file), 0, 0, false, STR("out of memory"));
        return;
    }
    enum code rc = config_load(file, arena, config, faults, &err);
    for (size_t i = 0; i < faults->n; i++)
        add(f, str_z(file), faults->items[i].line, faults->items[i].column, false, faults->items[i].message);
    if (faults->truncated) add(f, str_z(file), 0, 0, false, STR("there are more faults"));
    if (rc && faults->n == 0) add(f, str_z(file), err.line, err.column, false, str_z(err.message));
    /* The policy's faults too, when it is known where it is. */
    if (config->policy) check_policy(f, config, ret_policy);
    if (rc) return;
    check_file(f, "the certificate", config->certificate, true);
    check_file(f, "the key", config->key, true);
    if (config->n_issuers == 0)
        add(f, str_z(file), 0, 0, true, STR("no issuers: nobody can prove who they are, so every request will be refused"));
}

static void print_resolved(const struct config *c, const struct policy *policy, struct buf *out) {
    buf_printf(out, "environment  %s\nlisten       %.*s\nurl          %.*s\n",
               c->development ? "development" : "production", STR_ARG(c->listen), STR_ARG(c->url));
    if (c->admin.n) buf_printf(out, "admin        http://%.*s/metrics\n", STR_ARG(c->admin));
    buf_printf(out, "data         %s\npolicy       %s: %zu rules\ncertificate  %s\n", c->data, c->policy,
               policy ? policy_rule_count(policy) : 0, c->certificate);
    for (size_t i = 0; i < c->n_issuers; i++) {
        const struct issuer_config *s = &c->issuers[i];
        buf_printf(out, "issuer       %.*s", STR_ARG(s->name));
        if (s->iss.n) buf_printf(out, " %.*s", STR_ARG(s->iss));
        if (s->tenant.n) buf_printf(out, " tenant %.*s", STR_ARG(s->tenant));
        for (size_t k = 0; k < s->n_audiences; k++) buf_printf(out, "%s%.*s", k ? ", " : " for ", STR_ARG(s->audiences[k]));
        buf_add_char(out, '\n');
    }
    for (size_t i = 0; i < c->n_connections; i++) {
        const struct config_connection *n = &c->connections[i];
        buf_printf(out, "connection   %.*s", STR_ARG(n->name));
        if (n->spanner.present)
            buf_printf(out, ", spanner projects/%.*s/instances/%.*s", STR_ARG(n->spanner.project),
                       STR_ARG(n->spanner.instance));
        if (n->dataproc.present)
            buf_printf(out, ", dataproc projects/%.*s/regions/%.*s on %.*s", STR_ARG(n->dataproc.project),
                       STR_ARG(n->dataproc.region),
                       STR_ARG(n->dataproc.upstream ? n->dataproc.far.host : n->dataproc.master));
        if (n->synapse.present)
            buf_printf(out, ", synapse workspace %.*s as %.*s, issuer %.*s", STR_ARG(n->synapse.workspace),
                       STR_ARG(n->synapse.account), STR_ARG(n->synapse.issuer));
        for (size_t k = 0; k < n->synapse.n_pools; k++)
            buf_printf(out, ", pool %.*s on cluster %.*s", STR_ARG(n->synapse.pools[k].name),
                       STR_ARG(n->synapse.pools[k].cluster));
        if (n->livy.present) buf_printf(out, ", livy on cluster %.*s", STR_ARG(n->livy.cluster));
        buf_add_char(out, '\n');
    }
}

static void member(struct buf *out, const char *name, struct str value) {
    buf_printf(out, ",\"%s\":", name);
    json_text_string(out, value);
}

static void print_json(const struct findings *f, const struct config *c, const struct policy *policy, struct buf *out) {
    buf_printf(out, "{\"errors\":%zu,\"warnings\":%zu,\"faults\":[%.*s]", f->errors, f->warnings,
               STR_ARG(buf_str(f->json)));
    if (f->errors == 0) {
        buf_printf(out, ",\"resolved\":{\"development\":%s", c->development ? "true" : "false");
        member(out, "listen", c->listen);
        member(out, "url", c->url);
        member(out, "data", str_z(c->data));
        member(out, "policy", str_z(c->policy));
        buf_printf(out, ",\"rules\":%zu,\"issuers\":[", policy ? policy_rule_count(policy) : 0);
        for (size_t i = 0; i < c->n_issuers; i++) {
            if (i) buf_add_char(out, ',');
            json_text_string(out, c->issuers[i].name);
        }
        buf_add_z(out, "],\"connections\":[");
        for (size_t i = 0; i < c->n_connections; i++) {
            if (i) buf_add_char(out, ',');
            json_text_string(out, c->connections[i].name);
        }
        buf_add_z(out, "]}");
    }
    buf_add_z(out, "}\n");
}

static int run(struct args *args) {
    DEFER(buf_free) struct buf out = BUF_INIT(OUT_BYTES), list = BUF_INIT(OUT_BYTES);
    DEFER(arena_freep) struct arena *arena = arena_new(ARENA_BYTES);
    DEFER(policy_unrefp) struct policy *policy = NULL;
    struct config *config = arena ? ARENA_NEW(arena, struct config) : NULL;
    struct err err;
    if (!config) return err_oom(&err), complain(args, &err);
    if (args_has(args, "reference")) {
        schema_document(config_fields(), &out);
        return print_out(&out);
    }
    bool json = args_has(args, "json");
    struct findings findings = { .json = json ? &list : NULL };
    check_config(&findings, args, arena, config, &policy);
    if (json) print_json(&findings, config, policy, &out);
    else if (findings.errors == 0) print_resolved(config, policy, &out);
    int status = print_out(&out);
    if (findings.errors && !json)
        (void)fprintf(stderr, "linkspan check: %zu error%s\n", findings.errors, findings.errors == 1 ? "" : "s");
    return findings.errors ? code_exit_status(INVALID_ARGUMENT) : status;
}

static const struct option options[] = {
    OPTION_CONFIG,
    { .name = "json", .doc = "As JSON: {errors, warnings, faults, resolved}." },
    { .name = "reference", .doc = "Prints what the configuration may hold, in Markdown, and nothing else." },
    { 0 },
};
const struct command command_check = {
    .name = "check",
    .line = "Checks configuration and policy, and prints all faults",
    .operands = "",
    .options = options,
    .about = "Each fault with file:line:column on standard error; then, when there are no errors, what was resolved. "
             "Warnings do not\n"
             "fail. Exits with 65 when there are errors.\n\n"
             "  linkspan check --config site/linkspan.yaml\n  linkspan check --reference",
    .run = run,
};
