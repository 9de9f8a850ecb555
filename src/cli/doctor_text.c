/* doctor_text.c: the findings for a person. */
#include "cli/doctor.h"
#include "cli/terminal.h"

const char *doctor_health(enum run_health health) {
    static const char *const names[] = { [RUN_WELL] = "well",
                                         [RUN_GOES_ON] = "going on",
                                         [RUN_CANCELLED_BY_SOMEONE] = "cancelled",
                                         [RUN_FAILED_OR_REFUSED] = "failed" };
    return names[health];
}

/* ---- what it is about, and how it stands ---- */

static void put_head(const struct doctor *d, struct buf *out) {
    const struct trail *t = &d->trail;
    if (t->is_pipeline && t->started.n)
        terminal_line(out, "run %.*s of pipeline %.*s, started by %.*s at %.*s: %.*s", STR_ARG(t->asked),
                      STR_ARG(t->pipeline), STR_ARG(t->starter), STR_ARG(t->started), STR_ARG(t->state));
    else if (!t->n_jobs) terminal_line(out, "%.*s never began", STR_ARG(str_upto(t->asked, 100)));
    for (size_t i = 0; i < t->n_jobs; i++) {
        const struct trail_job *job = &t->jobs[i];
        struct str state = d->ends[i].state;
        terminal_line(out, "job %.*s, submitted by %.*s to run as %.*s: %.*s%s%.*s", STR_ARG(job->id),
                      STR_ARG(job->submitter), STR_ARG(job->account), STR_ARG(state.n ? state : STR("deleted")),
                      state.n ? " since " : "", STR_ARG(d->ends[i].since));
    }
    if (t->cancelled_by.n && d->diagnosis.health == RUN_CANCELLED_BY_SOMEONE)
        terminal_line(out, "%.*s cancelled it", STR_ARG(t->cancelled_by));
}

static bool has_state(const struct job_end *end, const char *state) {
    return str_eq_z(end->state, state);
}

static void put_waiting(const struct doctor *d, struct buf *out) {
    const struct trail *t = &d->trail;
    if (d->diagnosis.health != RUN_GOES_ON) return;
    for (size_t i = 0; i < t->n_activities; i++)
        terminal_line(out, "waits for activity %.*s (%.*s), since %.*s", STR_ARG(t->activities[i].name),
                      STR_ARG(t->activities[i].type), STR_ARG(t->activities[i].since));
    for (size_t i = 0; i < t->n_jobs; i++) {
        const struct trail_job *job = &t->jobs[i];
        if (has_state(&d->ends[i], "PENDING"))
            terminal_line(out, "waits for its turn: job %.*s, since %.*s; %zu jobs run at once (max_jobs)",
                          STR_ARG(job->id), STR_ARG(d->ends[i].since), d->max_jobs);
        else if (!has_state(&d->ends[i], "RUNNING") && !has_state(&d->ends[i], "SETUP_DONE")) continue;
        else if (job->heard[0]) terminal_line(out, "job %.*s last asked for something at %s", STR_ARG(job->id), job->heard);
        else terminal_line(out, "job %.*s has asked for nothing yet", STR_ARG(job->id));
    }
}

/* ---- causes ---- */

/* Names, causes and the driver's words are others'. */
static void put_cause(size_t number, const struct cause *c, struct buf *out) {
    size_t from = out->n;
    buf_printf(out, "%zu. ", number);
    switch (c->kind) {
    case CAUSE_PERMISSION:
        buf_printf(out, "a permission: %.*s may not %.*s (%.*s, request %.*s)", STR_ARG(c->who), STR_ARG(c->what),
                   STR_ARG(c->reason), STR_ARG(c->sight->id));
        break;
    case CAUSE_TOKEN:
        buf_printf(out, "a token: that of %.*s is not accepted: %.*s, since %.*s (%.*s)", STR_ARG(c->who),
                   STR_ARG(c->reason), STR_ARG(c->since), STR_ARG(c->what));
        break;
    case CAUSE_UNREACHABLE:
        buf_printf(out, "a service that does not answer: %.*s, since %.*s", STR_ARG(c->what), STR_ARG(c->since));
        break;
    case CAUSE_SPARK: buf_printf(out, "Spark: job %.*s failed at %.*s", STR_ARG(c->what), STR_ARG(c->since)); break;
    case CAUSE_ACTIVITY:
        buf_printf(out, "an activity: %.*s: %.*s%s%.*s, at %.*s", STR_ARG(c->sight->activity), STR_ARG(c->what),
                   str_eq(c->what, c->reason) ? "" : " was answered with ",
                   STR_ARG(str_eq(c->what, c->reason) ? STR("") : c->reason), STR_ARG(c->since));
        break;
    case CAUSE_KINDS: break;
    }
    if (c->sight && c->sight->times > 1) buf_printf(out, ", %u times", c->sight->times);
    terminal_safe(out, from);
    buf_add_char(out, '\n');
    if (c->text.n) terminal_line(out, "   %.*s", STR_ARG(c->text));
}

static void put_missing(const struct policy_explanation *x, struct buf *out) {
    for (size_t i = 0; i < x->n_near; i++)
        terminal_line(out, "   near: %.*s (%.*s:%u) %.*s", STR_ARG(x->near[i].rule), STR_ARG(x->near[i].file),
                      x->near[i].line, STR_ARG(x->near[i].lacks));
    if (x->why_none.n) terminal_line(out, "   no rule to add: %.*s", STR_ARG(x->why_none));
    for (size_t i = 0; i < x->n_additions; i++) {
        terminal_line(out, "   what would allow it, in %.*s, if %.*s agrees:", STR_ARG(x->additions[i].file),
                      STR_ARG(x->additions[i].owner));
        for (struct str rest = x->additions[i].rule, line; (line = str_cut(&rest, '\n')).n;)
            terminal_line(out, "   + %.*s", STR_ARG(line));
    }
}

void doctor_text(const struct doctor *d, struct buf *out) {
    const struct diagnosis *g = &d->diagnosis;
    put_head(d, out);
    put_waiting(d, out);
    if (!g->n_causes)
        buf_add_z(out, g->health == RUN_FAILED_OR_REFUSED ? "the log holds no cause for its end\n"
                                                          : "nothing was refused, and nothing failed\n");
    for (size_t i = 0; i < g->n_causes; i++) {
        if (g->causes[i].by_the_way && (i == 0 || !g->causes[i - 1].by_the_way))
            buf_add_z(out, "seen by the way; it did not fail by this:\n");
        put_cause(i + 1, &g->causes[i], out);
        put_missing(&d->missing[i], out);
    }
}
