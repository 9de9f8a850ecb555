/* policy roles: the database roles that stand behind the policy, as DDL. */
#include <stdio.h>
#include "base/file.h"
#include "base/json_text.h"
#include "cli/operator.h"
#include "cli/statements.h"
#include "gate/policies.h"
#include "gate/schemas.h"
#include "googlesql/outline.h"
#include "spanner/role_plan.h"

enum { ARENA_BYTES = 512 << 20, OUT_BYTES = 64 << 20, SCHEMA_BYTES = 16 << 20, SETS_MAX = ARGS_REPEATS_MAX };

/* ---- the schema ---- */

static struct str first_line(struct str statement) {
    struct str rest = str_upto(statement, 60);
    return str_cut(&rest, '\n');
}

static enum code read_schema(const char *file, struct arena *arena, struct sql_catalog *ret, struct err *err) {
    struct sql_outline *outline = sql_outline_new(arena);
    struct str rest, statement;
    enum code rc = outline ? file_read(arena, file, SCHEMA_BYTES, &rest, err) : err_oom(err);
    while (!rc && statements_next(&rest, &statement)) {
        bool passed;
        rc = sql_outline_add(outline, statement, &passed, err);
        struct str head = first_line(statement);
        if (rc) (void)err_wrap(err, "%s: \"%.*s…\"", file, STR_ARG(head));
        else if (passed)
            (void)fprintf(stderr, "linkspan: passed over, as no table of the default schema or role: %.*s\n",
                          STR_ARG(head));
    }
    return rc ? rc : sql_outline_catalog(outline, ret, err);
}

/* "spanner demo/flights" → the connection's instance and the database. */
static enum code find_database(const struct config *config, struct str path, struct str *ret_instance,
                               struct str *ret_database, struct err *err) {
    struct str rest = path;
    if (!str_strip_prefix(&rest, STR("spanner ")) || str_find_char(rest, '/') < 1)
        return err_set(err, INVALID_ARGUMENT, "DATABASE is as the policy writes it: \"spanner demo/flights\"");
    struct str connection = str_cut(&rest, '/');
    for (size_t i = 0; i < config->n_connections; i++) {
        const struct config_connection *c = &config->connections[i];
        if (!str_eq(c->name, connection) || !c->spanner.present) continue;
        *ret_instance = c->spanner.instance;
        *ret_database = rest;
        return OK;
    }
    return err_set(err, NOT_FOUND, "the configuration has no spanner connection \"%.*s\"",
                   STR_ARG(str_upto(connection, 100)));
}

/* ---- the answer ---- */

static void print_names(const struct role_plan_role *r, struct buf *out) {
    for (size_t i = 0; i < r->n_bearers; i++) buf_printf(out, "%s%.*s", i ? "; " : "", STR_ARG(r->bearers[i]));
}

static void print_ddl(struct str path, const struct role_plan *plan, struct buf *out) {
    buf_printf(out, "-- %.*s: %zu role%s\n", STR_ARG(path), plan->n_roles, plan->n_roles == 1 ? "" : "s");
    for (size_t i = 0; i < plan->n_roles; i++) {
        const struct role_plan_role *r = &plan->roles[i];
        buf_printf(out, "\n-- %.*s, for ", STR_ARG(r->name));
        print_names(r, out);
        buf_add_z(out, r->exists && !r->n_statements ? ": is there\n" : "\n");
        for (size_t k = 0; k < r->n_statements; k++) buf_printf(out, "%.*s;\n", STR_ARG(r->statements[k]));
    }
    for (size_t i = 0; i < plan->n_stale; i++) {
        buf_printf(out, "\n-- %.*s is needed by none of these; when no session uses it:\n", STR_ARG(plan->stale[i].name));
        for (size_t k = 0; k < plan->stale[i].n_statements; k++)
            buf_printf(out, "-- %.*s;\n", STR_ARG(plan->stale[i].statements[k]));
    }
}

static void print_strings(struct buf *out, const char *name, const struct str *items, size_t n) {
    buf_printf(out, ",\"%s\":[", name);
    for (size_t i = 0; i < n; i++) {
        if (i) buf_add_char(out, ',');
        json_text_string(out, items[i]);
    }
    buf_add_char(out, ']');
}

static void print_list(const char *name, const struct role_plan_role *roles, size_t n, struct buf *out) {
    buf_printf(out, "\"%s\":[", name);
    for (size_t i = 0; i < n; i++) {
        buf_add_z(out, i ? ",{\"role\":" : "{\"role\":");
        json_text_string(out, roles[i].name);
        buf_printf(out, ",\"exists\":%s", roles[i].exists ? "true" : "false");
        print_strings(out, "for", roles[i].bearers, roles[i].n_bearers);
        print_strings(out, "statements", roles[i].statements, roles[i].n_statements);
        buf_add_char(out, '}');
    }
    buf_add_char(out, ']');
}

