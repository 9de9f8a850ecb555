/* doctor.h: what `linkspan doctor` found, and its two ways of saying it. Main thread. */
#pragma once
#include "base/buf.h"
#include "cli/diagnosis.h"
#include "policy/policy.h"

struct doctor {
    struct arena *arena;
    struct config *config;
    struct policy *policy;
    char audit[4096];
    struct trail trail;
    struct job_end ends[TRAIL_MAX_JOBS];
    size_t max_jobs; /* at once, of the connection of these jobs */
    struct diagnosis diagnosis;
    struct policy_explanation missing[DIAGNOSIS_MAX_CAUSES]; /* of each cause: the rules, by the policy as it is now */
};

const char *doctor_health(enum run_health health); /* "failed" */
void doctor_text(const struct doctor *doctor, struct buf *out);
void doctor_json(const struct doctor *doctor, struct buf *out);
