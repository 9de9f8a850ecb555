#include "cli/trail.h"
#include "audit/query.h"

enum { ALL_ENTRIES = 0, RUN_ID = 36 };

/* ---- texts ---- */

static struct str keep(struct trail *t, struct str text) {
    return str_dup(t->arena, text);
}

static struct str actor_text(struct trail *t, const struct audit_actor *a) {
    if (a->email.n) return keep(t, a->email);
    if (!a->issuer.n) return keep(t, a->subject);
    return arena_printf(t->arena, "%.*s of %.*s", STR_ARG(a->subject), STR_ARG(a->issuer));
}

static struct str atom_text(struct trail *t, const struct audit_entry *e) {
    if (e->refused_atom >= e->n_atoms) return keep(t, e->method);
    const struct audit_atom *a = &e->atoms[e->refused_atom];
    struct str column = e->refused_column;
    return arena_printf(
        t->arena, "%.*s%s%.*s%s%.*s%s%s%.*s%s%.*s", STR_ARG(a->verb), a->object.n ? " " : "", STR_ARG(a->object),
        column.n ? "(" : "", STR_ARG(column), column.n ? ")" : "", a->path.n ? " in " : "", STR_ARG(a->path),
        a->account.n ? (str_eq(a->verb, STR("call")) ? " with audience " : " as ") : "", STR_ARG(a->account));
}

/* "/jobs/J" at the resource's end. */
static struct str job_of(struct str resource) {
    ptrdiff_t at = str_find(resource, STR("/jobs/"));
    return at < 0 ? (struct str){ NULL, 0 } : str_from(resource, (size_t)at + 6);
}

/* What follows `mark` in the text, up to `end`. */
static struct str after(struct str text, struct str mark, char end) {
    ptrdiff_t at = str_find(text, mark);
    if (at < 0) return (struct str){ NULL, 0 };
    struct str rest = str_from(text, (size_t)at + mark.n);
    return str_cut(&rest, end);
}

/* "…activity keep the outcome of run R, started by request …": names may hold blanks and commas, and even " of run ", but
 * have too few characters for all that follows them here: so a name cannot pass for another run's. */
static ptrdiff_t root_at(struct str detail) {
    static const struct str mark = STR_INIT(" of run "), then = STR_INIT(", started by request ");
    for (size_t at = 0;;) {
        ptrdiff_t found = str_find(str_from(detail, at), mark);
        if (found < 0) return -1;
        at += (size_t)found;
        if (str_starts(str_from(detail, at + mark.n + RUN_ID), then)) return (ptrdiff_t)at;
        at++; /* the blank at its end may begin the next */
    }
}

static struct str root_of(struct str detail) {
    ptrdiff_t at = root_at(detail);
    return at < 0 ? (struct str){ NULL, 0 } : str_upto(str_from(detail, (size_t)at + 8), RUN_ID);
}

static struct str activity_of(struct str detail) {
    static const struct str mark = STR_INIT("activity ");
    ptrdiff_t from = str_find(detail, mark), to = root_at(detail);
    size_t begin = (size_t)from + mark.n;
    return from < 0 || to < (ptrdiff_t)begin ? (struct str){ NULL, 0 } : str_from(str_upto(detail, (size_t)to), begin);
}

/* ---- what went wrong ---- */

static struct sight *see(struct trail *t, const struct audit_entry *e, enum sight_kind kind, struct str what,
                         struct str reason) {
    struct str who = actor_text(t, &e->actor);
    for (size_t i = 0; i < t->n_sights; i++) {
        struct sight *s = &t->sights[i];
        if (s->kind != kind || !str_eq(s->what, what) || !str_eq(s->reason, reason) || !str_eq(s->who, who)) continue;
        s->times++;
        return s;
    }
    if (t->n_sights == TRAIL_MAX_SIGHTS) return NULL;
    struct sight *s = &t->sights[t->n_sights++];
    *s = (struct sight){ .kind = kind,
                         .id = keep(t, e->id),
                         .since = keep(t, e->timestamp),
                         .who = who,
                         .what = what,
                         .reason = keep(t, reason),
                         .times = 1 };
    return s;
}

