/* jobs.c: looks at Dataproc jobs, and ends them. */
#include <stdio.h>
#include <unistd.h>
#include "cli/commands.h"
#include "cli/job_follow.h"
#include "cli/table.h"
#include "wire/pb/dataproc.pb.h"
#include "wire/pb/pb_json.h"
#include "wire/pb/wkt.pb.h"

enum { ARENA_BYTES = 64 << 20, OUT_BYTES = 32 << 20, PAGES_MAX = 1000 };

struct desk {
    struct channel *channel;
    struct arena *arena;
    struct job_place place;
};

static enum code open_desk(const struct args *args, struct desk *d, struct err *err) {
    const char *project = args_text(args, "project"), *region = args_text(args, "region");
    if (!(d->arena = arena_new(ARENA_BYTES))) return err_oom(err);
    if (!project || !region) return err_set(err, INVALID_ARGUMENT, "which jobs? Give --project and --region");
    d->place = (struct job_place){ str_z(project), str_z(region), str_z(args->n_operands ? args->operands[0] : NULL) };
    return channel_open(args, &d->channel, err);
}

static void close_desk(struct desk *d) {
    channel_close(d->channel);
    arena_free(d->arena);
}

static struct str started(const struct dataproc_Job *job, struct buf *out) {
    struct err err;
    const struct dataproc_JobStatus *first = job->status_history.n ? &job->status_history.p[0] : job->status;
    buf_clear(out);
    if (!first || !first->state_start_time || pb_to_json(&pb_Timestamp_msg, first->state_start_time, out, &err))
        return STR("");
    return (struct str){ out->p + 1, out->n - 2 }; /* without its quotes */
}

static bool add_row(struct table *t, const struct dataproc_Job *job) {
    DEFER(buf_free) struct buf when = BUF_INIT(256);
    struct str id = job->reference ? job->reference->job_id : STR("");
    return table_add(t, id, false) && table_add(t, str_z(job_state(job)), false) &&
           table_add(t, job->placement ? job->placement->cluster_name : STR(""), false) &&
           table_add(t, started(job, &when), false) && table_add(t, job->status ? job->status->details : STR(""), false);
}

static enum code add_page(const struct dataproc_ListJobsResponse *page, bool json, struct table *t, struct buf *out,
                          struct err *err) {
    for (size_t i = 0; i < page->jobs.n; i++) {
        if (!json && !add_row(t, &page->jobs.p[i])) return err_oom(err);
        if (!json) continue;
        enum code rc = pb_to_json(&dataproc_Job_msg, &page->jobs.p[i], out, err);
        if (rc) return rc;
        buf_add_char(out, '\n');
    }
    return OK;
}

static enum code list(const struct args *args, struct desk *d, struct buf *out, struct err *err) {
    DEFER(arena_freep) struct arena *cells = arena_new(ARENA_BYTES);
    struct table table = { .arena = cells,
                           .names = { STR("JOB"), STR("STATE"), STR("CLUSTER"), STR("STARTED"), STR("DETAILS") },
                           .n_columns = 5 };
    struct dataproc_ListJobsRequest request = { .project_id = d->place.project,
                                                .region = d->place.region,
                                                .page_size = 100,
                                                .filter = str_z(args_text(args, "filter")) };
    if (!cells) return err_oom(err);
    for (unsigned page = 0; page < PAGES_MAX; page++) {
        void *reply;
        enum code rc = rpc_unary(d->channel, "google.cloud.dataproc.v1.JobController/ListJobs",
                                 &dataproc_ListJobsRequest_msg, &request, &dataproc_ListJobsResponse_msg, true, d->arena,
                                 &reply, err);
        const struct dataproc_ListJobsResponse *got = reply;
        if (!rc) rc = add_page(got, args_has(args, "json"), &table, out, err);
        if (rc) return rc;
        request.page_token = got->next_page_token;
        if (!request.page_token.n) break;
    }
    if (!args_has(args, "json")) table_print(&table, out);
    return OK;
}

static enum code print_job(const struct dataproc_Job *job, struct buf *out, struct err *err) {
    enum code rc = pb_to_json(&dataproc_Job_msg, job, out, err);
    buf_add_char(out, '\n');
    return rc;
}

