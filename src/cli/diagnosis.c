#include "cli/diagnosis.h"

const char *cause_name(enum cause_kind kind) {
    static const char *const names[CAUSE_KINDS] = { "permission", "token", "unreachable", "spark", "activity" };
    return names[kind];
}

static bool is_one_of(struct str text, const struct str *words, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (str_eq(text, words[i])) return true;
    return false;
}

/* What Python, Java and gRPC say when the other side does not answer. */
static bool says_unreachable(struct str text) {
    static const struct str phrases[] = {
        STR_INIT("Connection refused"),
        STR_INIT("UnknownHostException"),
        STR_INIT("No route to host"),
        STR_INIT("Name or service not known"),
        STR_INIT("timed out"),
        STR_INIT("failure in name resolution"),
        STR_INIT("Network is unreachable"),
        STR_INIT("ConnectTimeout"),
        STR_INIT("NewConnectionError"),
        STR_INIT("ServiceUnavailable"),
        STR_INIT("UNAVAILABLE: "),
    };
    for (size_t i = 0; i < COUNT(phrases); i++)
        if (str_find(text, phrases[i]) >= 0) return true;
    return false;
}

/* ---- health ---- */

static bool job_failed(const struct job_end *end) {
    return str_eq(end->state, STR("ERROR"));
}

static bool job_cancelled(const struct job_end *end) {
    return str_eq(end->state, STR("CANCELLED"));
}

static bool job_goes_on(const struct job_end *end) {
    return end->state.n && !str_eq(end->state, STR("DONE")) && !job_failed(end) && !job_cancelled(end);
}

static enum run_health health_of_job(const struct trail *t, const struct job_end *end) {
    if (!t->n_jobs) return RUN_FAILED_OR_REFUSED; /* it was refused before it began */
    if (!end->state.n) return RUN_WELL;           /* deleted since, which needs an end: of what kind is not known */
    if (job_failed(end)) return RUN_FAILED_OR_REFUSED;
    return job_cancelled(end) ? RUN_CANCELLED_BY_SOMEONE : job_goes_on(end) ? RUN_GOES_ON : RUN_WELL;
}

static enum run_health health_of(const struct trail *t, const struct job_end *ends) {
    static const struct {
        struct str state;
        enum run_health health;
    } states[] = { { STR_INIT("Succeeded"), RUN_WELL },
                   { STR_INIT("Cancelled"), RUN_CANCELLED_BY_SOMEONE },
                   { STR_INIT("Failed"), RUN_FAILED_OR_REFUSED },
                   { STR_INIT(""), RUN_FAILED_OR_REFUSED } }; /* createRun was refused */
    if (!t->is_pipeline) return health_of_job(t, ends);
    for (size_t i = 0; i < COUNT(states); i++)
        if (str_eq(t->state, states[i].state)) return states[i].health;
    return RUN_GOES_ON;
}

/* ---- the same thing, told twice ---- */

static const struct job_end *end_of(const struct trail *t, const struct job_end *ends, struct str job_run) {
    for (size_t i = 0; i < t->n_jobs; i++)
        if (str_eq(t->jobs[i].run, job_run)) return &ends[i];
    return NULL;
}

static bool activity_has_bad_job(const struct trail *t, const struct job_end *ends, struct str activity) {
    for (size_t i = 0; i < t->n_jobs; i++)
        if (str_eq(t->jobs[i].activity, activity) && (job_failed(&ends[i]) || job_cancelled(&ends[i]))) return true;
    return false;
}

/* The status that the caller saw, when who was called says why. */
static bool is_echoed_status(const struct trail *t, const struct job_end *ends, const struct sight *s) {
    static const struct str of_refusals[] = { STR_INIT("401"), STR_INIT("403") };
    static const struct str of_jobs[] = { STR_INIT("400"), STR_INIT("499") }; /* of the bridge: failed, cancelled */
    if (is_one_of(s->reason, of_jobs, COUNT(of_jobs))) return activity_has_bad_job(t, ends, s->activity);
    if (!is_one_of(s->reason, of_refusals, COUNT(of_refusals))) return false;
    for (size_t i = 0; i < t->sights.n; i++) {
        const struct sight *o = &t->sights.items[i];
        if (o->far && !o->of_follower && str_eq(o->activity, s->activity)) return true;
    }
    return false;
}

static bool is_of_call(struct str code) {
    static const struct str codes[] = {
        STR_INIT("PolicyDenied"), STR_INIT("HostUnreachable"), STR_INIT("TlsFailure"),
        STR_INIT("Timeout"),      STR_INIT("TokenRejected"),   STR_INIT("InvalidResponse")
    };
    bool status = code.n == 3 && code.p[0] >= '4' && code.p[0] <= '5';
    return status || is_one_of(code, codes, COUNT(codes));
}

