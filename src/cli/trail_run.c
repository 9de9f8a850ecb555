/* trail_run.c: the pipeline's side of a trail: its run, its activities, and what they called (gate/run_events.c and
 * gate/web_call_record.c write these entries). */
#include "cli/trail.h"

/* The root run's id: a detail begins with "of run R, started by request Q". */
static struct str root_of(struct str detail) {
    if (!str_strip_prefix(&detail, STR("of run "))) return (struct str){ NULL, 0 };
    return str_cut(&detail, ',');
}

static bool is_own(const struct trail *t, const struct audit_entry *e) {
    return str_eq(sight_after(e->resource, STR("/pipelineruns/"), '/'), t->asked);
}

/* A run that ExecutePipeline made names the one that began it all in its details. */
static bool is_of_run(const struct trail *t, const struct audit_entry *e) {
    if (!str_starts(e->resource, STR("workspaces/"))) return false;
    return is_own(t, e) || str_eq(root_of(e->detail), t->asked);
}

/* ---- happenings: "of run R, started by request Q, a Wait; Failed CODE; activity NAME" ---- */

static struct str outcome_of(struct str detail) {
    return sight_after(detail, STR("; "), ';');
}

static struct str activity_of(struct str detail) {
    return sight_after(detail, STR("; activity "), '\0');
}

static void drop_activity(struct trail *t, struct str run) {
    size_t kept = 0;
    for (size_t i = 0; i < t->n_activities; i++)
        if (!str_eq(t->activities[i].run, run)) t->activities[kept++] = t->activities[i];
    t->n_activities = kept;
}

static void activity_started(struct trail *t, const struct audit_entry *e) {
    struct str head = e->detail;
    drop_activity(t, sight_after(e->resource, STR("/activityruns/"), '/')); /* after a crash the last may come again */
    if (t->n_activities == TRAIL_MAX_ACTIVITIES) return;
    head = str_cut(&head, ';');
    t->activities[t->n_activities++] = (struct trail_activity){
        .run = str_dup(t->arena, sight_after(e->resource, STR("/activityruns/"), '/')),
        .name = sight_text(t->arena, activity_of(e->detail)),
        .type = sight_text(t->arena, sight_after(head, STR(", a "), ',')),
        .since = str_dup(t->arena, e->timestamp),
    };
}

static void activity_ended(struct trail *t, const struct audit_entry *e) {
    struct str head = outcome_of(e->detail), status = str_cut(&head, ' ');
    drop_activity(t, sight_after(e->resource, STR("/activityruns/"), '/'));
    if (!str_eq(status, STR("Failed"))) return;
    struct str code = sight_text(t->arena, head);
    sights_add(&t->sights, e,
               (struct sight){ .kind = str_eq(head, STR("TokenUnavailable")) ? SIGHT_TOKEN : SIGHT_FAILED,
                               .what = code,
                               .reason = code,
                               .activity = sight_text(t->arena, activity_of(e->detail)) });
}

static void run_started(struct trail *t, const struct audit_entry *e) {
    t->pipeline = sight_text(t->arena, sight_after(e->resource, STR("/pipelines/"), '/'));
    t->state = STR("InProgress");
    t->started = str_dup(t->arena, e->timestamp);
    if (e->n_chain) t->starter = sight_actor_of(t->arena, &e->chain[e->n_chain - 1]);
}

static void run_ended(struct trail *t, const struct audit_entry *e) {
    struct str head = outcome_of(e->detail);
    t->state = sight_text(t->arena, str_cut(&head, ' '));
    t->ended = str_dup(t->arena, e->timestamp);
}

static void run_event(struct trail *t, const struct audit_entry *e) {
    if (str_ends(e->method, STR(".ActivityStarted"))) activity_started(t, e);
    else if (str_ends(e->method, STR(".ActivityEnded"))) activity_ended(t, e);
    else if (!is_own(t, e)) return;
    else if (str_ends(e->method, STR(".RunStarted"))) run_started(t, e);
    else if (str_ends(e->method, STR(".RunEnded"))) run_ended(t, e);
}

/* ---- calls of Web activities ---- */

/* "401" → SIGHT_TOKEN. What the server said is in the activity's own error, not in the log. */
static void answered(struct trail *t, const struct audit_entry *e, struct str status, struct sight sight) {
    if (status.n != 3 || status.p[0] < '4') return;
    sight.kind = str_eq(status, STR("401")) ? SIGHT_TOKEN : SIGHT_STATUS;
    sight.reason = status;
    sights_add(&t->sights, e, sight);
}

static void not_answered(struct trail *t, const struct audit_entry *e, struct str end, struct sight sight) {
    static const struct {
        struct str cause;
        enum sight_kind kind;
    } causes[] = {
        { STR_INIT("NAME"), SIGHT_UNREACHABLE },        { STR_INIT("CONNECT"), SIGHT_UNREACHABLE },
        { STR_INIT("TLS"), SIGHT_UNREACHABLE },         { STR_INIT("TIMED_OUT"), SIGHT_UNREACHABLE },
        { STR_INIT("CUT"), SIGHT_UNREACHABLE },         { STR_INIT("MALFORMED"), SIGHT_UNREACHABLE },
        { STR_INIT("ADDRESS_REFUSED"), SIGHT_REFUSED }, /* by the check of the address */
    };
    struct str cause = str_cut(&end, ':');
    for (size_t i = 0; i < COUNT(causes); i++) {
        if (!str_eq(cause, causes[i].cause)) continue;
        sight.kind = causes[i].kind;
        sight.reason = cause;
        sight.detail = sight_text(t->arena, str_trim(end));
        sights_add(&t->sights, e, sight);
    }
}

/* "of run R, started by request Q, POST by activity NAME; HTTP 401", "…; CONNECT: nothing accepts connections at …" */
static void web_call(struct trail *t, const struct audit_entry *e) {
    struct str activity = sight_after(e->detail, STR(" by activity "), ';'), end = sight_after(e->detail, STR("; "), '\0');
    struct sight sight = { .activity = sight_text(t->arena, activity), .what = sight_asked(t->arena, e) };
    trail_remember_token(t, e->token_id, sight.what, sight.activity);
    sights_add_refusal(&t->sights, e, sight);
    if (e->kind != EVENT_OUTCOME || !end.n) return;
    if (str_strip_prefix(&end, STR("HTTP "))) answered(t, e, end, sight);
    else not_answered(t, e, end, sight);
}

/* ---- requests about the run: createRun, cancel, questions ---- */

static void request(struct trail *t, const struct audit_entry *e) {
    bool done = e->kind == EVENT_OUTCOME && e->code == OK;
    if (str_ends(e->method, STR("/createRun"))) {
        t->starter = sight_actor_of(t->arena, &e->actor);
        trail_remember_token(t, e->token_id, STR(""), STR(""));
        sights_add_refusal(&t->sights, e, (struct sight){ 0 });
    } else if (done && str_ends(e->method, STR("/cancel"))) t->cancelled_by = sight_actor_of(t->arena, &e->actor);
}

bool trail_of_run(struct trail *t, const struct audit_entry *e) {
    if (!is_of_run(t, e)) return false;
    t->found = t->is_pipeline = true;
    if (str_starts(e->method, STR("synapse.pipelines."))) run_event(t, e);
    else if (str_eq(e->method, STR("pipeline.WebActivity"))) web_call(t, e);
    else request(t, e);
    return true;
}
