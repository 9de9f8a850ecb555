/* diagnosis.h: why a run failed or hangs: causes told apart, from its trail in the audit log and how its jobs stand.
 * Plain data; text lives in the trail's arena. Main thread. docs/doctor.md has the rules. */
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
    const struct sight *sight;                 /* NULL: a job's own end */
    struct str who, what, reason, since, text; /* text: one sentence for a person; or empty */
    bool by_the_way;                           /* seen, yet the run did not fail by it */
};

enum { DIAGNOSIS_MAX_CAUSES = SIGHTS_MAX + TRAIL_MAX_JOBS };

enum run_health { RUN_WELL, RUN_GOES_ON, RUN_CANCELLED_BY_SOMEONE, RUN_FAILED_OR_REFUSED };

struct diagnosis {
    enum run_health health;
    struct cause causes[DIAGNOSIS_MAX_CAUSES]; /* what explains most, first; by the way, last */
    size_t n_causes;
};

/* How a job stands; `state` empty: nothing is kept of it. */
struct job_end {
    struct str state, details, since; /* "ERROR", "the driver exited with 1: …", RFC 3339 */
};

/* `ends`: one for each of the trail's jobs. */
void diagnose(const struct trail *trail, const struct job_end *ends, struct diagnosis *ret);
/* Did the run fail, or does something stand in its way? */
bool diagnosis_is_ill(const struct diagnosis *diagnosis);
