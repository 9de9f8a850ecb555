/* run.c: submits a Dataproc job out of a file, and follows it. */
#include <stdio.h>
#include <unistd.h>
#include "base/file.h"
#include "cli/commands.h"
#include "cli/job_file.h"
#include "cli/job_follow.h"
#include "crypto/random.h"
#include "wire/pb/dataproc.pb.h"
#include "wire/pb/pb_json.h"

enum { ARENA_BYTES = 64 << 20, OUT_BYTES = 4 << 20 };

/* With an id of its own a request may be sent again: the second one answers with the first one's job. */
static enum code submit(struct channel *channel, struct dataproc_SubmitJobRequest *request, struct arena *arena,
                        const struct dataproc_Job **ret, struct err *err) {
    DEFER(buf_free) struct buf id = BUF_INIT(64);
    random_text(&id, 18);
    if (!request->request_id.n) request->request_id = str_dup(arena, buf_str(&id));
    void *reply;
    enum code rc = rpc_unary(channel, "google.cloud.dataproc.v1.JobController/SubmitJob", &dataproc_SubmitJobRequest_msg,
                             request, &dataproc_Job_msg, true, arena, &reply, err);
    if (!rc) *ret = reply;
    return rc;
}

static enum code run_job(const struct args *args, struct arena *arena, const struct dataproc_Job **ret, struct err *err) {
    DEFER(channel_closep) struct channel *channel = NULL;
    struct dataproc_SubmitJobRequest *request;
    struct str text;
    enum code rc = file_read(arena, args->operands[0], JOB_FILE_MAX, &text, err);
    if (!rc) rc = job_file_read(text, args_text(args, "project"), args_text(args, "region"), arena, &request, err);
    if (rc == INVALID_ARGUMENT) {
        unsigned line = err->line, column = err->column;
        (void)err_wrap(err, "%s:%u:%u", args->operands[0], line, column);
        err->line = 0;
    }
    if (!rc) rc = channel_open(args, &channel, err);
    if (!rc) rc = submit(channel, request, arena, ret, err);
    if (rc || args_has(args, "no-follow")) return rc;
    struct job_place place = { request->project_id, request->region, (*ret)->reference->job_id };
    return job_follow(channel, &place, args_has(args, "json") ? STDERR_FILENO : STDOUT_FILENO, arena, ret, err);
}

static int run(struct args *args) {
    DEFER(arena_freep) struct arena *arena = arena_new(ARENA_BYTES);
    DEFER(buf_free) struct buf out = BUF_INIT(OUT_BYTES);
    const struct dataproc_Job *job;
    struct err err;
    enum code rc = arena ? run_job(args, arena, &job, &err) : err_oom(&err);
    if (rc) return complain(args, &err);
    if (args_has(args, "json")) {
        if (pb_to_json(&dataproc_Job_msg, job, &out, &err)) return complain(args, &err);
        buf_add_char(&out, '\n');
    } else if (args_has(args, "no-follow")) buf_printf(&out, "%.*s\n", STR_ARG(job->reference->job_id));
    int status = print_out(&out);
    if (args_has(args, "no-follow") || !job->status || job->status->state == dataproc_JobStatus_State_DONE) return status;
    (void)fprintf(stderr, "linkspan run: the job ended as %s: %.*s\n", job_state(job), STR_ARG(job->status->details));
    return 1;
}

static const struct option options[] = {
    OPTIONS_SERVER,
    OPTIONS_PLACE,
    { .name = "follow", .doc = "Waits for the job's end and shows its output. This is the default." },
    { .name = "no-follow", .doc = "Prints the job's id once it is submitted, and ends." },
    { .name = "json", .doc = "Prints the job as JSON at the end; its output goes to standard error." },
    { 0 },
};
const struct command command_run = {
    .name = "run",
    .line = "Submits a Dataproc job and follows it",
    .operands = "FILE",
    .min_operands = 1,
    .max_operands = 1,
    .options = options,
    .about = "FILE is a Job, or a SubmitJobRequest, of the Dataproc API in JSON or YAML, with the API's names:\n\n"
             "  placement: { clusterName: batch }\n  pysparkJob: { mainPythonFileUri: file:///srv/jobs/delays.py, args: "
             "[2013] }\n\n"
             "Exits with 0 when the job is DONE, with 1 when it ended as ERROR or CANCELLED, with the cause on standard "
             "error.\n\n"
             "  linkspan run job.yaml --project demo --region local",
    .run = run,
};