static enum code get(const struct args *args, struct desk *d, struct buf *out, struct err *err) {
    const struct dataproc_Job *job;
    enum code rc = job_get(d->channel, &d->place, d->arena, &job, err);
    if (rc || args_has(args, "json")) return rc ? rc : print_job(job, out, err);
    buf_printf(out, "%.*s: %s", STR_ARG(d->place.id), job_state(job));
    if (job->status && job->status->details.n) buf_printf(out, ": %.*s", STR_ARG(job->status->details));
    buf_add_char(out, '\n');
    return OK;
}

static enum code cancel(const struct args *args, struct desk *d, struct buf *out, struct err *err) {
    struct dataproc_CancelJobRequest request = { .project_id = d->place.project,
                                                 .region = d->place.region,
                                                 .job_id = d->place.id };
    void *reply;
    enum code rc = rpc_unary(d->channel, "google.cloud.dataproc.v1.JobController/CancelJob", &dataproc_CancelJobRequest_msg,
                             &request, &dataproc_Job_msg, true, d->arena, &reply, err);
    if (rc || args_has(args, "json")) return rc ? rc : print_job(reply, out, err);
    buf_printf(out, "%.*s: %s\n", STR_ARG(d->place.id), job_state(reply));
    return OK;
}

static enum code delete (UNUSED const struct args *args, struct desk *d, UNUSED struct buf *out, struct err *err) {
    struct dataproc_DeleteJobRequest request = { .project_id = d->place.project,
                                                 .region = d->place.region,
                                                 .job_id = d->place.id };
    void * reply;
    return rpc_unary(d->channel, "google.cloud.dataproc.v1.JobController/DeleteJob", &dataproc_DeleteJobRequest_msg,
                     &request, &pb_Empty_msg, false, d->arena, &reply, err);
}

static enum code logs(const struct args *args, struct desk *d, UNUSED struct buf *out, struct err *err) {
    const struct dataproc_Job *job;
    uint64_t offset = 0;
    if (!args_has(args, "follow")) return job_output(d->channel, &d->place, &offset, STDOUT_FILENO, err);
    return job_follow(d->channel, &d->place, STDOUT_FILENO, d->arena, &job, err);
}

static int run_with(struct args *args, enum code (*fn)(const struct args *, struct desk *, struct buf *, struct err *)) {
    DEFER(buf_free) struct buf out = BUF_INIT(OUT_BYTES);
    struct desk desk = { 0 };
    struct err err;
    enum code rc = open_desk(args, &desk, &err);
    if (!rc) rc = fn(args, &desk, &out, &err);
    close_desk(&desk);
    return rc ? complain(args, &err) : print_out(&out);
}

static int run_list(struct args *args) {
    return run_with(args, list);
}
static int run_get(struct args *args) {
    return run_with(args, get);
}
static int run_cancel(struct args *args) {
    return run_with(args, cancel);
}
static int run_logs(struct args *args) {
    return run_with(args, logs);
}
static int run_delete(struct args *args) {
    return run_with(args, delete);
}

static const struct option list_options[] = {
    OPTIONS_SERVER,
    OPTIONS_PLACE,
    { .name = "filter", .value = "TEXT", .doc = "As the API has it: status.state = ACTIVE AND labels.env = staging." },
    { .name = "json", .doc = "One job as JSON a line." },
    { 0 },
};
static const struct option one_options[] = {
    OPTIONS_SERVER, OPTIONS_PLACE, { .name = "json", .doc = "The job as JSON." }, { 0 }
};
static const struct option log_options[] = {
    OPTIONS_SERVER, OPTIONS_PLACE, { .name = "follow", .doc = "Goes on until the job is over." }, { 0 }
};
static const struct option delete_options[] = { OPTIONS_SERVER, OPTIONS_PLACE, { 0 } };
const struct command command_jobs_list = {
    .name = "jobs list", .line = "Lists Dataproc jobs", .operands = "", .options = list_options, .run = run_list
};
#define ONE_JOB .operands = "JOB", .min_operands = 1, .max_operands = 1
const struct command command_jobs_get = {
    .name = "jobs get", .line = "Shows one job's state", ONE_JOB, .options = one_options, .run = run_get
};
const struct command command_jobs_cancel = { .name = "jobs cancel",
                                             .line = "Cancels a job: its whole process tree ends",
                                             ONE_JOB,
                                             .options = one_options,
                                             .run = run_cancel };
const struct command command_jobs_logs = {
    .name = "jobs logs", .line = "Prints the driver's output", ONE_JOB, .options = log_options, .run = run_logs
};
const struct command command_jobs_delete = {
    .name = "jobs delete", .line = "Deletes a job that is over", ONE_JOB, .options = delete_options, .run = run_delete
};
