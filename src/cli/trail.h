/* trail.h: what the audit log says of one run: of a pipeline, or of a job; on both sides of every crossing.
 *
 * One walk through the log, in its order: a Web activity's intention names the token that it sends before the bridge's
 * entry names the token that it verified, and SubmitJob's entry names the run under which the job's own requests follow. So
 * what belongs together is found by ids alone: run ids, fingerprints of tokens, run of a job. Main thread; text lives in
 * the arena. */
#pragma once
#include "audit/entry.h"

enum { TRAIL_MAX_TOKENS = 64, TRAIL_MAX_SIGHTS = 64, TRAIL_TEXT = 64 };

enum sight_kind {
    SIGHT_REFUSED,     /* policy said no: to the pipeline's call, at the bridge, or to the job */
    SIGHT_TOKEN,       /* a token was not accepted, or could not be made */
    SIGHT_UNREACHABLE, /* no answer from where a Web activity called */
    SIGHT_STATUS,      /* it answered with an HTTP status of 400 or more */
    SIGHT_FAILED,      /* an activity failed for a reason of its own: `what` is its error code */
};

/* One thing that went wrong, as the log tells it. */
struct sight {
    enum sight_kind kind;
    struct str id, since; /* the request's id; RFC 3339: of the first of its kind */
    struct str who;       /* "transform@…", "7d0e… of workspaces" */
    struct str what;      /* "read Weather(origin) in spanner demo/flights", "https://…/x with audience …" */
    struct str reason;    /* "NO_RULE", "TOKEN_EXPIRED", "CONNECT", "401" */
    struct str detail;    /* for people */
    struct str activity;  /* of a pipeline; or empty */
    unsigned times;
};

struct trail {
    struct arena *arena;
    struct str asked; /* what was asked for */
    bool is_pipeline, found;
    struct str pipeline, state, starter, started, ended; /* of a pipeline's run; state: "InProgress", "Failed", … */
    struct str activity, activity_since;                 /* the activity in progress that began last */
    struct str job, job_run, job_submitter, job_account;
    struct str last; /* when the job's run was last heard of */
    struct trail_token {
        struct str id, to, audience;
    } tokens[TRAIL_MAX_TOKENS]; /* that Web activities of the run sent, and where */
    size_t n_tokens;
    struct sight sights[TRAIL_MAX_SIGHTS]; /* the first ones of the run */
    size_t n_sights;
};

/* `asked`: a pipeline run's id, a job's id, or the run id of a job. NOT_FOUND when the log knows none. */
MUST_USE enum code trail_walk(const char *audit_dir, struct str asked, struct arena *arena, struct trail *ret,
                              struct err *err);
