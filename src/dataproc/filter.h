/* filter.h: Dataproc's filters of lists: `status.state = ACTIVE AND labels.env = prod AND labels.team = *`. AND only.
 * Any thread; text lives in the arena. */
#pragma once
#include "wire/pb/dataproc.pb.h"

enum { FILTER_MAX_TERMS = 32 };

enum filter_field { FILTER_STATE, FILTER_CLUSTER, FILTER_LABEL };

struct filter {
    struct filter_term {
        enum filter_field field;
        struct str label, value; /* value "*": any */
    } terms[FILTER_MAX_TERMS];
    size_t n;
};

/* "" and "{}" (gcloud's) are no filter. INVALID_ARGUMENT names what is not understood. */
MUST_USE enum code filter_parse(struct str text, struct filter *ret, struct err *err);
bool filter_job(const struct filter *filter, const struct dataproc_Job *job);
bool filter_cluster(const struct filter *filter, const struct dataproc_Cluster *cluster);
bool job_state_is_terminal(int32_t state);
