/* doctor.c: why a run failed or hangs: a missing permission, a token, a service that does not answer, or Spark itself. */
#include <stdio.h>
#include "base/clock.h"
#include "base/json_text.h"
#include "cli/diagnosis.h"
#include "cli/job_follow.h"
#include "cli/operator.h"
#include "cli/terminal.h"
#include "dataproc/look.h"
#include "gate/policies.h"
#include "wire/pb/pb_json.h"
#include "wire/pb/wkt.pb.h"

enum { ARENA_BYTES = 256 << 20, OUT_BYTES = 16 << 20, EXIT_ILL = 1 };

struct doctor {
    struct arena *arena;
    struct config *config;
    struct policy *policy;
    char audit[4096];
    struct trail trail;
    struct job_end job;
    struct diagnosis diagnosis;
};

/* ---- what is known ---- */

static struct str time_text(const struct pb_Timestamp *time, struct arena *arena) {
    DEFER(buf_free) struct buf out = BUF_INIT(256);
    struct err err;
    if (!time || pb_to_json(&pb_Timestamp_msg, time, &out, &err) || out.n < 2) return STR("");
    return str_dup(arena, (struct str){ out.p + 1, out.n - 2 }); /* without its quotes */
}

static enum code look_at_job(struct doctor *d, struct err *err) {
    for (size_t i = 0; d->trail.job.n && i < d->config->n_connections; i++) {
        const struct config_connection *c = &d->config->connections[i];
        const struct dataproc_Job *job;
        if (!c->dataproc.present) continue;
        struct str folder = arena_printf(d->arena, "%s/jobs/%.*s", d->config->data, STR_ARG(c->name));
        enum code rc = folder.p ? dataproc_look(folder.p, d->trail.job, d->arena, &job, err) : err_oom(err);
        if (rc == NOT_FOUND) continue;
        if (rc) return rc;
        d->job.state = str_z(job_state(job));
        if (!job->status) return OK;
        d->job.details = job->status->details;
        d->job.since = time_text(job->status->state_start_time, d->arena);
        return OK;
    }
    return OK;
}

static enum code load_policy(struct doctor *d, struct err *err) {
    DEFER(buf_free) struct buf report = BUF_INIT(OUT_BYTES);
    enum code rc = policies_load(NULL, d->config, &report, &d->policy, err);
    if (rc && report.n) (void)fwrite(report.p, 1, report.n, stderr);
    return rc ? err_wrap(err, "%s", d->config->policy) : OK;
}

static enum code examine(struct doctor *d, const struct args *args, struct err *err) {
    d->config = ARENA_NEW(d->arena, struct config);
    if (!d->config) return err_oom(err);
    enum code rc = operator_audit_dir(args, d->arena, d->config, d->audit, err);
    if (!rc) rc = trail_walk(d->audit, str_z(args->operands[0]), d->arena, &d->trail, err);
    if (!rc) rc = look_at_job(d, err);
    if (!rc) rc = load_policy(d, err);
    if (!rc) diagnose(&d->trail, &d->job, &d->diagnosis);
    return rc;
}

/* The rules that are missing, by the policy as it is now. */
static enum code explain(struct doctor *d, const struct cause *c, struct policy_explanation *ret, struct err *err) {
    struct audit_entry *entry = ARENA_NEW(d->arena, struct audit_entry);
    struct policy_recorded recorded;
    *ret = (struct policy_explanation){ 0 };
    if (c->kind != CAUSE_PERMISSION) return OK;
    enum code rc = entry ? operator_entry(d->audit, c->sight->id, d->arena, entry, err) : err_oom(err);
    if (!rc) rc = operator_recorded(entry, d->arena, &recorded, err);
    return rc ? rc : policy_explain(d->policy, &recorded, clock_wall_us(), d->arena, ret, err);
}

/* ---- for a person ---- */

