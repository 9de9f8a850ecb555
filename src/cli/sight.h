/* sight.h: one thing that went wrong with a run, as an entry of the audit log tells it, in words for a person.
 *
 * Plain data; text lives in the arena, without control characters (subjects and names are other people's). Main thread. */
#pragma once
#include "audit/entry.h"

enum { SIGHTS_MAX = 64 };

enum sight_kind {
    SIGHT_REFUSED,     /* policy said no: to the pipeline's call, at the bridge, or to the job */
    SIGHT_TOKEN,       /* a token was not accepted, or could not be made */
    SIGHT_UNREACHABLE, /* no answer from where a Web activity called */
    SIGHT_STATUS,      /* it answered with an HTTP status of 400 or more */
    SIGHT_FAILED,      /* an activity ended as failed: `what` is its error code */
};

struct sight {
    enum sight_kind kind;
    struct str id, last_id; /* of the first request that met it, and of the last */
    struct str since;       /* RFC 3339: of the first */
    struct str who;         /* "transform@…", "7d0e… of workspaces" */
    struct str what;        /* "read Weather(origin) in spanner demo/flights", "call https://…/x with audience …" */
    struct str reason;      /* "NO_RULE", "TOKEN_EXPIRED", "CONNECT", "401" */
    struct str detail;      /* for people; may be empty */
    struct str activity;    /* of a pipeline; or empty */
    struct str job_run;     /* under which the job's own request ran; or empty */
    bool far;               /* told by who was called, which knows the reason, and not by who called */
    bool of_follower;       /* a token of who started the run, who asked for it: the run itself does not need that */
    unsigned times;
};

struct sights {
    struct arena *arena;
    struct sight items[SIGHTS_MAX]; /* the first ones of the run */
    size_t n;
};

/* Adds, or counts one that is there alike. `e` gives id and time, and who when `sight` does not say. */
void sights_add(struct sights *sights, const struct audit_entry *e, struct sight sight);
/* What was decided against a known caller; another entry is passed over. */
void sights_add_refusal(struct sights *sights, const struct audit_entry *e, struct sight sight);
/* Those of a job's run that another has taken the place of. */
void sights_forget_job(struct sights *sights, struct str job_run);

/* ---- an entry's words ---- */

struct str sight_text(struct arena *arena, struct str text);                        /* a copy without control characters */
struct str sight_actor(struct arena *arena, struct str issuer, struct str subject); /* "S of I" */
struct str sight_actor_of(struct arena *arena, const struct audit_actor *actor);
struct str sight_asked(struct arena *arena, const struct audit_entry *e); /* the atom that was refused, or the first */
struct str sight_after(struct str text, struct str mark, char end);       /* what follows `mark`, up to `end`; or empty */
