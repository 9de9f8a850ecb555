/* trail.h: what the audit log says of one run, of a pipeline or of a job, on both sides of every crossing.
 *
 * One walk through the log, in its order: a Web activity's intention names the token that it sends before the bridge's
 * entry names the token that it verified, and SubmitJob's entry names the run under which the job's own requests follow. So
 * what belongs together is found by ids alone: run ids, fingerprints of tokens, run of a job. Only a token that was refused
 * to a stranger is also known by its owner: who started the run, asking for it with whatever token.
 * Main thread; text lives in the arena. Limits: 64 tokens, 64 sights, 16 jobs, 16 activities at once; further ones are
 * passed over. */
#pragma once
#include "cli/sight.h"

enum { TRAIL_MAX_TOKENS = 64, TRAIL_MAX_JOBS = 16, TRAIL_MAX_ACTIVITIES = 16 };

struct trail {
    struct arena *arena;
    struct str asked; /* what was asked for */
    bool is_pipeline, found;
    struct str pipeline, state, starter, started, ended; /* of a pipeline's run; state: "InProgress", "Failed", … */
    struct str cancelled_by;
    struct trail_activity {
        struct str run, name, type, since;
    } activities[TRAIL_MAX_ACTIVITIES]; /* that go on, in order of their beginning */
    size_t n_activities;
    struct trail_job {
        struct str id, run, submitter, account;
        struct str request;  /* the id of the request that submitted it */
        struct str activity; /* the pipeline's, that submitted it; or empty */
        char heard[40];      /* when its last own request was; "": none yet */
    } jobs[TRAIL_MAX_JOBS];
    size_t n_jobs;
    struct trail_token {
        struct str id;
        struct str what;     /* "call https://…/x with audience …"; empty: its owner started the run with it */
        struct str activity; /* that sent it */
    } tokens[TRAIL_MAX_TOKENS];
    size_t n_tokens;
    struct sights sights;
};

/* `asked`: a pipeline run's id, a job's id, or the run id of a job. NOT_FOUND when the log knows none. */
MUST_USE enum code trail_walk(const char *audit_dir, struct str asked, struct arena *arena, struct trail *ret,
                              struct err *err);

/* Inside: trail_run.c: an entry of the pipeline's run that was asked for, if it is one. */
bool trail_of_run(struct trail *trail, const struct audit_entry *e);
void trail_remember_token(struct trail *trail, struct str id, struct str what, struct str activity);
