#include "cli/trail.h"
#include <stdio.h>
#include "audit/query.h"

enum { ALL_ENTRIES = 0 };

/* ---- tokens ---- */

static const struct trail_token *find_token(const struct trail *t, struct str id) {
    for (size_t i = 0; id.n && i < t->n_tokens; i++)
        if (str_eq(t->tokens[i].id, id)) return &t->tokens[i];
    return NULL;
}

void trail_remember_token(struct trail *t, struct str id, struct str what, struct str activity) {
    if (!id.n || find_token(t, id) || t->n_tokens == TRAIL_MAX_TOKENS) return;
    t->tokens[t->n_tokens++] = (struct trail_token){ str_dup(t->arena, id), what, activity };
}

/* The token with which an activity called. */
static const struct trail_token *find_sent(const struct trail *t, struct str id) {
    const struct trail_token *token = find_token(t, id);
    return token && token->what.n ? token : NULL;
}

static bool is_follower(const struct trail *t, struct str who) {
    if (t->is_pipeline) return str_eq(who, t->starter);
    return t->n_jobs && str_eq(who, t->jobs[0].submitter);
}

/* Strangers' refusals of a second: were our tokens among them, or our people's? */
static void refused_tokens(struct trail *t, const struct audit_entry *e) {
    for (size_t i = 0; i < e->n_tokens; i++) {
        const struct audit_refused *r = &e->tokens[i];
        const struct trail_token *token = find_token(t, r->token_id);
        struct sight sight = {
            .kind = SIGHT_TOKEN, .who = sight_actor(t->arena, r->issuer, r->subject), .reason = r->reason, .far = true
        };
        if (!token && !is_follower(t, sight.who)) continue;
        sight.of_follower = !token || !token->what.n;
        sight.what = sight.of_follower ? STR("ask this server, as who started it") : token->what;
        if (token) sight.activity = token->activity;
        sights_add(&t->sights, e, sight);
    }
}

/* ---- jobs ---- */

/* "/jobs/J" at the resource's end. */
static struct str job_of(struct str resource) {
    ptrdiff_t at = str_find(resource, STR("/jobs/"));
    return at < 0 ? (struct str){ NULL, 0 } : str_from(resource, (size_t)at + 6);
}

static struct str run_of(const struct audit_entry *e) {
    return sight_after(e->detail, STR(", run "), ',');
}

static bool is_submission(const struct audit_entry *e) {
    return str_eq(e->permission, STR("dataproc.jobs.create")) && job_of(e->resource).n;
}

static bool is_asked_job(const struct trail *t, const struct audit_entry *e) {
    return !t->is_pipeline && (str_eq(job_of(e->resource), t->asked) || str_eq(run_of(e), t->asked));
}

static void drop_job(struct trail *t, size_t at) {
    sights_forget_job(&t->sights, t->jobs[at].run);
    for (size_t i = at + 1; i < t->n_jobs; i++) t->jobs[i - 1] = t->jobs[i];
    t->n_jobs--;
}

/* What an intention announced, and the outcome says did not begin: the name was taken, or requestId had been here. */
static void drop_stillborn(struct trail *t, const struct audit_entry *e) {
    for (size_t i = t->n_jobs; i-- > 0;)
        if (str_eq(t->jobs[i].request, e->id) && (e->code || !str_eq(t->jobs[i].run, run_of(e)))) drop_job(t, i);
}

static bool job_is_known(const struct trail *t, struct str run) {
    for (size_t i = 0; i < t->n_jobs; i++)
        if (str_eq(t->jobs[i].run, run)) return true;
    return false;
}

static void add_job(struct trail *t, const struct audit_entry *e, struct str activity) {
    if (!run_of(e).n || job_is_known(t, run_of(e)) || t->n_jobs == TRAIL_MAX_JOBS) return;
    t->jobs[t->n_jobs++] = (struct trail_job){
        .id = sight_text(t->arena, job_of(e->resource)),
        .run = str_dup(t->arena, run_of(e)),
        .submitter = sight_actor_of(t->arena, &e->actor),
        .account = e->n_atoms ? sight_text(t->arena, e->atoms[0].account) : STR(""),
        .request = str_dup(t->arena, e->id),
        .activity = activity,
    };
}

/* The intention, or what became of it. A job that has the name of one before, which was deleted, comes in its place. */
static void submission(struct trail *t, const struct audit_entry *e) {
    const struct trail_token *sent = find_sent(t, e->token_id);
    struct str activity = sent ? sent->activity : STR("");
    t->found = true;
    sights_add_refusal(&t->sights, e, (struct sight){ .activity = activity, .far = true });
    if (e->kind == EVENT_INTENT) add_job(t, e, activity);
    if (e->kind != EVENT_OUTCOME) return;
    drop_stillborn(t, e);
    if (e->code || !job_is_known(t, run_of(e))) return;
    if (!t->is_pipeline) trail_remember_token(t, e->token_id, STR(""), STR(""));
    for (size_t i = t->n_jobs; i-- > 0;)
        if (str_eq(t->jobs[i].id, job_of(e->resource)) && !str_eq(t->jobs[i].run, run_of(e))) drop_job(t, i);
}

/* What the job itself asked for, at its own endpoints. */
static bool of_the_job(struct trail *t, const struct audit_entry *e) {
    for (size_t i = 0; e->job_run.n && i < t->n_jobs; i++) {
        if (!str_eq(t->jobs[i].run, e->job_run)) continue;
        (void)snprintf(t->jobs[i].heard, sizeof t->jobs[i].heard, "%.*s", STR_ARG(e->timestamp));
        sights_add_refusal(&t->sights, e, (struct sight){ .job_run = e->job_run, .far = true });
        return true;
    }
    return false;
}

static void of_the_other_side(struct trail *t, const struct audit_entry *e) {
    const struct trail_token *sent = find_sent(t, e->token_id);
    if (is_submission(e) && (sent || is_asked_job(t, e))) submission(t, e);
    else if (sent) sights_add_refusal(&t->sights, e, (struct sight){ .activity = sent->activity, .far = true });
    else if (str_eq(e->permission, STR("dataproc.jobs.cancel")) && is_asked_job(t, e) && e->kind == EVENT_OUTCOME &&
             !e->code)
        t->cancelled_by = sight_actor_of(t->arena, &e->actor);
}

/* ---- the walk ---- */

static bool on_entry(void *ctx, UNUSED uint64_t index, UNUSED struct str json, const struct audit_entry *e) {
    struct trail *t = ctx;
    if (e->n_tokens) refused_tokens(t, e);
    else if (!trail_of_run(t, e) && !of_the_job(t, e)) of_the_other_side(t, e);
    return true;
}

enum code trail_walk(const char *audit_dir, struct str asked, struct arena *arena, struct trail *ret, struct err *err) {
    *ret = (struct trail){ .arena = arena, .asked = asked, .sights.arena = arena };
    struct audit_filter filter = { .limit = ALL_ENTRIES };
    enum code rc = asked.n ? audit_query(audit_dir, &filter, on_entry, ret, err) : OK;
    if (rc || ret->found) return rc;
    return err_set(err, NOT_FOUND,
                   "the audit log knows no run %.*s: give the id of a pipeline's run, or of a job (`linkspan jobs list`)",
                   STR_ARG(str_upto(asked, 100)));
}