/* Names, causes and the driver's words are others': each line is made safe. */
static void put_cause_text(size_t number, const struct cause *c, struct buf *out) {
    size_t from = out->n;
    buf_printf(out, "%zu. ", number);
    switch (c->kind) {
    case CAUSE_PERMISSION:
        buf_printf(out, "a permission: %.*s may not %.*s (%.*s, request %.*s)", STR_ARG(c->who), STR_ARG(c->what),
                   STR_ARG(c->reason), STR_ARG(c->sight->id));
        break;
    case CAUSE_TOKEN:
        buf_printf(out, "a token: that of %.*s was not accepted: %.*s, since %.*s (%.*s)", STR_ARG(c->who),
                   STR_ARG(c->reason), STR_ARG(c->since), STR_ARG(c->what));
        break;
    case CAUSE_UNREACHABLE:
        buf_printf(out, "a service that does not answer: %.*s, since %.*s", STR_ARG(c->what), STR_ARG(c->since));
        break;
    case CAUSE_SPARK: buf_printf(out, "Spark: job %.*s failed at %.*s", STR_ARG(c->what), STR_ARG(c->since)); break;
    case CAUSE_ACTIVITY:
        buf_printf(out, "an activity: %.*s, %.*s, at %.*s", STR_ARG(c->what), STR_ARG(c->reason), STR_ARG(c->since));
        break;
    case CAUSE_KINDS: break;
    }
    if (c->sight && c->sight->times > 1) buf_printf(out, ", %u times", c->sight->times);
    terminal_safe(out, from);
    buf_add_char(out, '\n');
    if (c->text.n) terminal_line(out, "   %.*s", STR_ARG(c->text));
}

static void put_additions(const struct policy_explanation *x, struct buf *out) {
    for (size_t i = 0; i < x->n_near; i++)
        terminal_line(out, "   near: %.*s (%.*s:%u) %.*s", STR_ARG(x->near[i].rule), STR_ARG(x->near[i].file),
                      x->near[i].line, STR_ARG(x->near[i].lacks));
    for (size_t i = 0; i < x->n_additions; i++) {
        buf_printf(out, "   what would allow it, in %.*s, if %.*s agrees:\n", STR_ARG(x->additions[i].file),
                   STR_ARG(x->additions[i].owner));
        for (struct str rest = x->additions[i].rule, line; (line = str_cut(&rest, '\n')).n;)
            buf_printf(out, "   + %.*s\n", STR_ARG(line));
    }
}

static void put_head(const struct doctor *d, struct buf *out) {
    const struct trail *t = &d->trail;
    if (t->is_pipeline)
        terminal_line(out, "run %.*s of pipeline %.*s, started by %.*s at %.*s: %.*s", STR_ARG(t->asked),
                      STR_ARG(t->pipeline), STR_ARG(t->starter), STR_ARG(t->started), STR_ARG(t->state));
    if (t->job.n)
        terminal_line(out, "job %.*s, submitted by %.*s to run as %.*s: %.*s", STR_ARG(t->job), STR_ARG(t->job_submitter),
                      STR_ARG(t->job_account), STR_ARG(d->job.state.n ? d->job.state : STR("never started")));
}

static void put_waiting(const struct doctor *d, struct buf *out) {
    const struct trail *t = &d->trail;
    if (!d->diagnosis.going_on) return;
    if (t->activity.n)
        terminal_line(out, "activity %.*s goes on since %.*s", STR_ARG(t->activity), STR_ARG(t->activity_since));
    if (t->job.n && !t->last.n) buf_add_z(out, "the job has asked for nothing yet\n");
    if (t->last.n) buf_printf(out, "the job was last heard of at %.*s\n", STR_ARG(t->last));
}

static enum code put_text(struct doctor *d, struct buf *out, struct err *err) {
    const struct diagnosis *g = &d->diagnosis;
    put_head(d, out);
    put_waiting(d, out);
    if (!g->n_causes)
        buf_add_z(out, g->failed ? "the log holds no cause for its end\n" : "nothing was refused, and nothing failed\n");
    for (size_t i = 0; i < g->n_causes; i++) {
        struct policy_explanation x;
        enum code rc = explain(d, &g->causes[i], &x, err);
        if (rc) return rc;
        if (g->causes[i].by_the_way && (i == 0 || !g->causes[i - 1].by_the_way)) buf_add_z(out, "seen by the way:\n");
        put_cause_text(i + 1, &g->causes[i], out);
        put_additions(&x, out);
    }
    return OK;
}