static void see_refusal(struct trail *t, const struct audit_entry *e) {
    if (e->kind != EVENT_REFUSAL || e->allowed || !e->decided || (!e->actor.subject.n && !e->actor.email.n)) return;
    (void)see(t, e, SIGHT_REFUSED, atom_text(t, e), e->reason);
}

/* ---- the pipeline's side ---- */

static bool is_of_run(const struct trail *t, const struct audit_entry *e) {
    if (!str_starts(e->resource, STR("workspaces/"))) return false;
    struct str run = after(e->resource, STR("/pipelineruns/"), '/');
    return str_eq(run, t->asked) || str_eq(root_of(e->detail), t->asked);
}

/* The first word of the detail is what became of it, the second its error code. */
static void activity_ended(struct trail *t, const struct audit_entry *e) {
    static const struct str told[] = { STR_INIT("PolicyDenied"), STR_INIT("HostUnreachable"), STR_INIT("TlsFailure"),
                                       STR_INIT("Timeout"), STR_INIT("TokenRejected") }; /* by the call's own entry */
    struct str head = e->detail;
    head = str_cut(&head, ';');
    struct str status = str_cut(&head, ' ');
    t->activity = (struct str){ NULL, 0 };
    if (!str_eq(status, STR("Failed"))) return;
    for (size_t i = 0; i < COUNT(told); i++)
        if (str_eq(head, told[i]) && t->n_sights) return;
    struct sight *s = see(t, e, SIGHT_FAILED, keep(t, head), head);
    if (s) s->activity = keep(t, activity_of(e->detail));
}

static void run_event(struct trail *t, const struct audit_entry *e) {
    struct str head = e->detail;
    head = str_cut(&head, ';');
    if (str_ends(e->method, STR(".ActivityEnded"))) activity_ended(t, e);
    if (str_ends(e->method, STR(".ActivityStarted"))) {
        t->activity = keep(t, activity_of(e->detail));
        t->activity_since = keep(t, e->timestamp);
    }
    bool own = str_eq(after(e->resource, STR("/pipelineruns/"), '/'), t->asked);
    if (own && str_ends(e->method, STR(".RunStarted"))) {
        t->pipeline = keep(t, after(e->resource, STR("/pipelines/"), '/'));
        t->state = STR("InProgress");
        t->started = keep(t, e->timestamp);
        if (e->n_chain) t->starter = actor_text(t, &e->chain[e->n_chain - 1]);
    }
    if (own && str_ends(e->method, STR(".RunEnded"))) {
        t->state = keep(t, str_cut(&head, ' '));
        t->ended = keep(t, e->timestamp);
    }
}

static void remember_token(struct trail *t, const struct audit_entry *e) {
    if (!e->token_id.n || !e->n_atoms) return;
    for (size_t i = 0; i < t->n_tokens; i++)
        if (str_eq(t->tokens[i].id, e->token_id)) return;
    if (t->n_tokens == TRAIL_MAX_TOKENS) return;
    t->tokens[t->n_tokens++] = (struct trail_token){ keep(t, e->token_id), keep(t, e->atoms[0].object),
                                                     keep(t, e->atoms[0].account) };
}

/* "…; HTTP 401", "…; CONNECT: nothing accepts connections at …". */
static void web_call(struct trail *t, const struct audit_entry *e) {
    remember_token(t, e);
    if (e->kind == EVENT_REFUSAL) {
        see_refusal(t, e);
        return;
    }
    struct str what = atom_text(t, e), end = after(e->detail, STR("; "), '\0');
    if (e->kind != EVENT_OUTCOME || !end.n) return;
    if (str_strip_prefix(&end, STR("HTTP "))) {
        bool token = str_eq(end, STR("401"));
        if (end.n == 3 && end.p[0] >= '4') (void)see(t, e, token ? SIGHT_TOKEN : SIGHT_STATUS, what, end);
        return;
    }
    static const struct str causes[] = { STR_INIT("NAME"), STR_INIT("ADDRESS_REFUSED"), STR_INIT("CONNECT"),
                                         STR_INIT("TLS"),  STR_INIT("TIMED_OUT"),       STR_INIT("CUT") };
    struct str cause = str_cut(&end, ':');
    for (size_t i = 0; i < COUNT(causes); i++) {
        if (!str_eq(cause, causes[i])) continue;
        struct sight *s = see(t, e, SIGHT_UNREACHABLE, what, cause);
        if (s) s->detail = keep(t, str_trim(end));
    }
}