static void print_json(const struct role_plan *plan, struct buf *out) {
    buf_add_char(out, '{');
    print_list("roles", plan->roles, plan->n_roles, out);
    buf_add_char(out, ',');
    print_list("stale", plan->stale, plan->n_stale, out);
    buf_add_z(out, "}\n");
}

/* ---- the command ---- */

static size_t take_sets(const struct args *args, struct arena *arena, struct policy_names sets[SETS_MAX]) {
    const char *const *given = args_list(args, "names");
    size_t n = 0;
    for (; given[n] && n < SETS_MAX; n++) {
        struct str rest = str_z(given[n]);
        sets[n] = (struct policy_names){ .items = ARENA_ARRAY(arena, struct str, rest.n + 1) };
        while (rest.n && sets[n].items) sets[n].items[sets[n].n++] = str_trim(str_cut(&rest, ','));
    }
    return n;
}

static enum code answer(const struct args *args, const struct config *config, const struct sql_catalog *catalog,
                        struct arena *arena, struct buf *out, struct err *err) {
    DEFER(policy_unrefp) struct policy *policy = NULL;
    DEFER(buf_free) struct buf report = BUF_INIT(OUT_BYTES);
    struct policy_names sets[SETS_MAX];
    struct str path = str_z(args->operands[0]);
    struct role_plan plan;
    size_t n = take_sets(args, arena, sets);
    enum code rc = policies_load(NULL, config, &report, &policy, err);
    if (rc) (void)fwrite(report.p, 1, report.n, stderr);
    if (!rc) rc = role_plan_make(policy, path, catalog, n ? sets : NULL, n, arena, &plan, err);
    if (rc) return rc;
    if (args_has(args, "json")) print_json(&plan, out);
    else print_ddl(path, &plan, out);
    size_t known = catalog->n_roles;
    for (size_t i = 0; i < plan.n_roles; i++) known += !plan.roles[i].exists;
    if (known > SQL_MAX_ROLES)
        (void)fprintf(stderr, "linkspan: with these the database has %zu roles; Spanner takes %d\n", known, SQL_MAX_ROLES);
    return OK;
}

static enum code roles(const struct args *args, struct arena *arena, struct buf *out, struct err *err) {
    struct config *config = ARENA_NEW(arena, struct config);
    struct str instance, database;
    const char *file = args_text(args, "schema");
    struct sql_catalog given;
    if (!config) return err_oom(err);
    enum code rc = setup_config(args, arena, config, err);
    if (!rc) rc = find_database(config, str_z(args->operands[0]), &instance, &database, err);
    if (rc) return rc;
    if (file) {
        rc = read_schema(file, arena, &given, err);
        return rc ? rc : answer(args, config, &given, arena, out, err);
    }
    struct schemas *schemas = schemas_open(config);
    const struct sql_catalog *catalog = NULL;
    struct engine_db *db = NULL;
    if (!schemas)
        rc = err_set(err, FAILED_PRECONDITION,
                     "the schema cannot be read here (is a server running, or the connection an upstream?): give its DDL "
                     "with --schema");
    else rc = engine_get_database(schemas_engine(schemas), instance, database, &db, err);
    if (!rc) rc = answer(args, config, catalog = engine_catalog(db), arena, out, err);
    engine_catalog_unref(catalog);
    engine_db_unref(db);
    schemas_close(schemas);
    return rc;
}

static int run_roles(struct args *args) {
    DEFER(arena_freep) struct arena *arena = arena_new(ARENA_BYTES);
    DEFER(buf_free) struct buf out = BUF_INIT(OUT_BYTES);
    struct err err;
    enum code rc = arena ? roles(args, arena, &out, &err) : err_oom(&err);
    return rc ? complain(args, &err) : print_out(&out);
}

static const struct option options[] = {
    OPTION_CONFIG,
    { .name = "schema",
      .value = "FILE",
      .doc = "The database's DDL, as `gcloud spanner databases ddl describe` prints it; needed but for an embedded "
             "database whose server is stopped." },
    { .name = "names",
      .value = "A,B",
      .doc = "The role of those who bear all of these names, instead of one for each name.",
      .repeated = true },
    { .name = "json", .doc = "As JSON: {roles: [{role, exists, for, statements}], stale: [the same]}." },
    { 0 },
};
const struct command command_policy_roles = {
    .name = "policy roles",
    .line = "Prints the database roles that stand behind the policy, as DDL",
    .operands = "DATABASE",
    .min_operands = 1,
    .max_operands = 1,
    .options = options,
    .about = "One role for each identity and account that may ever do anything there, named by what it grants; names with "
             "the same\n"
             "rights share one. Only what is missing is printed, and what a role of ours holds too much is revoked. Roles "
             "that are not\n"
             "needed are dropped in comments: a person decides.\n\n"
             "  gcloud spanner databases ddl describe flights --instance main > schema.sql\n"
             "  linkspan policy roles \"spanner prod/flights\" --schema schema.sql > roles.sql\n"
             "  gcloud spanner databases ddl update flights --instance main --ddl-file roles.sql",
    .run = run_roles,
};
