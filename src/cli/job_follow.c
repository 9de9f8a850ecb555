#include "cli/job_follow.h"
#include <stdio.h>
#include <string.h>
#include "base/file.h"
#include "wire/pb/dataproc.pb.h"
#include "wire/url.h"

enum { POLL_MS = 500, OUTPUT_ARENA = 8 << 20, JOB_ARENA = 4 << 20, PATH_BYTES = 2048 };

enum code job_get(struct channel *channel, const struct job_place *place, struct arena *arena,
                  const struct dataproc_Job **ret, struct err *err) {
    struct dataproc_GetJobRequest request = { .project_id = place->project, .region = place->region, .job_id = place->id };
    void *reply;
    enum code rc = rpc_unary(channel, "google.cloud.dataproc.v1.JobController/GetJob", &dataproc_GetJobRequest_msg,
                             &request, &dataproc_Job_msg, true, arena, &reply, err);
    if (!rc) *ret = reply;
    return rc;
}

const char *job_state(const struct dataproc_Job *job) {
    const struct pb_enum_value *v = pb_enum_by_number(&dataproc_JobStatus_State_enum, job->status ? job->status->state : 0);
    return v ? v->name.p : "UNKNOWN";
}

bool job_is_over(const struct dataproc_Job *job) {
    int32_t state = job->status ? job->status->state : 0;
    return state == dataproc_JobStatus_State_DONE || state == dataproc_JobStatus_State_ERROR ||
           state == dataproc_JobStatus_State_CANCELLED;
}

enum code job_output(struct channel *channel, const struct job_place *place, uint64_t *offset, int fd, struct err *err) {
    for (;;) {
        DEFER(arena_freep) struct arena *arena = arena_new(OUTPUT_ARENA);
        DEFER(buf_free) struct buf path = BUF_INIT(PATH_BYTES);
        struct http_answer answer;
        buf_add_z(&path, "/v1/projects/");
        url_encode(&path, place->project);
        buf_add_z(&path, "/regions/");
        url_encode(&path, place->region);
        buf_add_z(&path, "/jobs/");
        url_encode(&path, place->id);
        buf_printf(&path, "/driveroutput?offset=%llu", (unsigned long long)*offset);
        if (!arena || !buf_ok(&path)) return err_oom(err);
        enum code rc = channel_get(channel, buf_str(&path), arena, &answer, err);
        if (rc || answer.body.n == 0) return rc;
        *offset += answer.body.n;
        if ((rc = file_write_all(fd, answer.body, err))) return rc;
    }
}

static void say_state(const struct dataproc_Job *job, char said[32]) {
    const char *state = job_state(job);
    if (strcmp(said, state) == 0) return;
    (void)snprintf(said, 32, "%s", state);
    (void)fprintf(stderr, "job %.*s: %s\n", job->reference ? (int)job->reference->job_id.n : 0,
                  job->reference ? job->reference->job_id.p : "", state);
}

enum code job_follow(struct channel *channel, const struct job_place *place, int fd, struct arena *arena,
                     const struct dataproc_Job **ret, struct err *err) {
    char said[32] = "";
    uint64_t offset = 0;
    for (;;) {
        DEFER(arena_freep) struct arena *round = arena_new(JOB_ARENA);
        const struct dataproc_Job *job;
        if (!round) return err_oom(err);
        enum code rc = job_get(channel, place, round, &job, err);
        if (rc) return rc;
        say_state(job, said);
        bool over = job_is_over(job);
        if (fd >= 0) rc = job_output(channel, place, &offset, fd, err);
        if (rc == NOT_FOUND && !over) rc = OK; /* nothing was written yet */
        if (rc) return rc;
        if (over) return job_get(channel, place, arena, ret, err);
        channel_pause(channel, POLL_MS);
    }
}
