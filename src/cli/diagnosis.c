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

/* What drivers say when the other side does not answer. */
static bool says_unreachable(struct str text) {
    static const struct str phrases[] = {
        STR_INIT("Connection refused"),     STR_INIT("UnknownHostException"),
        STR_INIT("No route to host"),       STR_INIT("Name or service not known"),
        STR_INIT("connect timed out"),      STR_INIT("Temporary failure in name resolution"),
        STR_INIT("Network is unreachable"), STR_INIT("ConnectTimeout"),
        STR_INIT("NewConnectionError"),     STR_INIT("UNAVAILABLE"),
        STR_INIT("ServiceUnavailable"),
    };
    for (size_t i = 0; i < COUNT(phrases); i++)
        if (str_find(text, phrases[i]) >= 0) return true;
    return false;
}

static enum cause_kind kind_of(const struct sight *s) {
    static const enum cause_kind kinds[] = { [SIGHT_REFUSED] = CAUSE_PERMISSION,
                                             [SIGHT_TOKEN] = CAUSE_TOKEN,
                                             [SIGHT_UNREACHABLE] = CAUSE_UNREACHABLE,
                                             [SIGHT_STATUS] = CAUSE_ACTIVITY,
                                             [SIGHT_FAILED] = CAUSE_ACTIVITY };
    return kinds[s->kind];
}

static struct cause *add(struct diagnosis *d, struct cause cause) {
    if (d->n_causes < DIAGNOSIS_MAX_CAUSES) d->causes[d->n_causes++] = cause;
    return &d->causes[d->n_causes - 1];
}

static void add_sight(struct diagnosis *d, const struct sight *s, bool by_the_way) {
    (void)add(d, (struct cause){ .kind = kind_of(s),
                                 .sight = s,
                                 .who = s->who,
                                 .what = s->what,
                                 .reason = s->reason,
                                 .since = s->since,
                                 .text = s->detail,
                                 .by_the_way = by_the_way });
}

/* The same refusal is seen twice: as an HTTP status by who called, and with its reason by who was called. The second tells
 * more. */
static bool is_echo(const struct trail *t, const struct job_end *job, const struct sight *s) {
    static const struct str refusals[] = { STR_INIT("401"), STR_INIT("403") };
    if (s->kind == SIGHT_STATUS && job->state.n) return true; /* the bridge told how its job ended */
    if (!is_one_of(s->reason, refusals, COUNT(refusals))) return false;
    for (size_t i = 0; i < t->n_sights; i++) {
        const struct sight *o = &t->sights[i];
        if (o != s && (o->kind == SIGHT_REFUSED || (o->kind == SIGHT_TOKEN && !str_eq(o->reason, s->reason)))) return true;
    }
    return false;
}

/* Did the driver end because of this refusal? Its last line then holds the request's id. */
static bool ended_it(const struct job_end *job, const struct sight *s) {
    return s->id.n && str_find(job->details, s->id) >= 0;
}

static const struct sight *what_ended(const struct trail *t, const struct job_end *job) {
    for (size_t i = 0; i < t->n_sights; i++)
        if (ended_it(job, &t->sights[i])) return &t->sights[i];
    return NULL;
}

static void add_job(struct diagnosis *d, const struct trail *t, const struct job_end *job) {
    enum cause_kind kind = says_unreachable(job->details) ? CAUSE_UNREACHABLE : CAUSE_SPARK;
    (void)add(d, (struct cause){
                     .kind = kind, .who = t->job_account, .what = t->job, .since = job->since, .text = job->details });
}

static bool has_ended(struct str state) {
    static const struct str ends[] = { STR_INIT("Succeeded"), STR_INIT("Failed"), STR_INIT("Cancelled"),
                                       STR_INIT("DONE"),      STR_INIT("ERROR"),  STR_INIT("CANCELLED") };
    return is_one_of(state, ends, COUNT(ends));
}

void diagnose(const struct trail *t, const struct job_end *job, struct diagnosis *ret) {
    static const struct str bad[] = { STR_INIT("Failed"), STR_INIT("ERROR"), STR_INIT("Cancelled"), STR_INIT("CANCELLED") };
    struct str state = t->is_pipeline ? t->state : job->state;
    *ret = (struct diagnosis){ .failed = is_one_of(state, bad, COUNT(bad)), .going_on = state.n && !has_ended(state) };
    if (!state.n) ret->failed = t->n_sights > 0; /* it was refused before it began */
    bool job_failed = str_eq(job->state, STR("ERROR"));
    const struct sight *root = job_failed ? what_ended(t, job) : NULL;
    if (root) add_sight(ret, root, false);
    else if (job_failed) add_job(ret, t, job);
    bool explained = ret->n_causes > 0 || (!ret->failed && !ret->going_on);
    for (size_t i = 0; i < t->n_sights; i++)
        if (&t->sights[i] != root && !is_echo(t, job, &t->sights[i])) add_sight(ret, &t->sights[i], explained);
}
