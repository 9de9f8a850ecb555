/* doctor_json.c: the findings for a program. docs/doctor.md has the shape. */
#include "base/json_text.h"
#include "cli/doctor.h"

static void member(struct buf *out, const char *name, struct str value) {
    buf_printf(out, "%s\"%s\":", out->n && out->p[out->n - 1] == '{' ? "" : ",", name);
    json_text_string(out, value);
}

/* Between the items of a list. */
static void comma(struct buf *out, size_t i) {
    if (i) buf_add_char(out, ',');
}

static void put_jobs(const struct doctor *d, struct buf *out) {
    buf_add_z(out, ",\"jobs\":[");
    for (size_t i = 0; i < d->trail.n_jobs; i++) {
        const struct trail_job *job = &d->trail.jobs[i];
        comma(out, i);
        buf_add_char(out, '{');
        member(out, "id", job->id);
        member(out, "run", job->run);
        member(out, "submittedBy", job->submitter);
        member(out, "account", job->account);
        member(out, "activity", job->activity);
        member(out, "state", d->ends[i].state);
        member(out, "since", d->ends[i].since);
        member(out, "details", d->ends[i].details);
        member(out, "lastHeard", str_z(job->heard));
        buf_add_char(out, '}');
    }
    buf_add_char(out, ']');
}

static void put_activities(const struct trail *t, struct buf *out) {
    buf_add_z(out, ",\"activities\":[");
    for (size_t i = 0; i < t->n_activities; i++) {
        comma(out, i);
        buf_add_char(out, '{');
        member(out, "name", t->activities[i].name);
        member(out, "type", t->activities[i].type);
        member(out, "since", t->activities[i].since);
        buf_add_char(out, '}');
    }
    buf_add_char(out, ']');
}

static void put_additions(const struct policy_explanation *x, struct buf *out) {
    buf_add_z(out, ",\"additions\":[");
    for (size_t i = 0; i < x->n_additions; i++) {
        comma(out, i);
        buf_add_char(out, '{');
        member(out, "file", x->additions[i].file);
        member(out, "owner", x->additions[i].owner);
        member(out, "rule", x->additions[i].rule);
        buf_add_char(out, '}');
    }
    buf_add_char(out, ']');
}

static void put_cause(const struct cause *c, const struct policy_explanation *x, struct buf *out) {
    buf_add_char(out, '{');
    member(out, "kind", str_z(cause_name(c->kind)));
    member(out, "who", c->who);
    member(out, "what", c->what);
    member(out, "reason", c->reason);
    member(out, "since", c->since);
    buf_printf(out, ",\"times\":%u", c->sight ? c->sight->times : 1);
    member(out, "activity", c->sight ? c->sight->activity : STR(""));
    member(out, "id", c->sight ? c->sight->id : STR(""));
    member(out, "text", c->text);
    put_additions(x, out);
    member(out, "whyNoAddition", x->why_none);
    buf_printf(out, ",\"byTheWay\":%s}", c->by_the_way ? "true" : "false");
}

void doctor_json(const struct doctor *d, struct buf *out) {
    const struct trail *t = &d->trail;
    buf_add_char(out, '{');
    member(out, "run", t->asked);
    member(out, "health", str_z(doctor_health(d->diagnosis.health)));
    member(out, "pipeline", t->pipeline);
    member(out, "state", t->state);
    member(out, "startedBy", t->starter);
    member(out, "started", t->started);
    member(out, "ended", t->ended);
    member(out, "cancelledBy", t->cancelled_by);
    put_jobs(d, out);
    put_activities(t, out);
    buf_add_z(out, ",\"causes\":[");
    for (size_t i = 0; i < d->diagnosis.n_causes; i++) {
        comma(out, i);
        put_cause(&d->diagnosis.causes[i], &d->missing[i], out);
    }
    buf_add_z(out, "]}\n");
}
