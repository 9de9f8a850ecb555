/* diagnosis.h: why a run failed or hangs: causes told apart, from its trail in the audit log and its job's last state.
 * Plain data; text lives in the trail's arena. Main thread. */
#pragma once
#include "cli/trail.h"

enum cause_kind {
    CAUSE_PERMISSION,  /* a rule is missing, or denies */
    CAUSE_TOKEN,       /* a token expired, was revoked, is for another audience, or could not be made */
    CAUSE_UNREACHABLE, /* a service does not answer */
    CAUSE_SPARK,       /* the driver failed by itself */
    CAUSE_ACTIVITY,    /* a pipeline's activity failed by itself, or its service answered with an error */
    CAUSE_KINDS
};
const char *cause_name(enum cause_kind kind); /* "permission" */

struct cause {
    enum cause_kind kind;
    const struct sight *sight;                 /* NULL: the job's own end */
    struct str who, what, reason, since, text; /* text: one sentence for a person; or empty */
    bool by_the_way;                           /* seen, yet the run did not fail by it */
};

enum { DIAGNOSIS_MAX_CAUSES = TRAIL_MAX_SIGHTS + 1 };

struct diagnosis {
    struct cause causes[DIAGNOSIS_MAX_CAUSES]; /* what explains most, first */
    size_t n_causes;
    bool failed, going_on; /* neither: it ended well */
};

/* How the job stands: `state` empty: there is none. */
struct job_end {
    struct str state, details, since; /* "ERROR", "the driver ended with 1: …", RFC 3339 */
};

void diagnose(const struct trail *trail, const struct job_end *job, struct diagnosis *ret);
