/* policy who: everybody whom the policy lets do something, and on which way. */
#include "policy/who.h"
#include <stdio.h>
#include "base/clock.h"
#include "base/json_text.h"
#include "cli/operator.h"
#include "gate/policies.h"

enum { ARENA_BYTES = 256 << 20, OUT_BYTES = 16 << 20 };

/* ---- what is asked ---- */

static const struct {
    const char *word; /* "change-schema" does as well */
    enum verb verb;
    bool table, columns;
} verbs[] = {
    { "read", VERB_READ, true, true },
    { "insert", VERB_INSERT, true, true },
    { "update", VERB_UPDATE, true, true },
    { "delete", VERB_DELETE, true, false },
    { "change schema", VERB_CHANGE_SCHEMA, true, false },
    { "change grants", VERB_CHANGE_GRANTS, false, false },
    { "read schema", VERB_READ_SCHEMA, false, false },
    { "use", VERB_USE, false, false },
    { "run jobs", VERB_RUN_JOB, false, false },
    { "run job", VERB_RUN_JOB, false, false },
    { "see jobs", VERB_SEE_JOBS, false, false },
    { "cancel jobs", VERB_CANCEL_JOBS, false, false },
    { "administer", VERB_ADMINISTER, false, false },
};

static bool is_verb(const char *given, const char *word) {
    for (; *given && *word; given++, word++)
        if (*given != *word && !(*given == '-' && *word == ' ')) return false;
    return *given == *word;
}

/* "Flights", "Flights(carrier)" */
static enum code take_table(struct str text, bool columns, struct str *column, struct atom *atom, struct err *err) {
    atom->object = str_cut(&text, '(');
    atom->any_column = columns;
    if (!text.n) return OK;
    if (!columns || !str_strip_suffix(&text, STR(")")) || !text.n || str_find_char(text, ',') >= 0)
        return err_set(err, INVALID_ARGUMENT,
                       "TABLE is Flights, or Flights(carrier) with one column where the verb has them");
    *column = text;
    atom->any_column = false;
    atom->columns = column;
    atom->n_columns = 1;
    return OK;
}

static enum code take_atom(const struct args *args, struct str *column, struct atom *ret, struct err *err) {
    struct str object = args->n_operands > 2 ? str_z(args->operands[2]) : (struct str){ 0 };
    size_t i = 0;
    while (i < COUNT(verbs) && !is_verb(args->operands[1], verbs[i].word)) i++;
    if (i == COUNT(verbs))
        return err_set(
            err, INVALID_ARGUMENT,
            "\"%.60s\" is no verb of a path: read, insert, update, delete, change-schema, change-grants, read-schema, use, "
            "run-jobs, run-job, see-jobs, cancel-jobs or administer",
            args->operands[1]);
    *ret = (struct atom){ .verb = verbs[i].verb, .path = str_z(args->operands[0]) };
    bool job = is_verb(args->operands[1], "run job");
    if ((verbs[i].table || job) != (object.n > 0))
        return err_set(err, INVALID_ARGUMENT,
                       object.n ? "%s takes no third word" : "%s needs a third word: the table or the job", verbs[i].word);
    if (verbs[i].table) return take_table(object, verbs[i].columns, column, ret, err);
    ret->object = object;
    return OK;
}

/* ---- the answer ---- */

static void add_when(struct buf *out, struct str job, struct str from) {
    if (job.n) buf_printf(out, ", during job %.*s", STR_ARG(job));
    if (from.n) buf_printf(out, ", from \"%.*s\"", STR_ARG(from));
}