static void of_the_run(struct trail *t, const struct audit_entry *e) {
    t->found = t->is_pipeline = true;
    if (str_starts(e->method, STR("synapse.pipelines."))) run_event(t, e);
    else if (str_eq(e->method, STR("pipeline.WebActivity"))) web_call(t, e);
    else see_refusal(t, e);
}

/* ---- the other side ---- */

static const struct trail_token *find_token(const struct trail *t, struct str id) {
    for (size_t i = 0; id.n && i < t->n_tokens; i++)
        if (str_eq(t->tokens[i].id, id)) return &t->tokens[i];
    return NULL;
}

/* Strangers' refusals of a second: were our tokens among them? */
static void refused_tokens(struct trail *t, const struct audit_entry *e) {
    for (size_t i = 0; i < e->n_tokens; i++) {
        const struct audit_refused *r = &e->tokens[i];
        const struct trail_token *token = find_token(t, r->token_id);
        if (!token) continue;
        struct str what = arena_printf(t->arena, "call %.*s with audience %.*s", STR_ARG(token->to),
                                       STR_ARG(token->audience));
        struct sight *s = see(t, e, SIGHT_TOKEN, what, r->reason);
        if (s) s->who = arena_printf(t->arena, "%.*s of %.*s", STR_ARG(r->subject), STR_ARG(r->issuer));
    }
}

static bool is_submission(const struct audit_entry *e) {
    return str_eq(e->permission, STR("dataproc.jobs.create")) && job_of(e->resource).n;
}

static void submission(struct trail *t, const struct audit_entry *e) {
    struct str run = after(e->detail, STR(", run "), ',');
    t->found = true;
    t->job = keep(t, job_of(e->resource));
    t->job_submitter = actor_text(t, &e->actor);
    if (run.n) t->job_run = keep(t, run);
    if (e->n_atoms) t->job_account = keep(t, e->atoms[0].account);
    see_refusal(t, e);
}

static bool is_asked_job(const struct trail *t, const struct audit_entry *e) {
    return str_eq(job_of(e->resource), t->asked) || str_eq(after(e->detail, STR(", run "), ','), t->asked);
}

/* ---- the job's own requests ---- */

static bool is_about_token(struct str name) {
    enum reason reason;
    return reason_from_name(name, &reason) && reason_code(reason) == UNAUTHENTICATED;
}

static void of_the_job(struct trail *t, const struct audit_entry *e) {
    t->last = keep(t, e->timestamp);
    if (e->kind != EVENT_REFUSAL || e->allowed || !e->decided) return;
    if (is_about_token(e->reason)) (void)see(t, e, SIGHT_TOKEN, atom_text(t, e), e->reason);
    else see_refusal(t, e);
}

static bool on_entry(void *ctx, UNUSED uint64_t index, UNUSED struct str json, const struct audit_entry *e) {
    struct trail *t = ctx;
    if (is_of_run(t, e)) of_the_run(t, e);
    else if (e->n_tokens) refused_tokens(t, e);
    else if (t->job_run.n && str_eq(e->job_run, t->job_run)) of_the_job(t, e);
    else if (is_submission(e) && (find_token(t, e->token_id) || is_asked_job(t, e))) submission(t, e);
    else if (find_token(t, e->token_id)) see_refusal(t, e);
    return true;
}

enum code trail_walk(const char *audit_dir, struct str asked, struct arena *arena, struct trail *ret, struct err *err) {
    *ret = (struct trail){ .arena = arena, .asked = asked };
    struct audit_filter filter = { .limit = ALL_ENTRIES };
    enum code rc = audit_query(audit_dir, &filter, on_entry, ret, err);
    if (rc || ret->found) return rc;
    return err_set(err, NOT_FOUND,
                   "the audit log knows no run %.*s: give the id of a pipeline's run, or of a job (`linkspan jobs list`)",
                   STR_ARG(str_upto(asked, 100)));
}