/* The error code of an activity's end, when its own call, or an activity within it, says more. */
static bool is_echoed_end(const struct trail *t, const struct sight *s) {
    static const struct str containers[] = { STR_INIT("InnerActivityFailed"), STR_INIT("ChildRunFailed") };
    bool container = is_one_of(s->reason, containers, COUNT(containers));
    if (!container && !is_of_call(s->reason)) return false;
    for (size_t i = 0; i < t->sights.n; i++) {
        const struct sight *o = &t->sights.items[i];
        bool more = container ? !is_one_of(o->reason, containers, COUNT(containers)) && o->activity.n
                              : o->kind != SIGHT_FAILED && str_eq(o->activity, s->activity);
        if (o != s && more) return true;
    }
    return false;
}

static bool is_echo(const struct trail *t, const struct job_end *ends, const struct sight *s) {
    if (s->kind == SIGHT_FAILED) return is_echoed_end(t, s);
    return !s->far && (s->kind == SIGHT_STATUS || s->kind == SIGHT_TOKEN) && is_echoed_status(t, ends, s);
}

/* ---- causes ---- */

static void add(struct diagnosis *d, struct cause cause) {
    if (d->n_causes < DIAGNOSIS_MAX_CAUSES) d->causes[d->n_causes++] = cause;
}

static void add_sight(struct diagnosis *d, const struct sight *s, bool by_the_way) {
    static const enum cause_kind kinds[] = { [SIGHT_REFUSED] = CAUSE_PERMISSION,
                                             [SIGHT_TOKEN] = CAUSE_TOKEN,
                                             [SIGHT_UNREACHABLE] = CAUSE_UNREACHABLE,
                                             [SIGHT_STATUS] = CAUSE_ACTIVITY,
                                             [SIGHT_FAILED] = CAUSE_ACTIVITY };
    add(d, (struct cause){ .kind = kinds[s->kind],
                           .sight = s,
                           .who = s->who,
                           .what = s->what,
                           .reason = s->reason,
                           .since = s->since,
                           .text = s->detail,
                           .by_the_way = by_the_way });
}

/* Did the driver end because of this refusal? Its last line then holds the request's id. */
static const struct sight *what_ended(const struct trail *t, const struct job_end *end) {
    for (size_t i = 0; i < t->sights.n; i++) {
        const struct sight *s = &t->sights.items[i];
        if (s->job_run.n && (str_find(end->details, s->id) >= 0 || str_find(end->details, s->last_id) >= 0)) return s;
    }
    return NULL;
}

static void add_jobs(struct diagnosis *d, const struct trail *t, const struct job_end *ends,
                     const struct sight *roots[TRAIL_MAX_JOBS]) {
    for (size_t i = 0; i < t->n_jobs; i++) {
        if (!job_failed(&ends[i])) continue;
        roots[i] = what_ended(t, &ends[i]);
        if (roots[i]) add_sight(d, roots[i], d->health == RUN_WELL);
        else
            add(d, (struct cause){ .kind = says_unreachable(ends[i].details) ? CAUSE_UNREACHABLE : CAUSE_SPARK,
                                   .who = t->jobs[i].account,
                                   .what = t->jobs[i].id,
                                   .since = ends[i].since,
                                   .text = ends[i].details,
                                   .by_the_way = d->health == RUN_WELL });
    }
}

/* A job that went on after a refusal, or ended for another cause, did not fail by it. */
static bool is_by_the_way(const struct diagnosis *d, const struct trail *t, const struct job_end *ends,
                          const struct sight *s) {
    const struct job_end *end = s->job_run.n ? end_of(t, ends, s->job_run) : NULL;
    if (d->health == RUN_WELL || d->health == RUN_CANCELLED_BY_SOMEONE) return true;
    if (s->of_follower) return d->health != RUN_GOES_ON;
    return end && !job_goes_on(end);
}

static void add_sights(struct diagnosis *d, const struct trail *t, const struct job_end *ends, bool by_the_way,
                       const struct sight *const roots[TRAIL_MAX_JOBS]) {
    for (size_t i = 0; i < t->sights.n; i++) {
        const struct sight *s = &t->sights.items[i];
        bool root = false;
        for (size_t j = 0; j < t->n_jobs; j++) root = root || roots[j] == s;
        if (!root && !is_echo(t, ends, s) && is_by_the_way(d, t, ends, s) == by_the_way) add_sight(d, s, by_the_way);
    }
}

void diagnose(const struct trail *t, const struct job_end *ends, struct diagnosis *ret) {
    const struct sight *roots[TRAIL_MAX_JOBS] = { 0 };
    ret->health = health_of(t, ends);
    ret->n_causes = 0;
    add_jobs(ret, t, ends, roots);
    add_sights(ret, t, ends, false, roots);
    add_sights(ret, t, ends, true, roots);
}

bool diagnosis_is_ill(const struct diagnosis *d) {
    return d->health == RUN_FAILED_OR_REFUSED || (d->n_causes && !d->causes[0].by_the_way);
}