/* ---- for a program ---- */

static void member(struct buf *out, const char *name, struct str value) {
    buf_printf(out, ",\"%s\":", name);
    json_text_string(out, value);
}

static void put_additions_json(const struct policy_explanation *x, struct buf *out) {
    buf_add_z(out, ",\"additions\":[");
    for (size_t i = 0; i < x->n_additions; i++) {
        buf_add_z(out, i ? ",{\"file\":" : "{\"file\":");
        json_text_string(out, x->additions[i].file);
        member(out, "rule", x->additions[i].rule);
        buf_add_char(out, '}');
    }
    buf_add_char(out, ']');
}

static void put_cause_json(const struct cause *c, const struct policy_explanation *x, struct buf *out) {
    buf_printf(out, "{\"kind\":\"%s\"", cause_name(c->kind));
    member(out, "who", c->who);
    member(out, "what", c->what);
    member(out, "reason", c->reason);
    member(out, "since", c->since);
    member(out, "id", c->sight ? c->sight->id : STR(""));
    member(out, "text", c->text);
    put_additions_json(x, out);
    buf_printf(out, ",\"byTheWay\":%s}", c->by_the_way ? "true" : "false");
}

static enum code put_json(struct doctor *d, struct buf *out, struct err *err) {
    const struct trail *t = &d->trail;
    buf_add_z(out, "{\"run\":");
    json_text_string(out, t->asked);
    member(out, "pipeline", t->pipeline);
    member(out, "startedBy", t->starter);
    member(out, "state", t->is_pipeline ? t->state : d->job.state);
    member(out, "job", t->job);
    member(out, "jobState", d->job.state);
    member(out, "activity", t->activity);
    member(out, "activitySince", t->activity_since);
    member(out, "lastHeard", t->last);
    buf_add_z(out, ",\"causes\":[");
    for (size_t i = 0; i < d->diagnosis.n_causes; i++) {
        struct policy_explanation x;
        enum code rc = explain(d, &d->diagnosis.causes[i], &x, err);
        if (rc) return rc;
        if (i) buf_add_char(out, ',');
        put_cause_json(&d->diagnosis.causes[i], &x, out);
    }
    buf_add_z(out, "]}\n");
    return OK;
}

static int run(struct args *args) {
    struct doctor d = { .arena = arena_new(ARENA_BYTES) };
    DEFER(buf_free) struct buf out = BUF_INIT(OUT_BYTES);
    struct err err;
    enum code rc = d.arena ? examine(&d, args, &err) : err_oom(&err);
    if (!rc) rc = args_has(args, "json") ? put_json(&d, &out, &err) : put_text(&d, &out, &err);
    policy_unref(d.policy);
    bool ill = !rc && d.diagnosis.n_causes && !d.diagnosis.causes[0].by_the_way;
    arena_free(d.arena);
    if (rc) return complain(args, &err);
    int status = print_out(&out);
    return status ? status : ill ? EXIT_ILL : 0;
}

static const struct option options[] = {
    OPTION_CONFIG,
    { .name = "json", .doc = "As JSON: {run, pipeline, startedBy, state, job, jobState, activity, lastHeard, causes}." },
    { 0 },
};
const struct command command_doctor = {
    .name = "doctor",
    .line = "Says why a pipeline's run or a job failed, or what it waits for",
    .operands = "RUN",
    .min_operands = 1,
    .max_operands = 1,
    .options = options,
    .about =
        "For the operator, on the server's machine: reads its audit log, its policy and its jobs. RUN is the id of a\n"
        "pipeline's run, or of a job. Tells apart a missing permission (who, what, the rule to add), a token that was\n"
        "not accepted (whose, since when), a service that does not answer, and a failure of Spark. Exits with 1 when\n"
        "it found a cause.\n\n"
        "  linkspan doctor 0f8e4c1a-… --config site/linkspan.yaml",
    .run = run,
};
