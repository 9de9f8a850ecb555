/* job_follow.h: what `run` and `jobs` share: a job's states and driver output as they come. Main thread. */
#pragma once
#include "cli/channel.h"

#define OPTIONS_PLACE                                                                                                      \
    { .name = "project", .value = "ID", .env = "GOOGLE_CLOUD_PROJECT", .doc = "The project." }, {                          \
        .name = "region", .value = "NAME", .env = "CLOUDSDK_DATAPROC_REGION", .doc = "The region."                         \
    }

struct dataproc_Job;
struct job_place {
    struct str project, region, id;
};
MUST_USE enum code job_get(struct channel *channel, const struct job_place *place, struct arena *arena,
                           const struct dataproc_Job **ret, struct err *err);
const char *job_state(const struct dataproc_Job *job); /* "RUNNING" */
bool job_is_over(const struct dataproc_Job *job);
/* Writes the driver's output from *offset on to `fd`, and moves it. */
MUST_USE enum code job_output(struct channel *channel, const struct job_place *place, uint64_t *offset, int fd,
                              struct err *err);
/* Until the job is over, states to standard error, output to `fd` (-1: none). ret_job lives in the arena. */
MUST_USE enum code job_follow(struct channel *channel, const struct job_place *place, int fd, struct arena *arena,
                              const struct dataproc_Job **ret, struct err *err);