static void print_text(const struct policy_holders *holders, struct buf *out) {
    for (size_t i = 0; i < holders->n; i++) {
        const struct policy_holder *h = &holders->items[i];
        buf_printf(out, "%.*s: ", STR_ARG(h->name));
        for (size_t k = 0; k < h->n_steps; k++) {
            buf_printf(out, "%.*s (rule %.*s", STR_ARG(h->steps[k].text), STR_ARG(h->steps[k].rule));
            add_when(out, k == 0 ? h->job : STR(""), h->steps[k].from);
            buf_add_z(out, "), then ");
        }
        if (h->account.n) buf_printf(out, "as %.*s ", STR_ARG(h->account));
        buf_printf(out, "by rule %.*s", STR_ARG(h->rule));
        add_when(out, h->n_steps ? STR("") : h->job, h->from);
        buf_add_char(out, '\n');
    }
    if (!holders->n) buf_add_z(out, "nobody whom the policy names\n");
}

static void member(struct buf *out, const char *name, struct str value) {
    buf_printf(out, ",\"%s\":", name);
    json_text_string(out, value);
}

static void print_json(const struct policy_holders *holders, struct buf *out) {
    buf_add_char(out, '[');
    for (size_t i = 0; i < holders->n; i++) {
        const struct policy_holder *h = &holders->items[i];
        buf_add_z(out, i ? ",{\"name\":" : "{\"name\":");
        json_text_string(out, h->name);
        buf_add_z(out, ",\"steps\":[");
        for (size_t k = 0; k < h->n_steps; k++) {
            buf_add_z(out, k ? ",{\"text\":" : "{\"text\":");
            json_text_string(out, h->steps[k].text);
            member(out, "from", h->steps[k].from);
            member(out, "rule", h->steps[k].rule);
            buf_add_char(out, '}');
        }
        buf_add_char(out, ']');
        member(out, "acting", h->acting);
        member(out, "job", h->job);
        member(out, "from", h->from);
        member(out, "account", h->account);
        member(out, "rule", h->rule);
        buf_add_char(out, '}');
    }
    buf_add_z(out, "]\n");
}

static enum code who(const struct args *args, struct arena *arena, const struct atom *atom, struct buf *out,
                     struct err *err) {
    struct config *config = ARENA_NEW(arena, struct config);
    DEFER(policy_unrefp) struct policy *policy = NULL;
    DEFER(buf_free) struct buf report = BUF_INIT(OUT_BYTES);
    struct policy_holders holders;
    if (!config) return err_oom(err);
    enum code rc = setup_config(args, arena, config, err);
    if (!rc && (rc = policies_load(NULL, config, &report, &policy, err))) (void)fwrite(report.p, 1, report.n, stderr);
    if (!rc) rc = policy_who(policy, atom, clock_wall_us(), arena, &holders, err);
    if (rc) return rc;
    if (args_has(args, "json")) print_json(&holders, out);
    else print_text(&holders, out);
    return OK;
}

static int run_who(struct args *args) {
    DEFER(arena_freep) struct arena *arena = arena_new(ARENA_BYTES);
    DEFER(buf_free) struct buf out = BUF_INIT(OUT_BYTES);
    struct str column = { 0 };
    struct atom atom;
    struct err err;
    if (take_atom(args, &column, &atom, &err)) return complain_usage(args, &err);
    enum code rc = arena ? who(args, arena, &atom, &out, &err) : err_oom(&err);
    return rc ? complain(args, &err) : print_out(&out);
}

static const struct option options[] = {
    OPTION_CONFIG,
    { .name = "json", .doc = "As JSON: [{name, steps: [{text, from, rule}], acting, job, from, account, rule}]." },
    { 0 },
};
const struct command command_policy_who = {
    .name = "policy who",
    .line = "Says who may do something, and on which way",
    .operands = "PATH VERB [TABLE[(COLUMN)]|JOB]",
    .min_operands = 2,
    .max_operands = 3,
    .options = options,
    .about =
        "Every name of the policy by itself, with the shortest way: what it may do itself, and as the accounts that it may "
        "act as\n"
        "or run jobs as. Of a table without a column: at least one column of it.\n\n"
        "  linkspan policy who \"spanner demo/flights\" read \"Passengers(phone)\"\n"
        "  linkspan policy who \"synapse demo/daily\" run-jobs",
    .run = run_who,
};
