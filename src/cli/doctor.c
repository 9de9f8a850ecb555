/* doctor.c: why a run failed or hangs: a missing permission, a token, a service that does not answer, or Spark itself. */
#include "cli/doctor.h"
#include <stdio.h>
#include <stdlib.h>
#include "base/clock.h"
#include "cli/job_follow.h"
#include "cli/operator.h"
#include "dataproc/look.h"
#include "gate/policies.h"
#include "wire/pb/pb_json.h"
#include "wire/pb/wkt.pb.h"

enum { ARENA_BYTES = 256 << 20, OUT_BYTES = 16 << 20, EXIT_ILL = 1 };

/* ---- what is known ---- */

static struct str time_text(const struct pb_Timestamp *time, struct arena *arena) {
    DEFER(buf_free) struct buf out = BUF_INIT(256);
    struct err err;
    if (!time || pb_to_json(&pb_Timestamp_msg, time, &out, &err) || out.n < 2) return STR("");
    return str_dup(arena, (struct str){ out.p + 1, out.n - 2 }); /* without its quotes */
}

/* In the state of this connection; another job of that name, made since, is another. */
static enum code look_in(struct doctor *d, const struct config_connection *c, size_t at, struct err *err) {
    const struct dataproc_Job *job;
    const struct trail_job *known = &d->trail.jobs[at];
    struct str folder = arena_printf(d->arena, "%s/jobs/%.*s", d->config->data, STR_ARG(c->name));
    enum code rc = folder.p ? dataproc_look(folder.p, known->id, d->arena, &job, err) : err_oom(err);
    if (rc || !job->status || !str_eq(job->job_uuid, known->run)) return rc;
    d->max_jobs = c->dataproc.max_jobs;
    d->ends[at] = (struct job_end){ .state = str_z(job_state(job)),
                                    .details = job->status->details,
                                    .since = time_text(job->status->state_start_time, d->arena) };
    return OK;
}

static enum code look_at_jobs(struct doctor *d, struct err *err) {
    for (size_t at = 0; at < d->trail.n_jobs; at++)
        for (size_t i = 0; i < d->config->n_connections; i++) {
            const struct config_connection *c = &d->config->connections[i];
            enum code rc = c->dataproc.present && !c->dataproc.upstream ? look_in(d, c, at, err) : OK;
            if (rc && rc != NOT_FOUND) return rc;
        }
    return OK;
}

/* A policy that does not load is perhaps just being mended: then no rules are proposed, and all else is said. */
static void load_policy(struct doctor *d) {
    DEFER(buf_free) struct buf report = BUF_INIT(OUT_BYTES);
    struct err err;
    if (!policies_load(NULL, d->config, &report, &d->policy, &err)) return;
    d->policy = NULL;
    if (report.n) (void)fwrite(report.p, 1, report.n, stderr);
    else (void)fprintf(stderr, "%s: %s\n", d->config->policy, err.message);
}

/* A permission that a person can give: another refusal is that of an address, or no policy's doing. */
static enum code explain(struct doctor *d, size_t at, struct err *err) {
    const struct cause *c = &d->diagnosis.causes[at];
    struct audit_entry *entry = ARENA_NEW(d->arena, struct audit_entry);
    struct policy_recorded recorded;
    enum reason reason;
    if (c->kind != CAUSE_PERMISSION || !reason_from_name(c->reason, &reason)) return OK;
    d->missing[at].why_none = STR("the policy does not load");
    if (!d->policy) return OK;
    enum code rc = entry ? operator_entry(d->audit, c->sight->id, d->arena, entry, err) : err_oom(err);
    if (!rc) rc = operator_recorded(entry, d->arena, &recorded, err);
    return rc ? rc : policy_explain(d->policy, &recorded, clock_wall_us(), d->arena, &d->missing[at], err);
}

static enum code examine(struct doctor *d, const struct args *args, struct err *err) {
    d->config = ARENA_NEW(d->arena, struct config);
    if (!d->config) return err_oom(err);
    enum code rc = operator_audit_dir(args, d->arena, d->config, d->audit, err);
    if (!rc) rc = trail_walk(d->audit, str_z(args->operands[0]), d->arena, &d->trail, err);
    if (!rc) rc = look_at_jobs(d, err);
    if (rc) return rc;
    load_policy(d);
    diagnose(&d->trail, d->ends, &d->diagnosis);
    for (size_t i = 0; !rc && i < d->diagnosis.n_causes; i++) rc = explain(d, i, err);
    return rc;
}

static int run(struct args *args) {
    struct doctor *d = calloc(1, sizeof *d);
    DEFER(buf_free) struct buf out = BUF_INIT(OUT_BYTES);
    struct err err;
    enum code rc = d && (d->arena = arena_new(ARENA_BYTES)) ? examine(d, args, &err) : err_oom(&err);
    if (!rc) (args_has(args, "json") ? doctor_json : doctor_text)(d, &out);
    bool ill = !rc && diagnosis_is_ill(&d->diagnosis);
    if (d) {
        policy_unref(d->policy);
        arena_free(d->arena);
        free(d);
    }
    if (rc) return complain(args, &err);
    int status = print_out(&out);
    return status ? status : ill ? EXIT_ILL : 0;
}

static const struct option options[] = {
    OPTION_CONFIG,
    { .name = "json", .doc = "As JSON: {run, health, pipeline, state, jobs, activities, causes}; docs/doctor.md." },
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
        "not accepted (whose, since when), a service that does not answer, and a failure of Spark; of a run that goes on\n"
        "it says what it waits for. Exits with 1 when the run failed, or something stands in its way.\n\n"
        "  linkspan doctor 0f8e4c1a-… --config site/linkspan.yaml",
    .run = run,
};
