#include "gate/request_limits.h"
#include <inttypes.h>
#include "base/clock.h"
#include "gate/admit.h"
#include "wire/pb/pb_write.h"

/* As refusals and the audit name what no rule of the policy says. */
#define PER_ACCOUNT STR("limits.per_account")

/* ---- which ---- */

static bool add_default(struct request *r, uint64_t most, bool at_once, struct policy_limits *limits) {
    struct policy_limit limit = { .rule = PER_ACCOUNT, .at_once = at_once, .most = most };
    if (!most) return true;
    if (!arena_grow(r->call.arena, &limits->items, &limits->cap, limits->n + 1, sizeof limit)) return false;
    limits->items[limits->n++] = limit;
    return true;
}

static bool find_limits(struct request *r, struct policy_limits *ret) {
    return policy_limits(r->policy, r->call.subject, &r->call.atoms, r->call.method->commits, r->call.arena, ret) &&
           add_default(r, r->gate->per_account.at_once, true, ret) &&
           add_default(r, r->gate->per_account.per_second, false, ret);
}

/* Lengths go before texts, so that no two counts have one key. A count of the policy has its name, one of each caller by
 * itself who that is. */
static struct str key_of(const struct request *r, const struct policy_limit *l) {
    const struct actor *caller = &r->principal.actor;
    struct str issuer = l->who.n ? (struct str){ 0 } : caller->issuer, who = l->who.n ? l->who : caller->subject;
    return arena_printf(r->call.arena, "%c%c%c%zu:%.*s%c%zu:%.*s%.*s", l->path.n ? 'p' : 'c', l->commits ? 'c' : 'r',
                        l->at_once ? '1' : 's', l->rule.n, STR_ARG(l->rule), l->who.n ? 'n' : 'a', issuer.n,
                        STR_ARG(issuer), STR_ARG(who));
}

static struct admit_bound *bounds_of(struct request *r, const struct policy_limits *limits) {
    struct admit_bound *bounds = ARENA_ARRAY(r->call.arena, struct admit_bound, limits->n);
    for (size_t i = 0; bounds && i < limits->n; i++) {
        const struct policy_limit *l = &limits->items[i];
        bounds[i] = (struct admit_bound){ .key = key_of(r, l), .most = l->most, .at_once = l->at_once };
        if (!bounds[i].key.p) return NULL;
    }
    return bounds;
}

/* ---- refused ---- */

static void add_retry_info(struct request *r, uint64_t retry_us) {
    DEFER(buf_free) struct buf info = BUF_INIT(64);
    size_t mark = pb_begin(&info, 1);
    if (retry_us >= 1000000) pb_put_u64(&info, 1, retry_us / 1000000);
    if (retry_us % 1000000) pb_put_u64(&info, 2, retry_us % 1000000 * 1000);
    pb_end(&info, mark);
    if (buf_ok(&info)) call_add_detail(&r->call, "google.rpc.RetryInfo", buf_str(&info));
}

static void refuse_beyond(struct request *r, const struct policy_limit *l, const struct admit_refusal *refusal) {
    uint64_t ms = (refusal->retry_us + 999) / 1000;
    r->verdict = (struct verdict){ LIMIT_REACHED, (unsigned)r->call.atoms.n, -1, l->rule };
    add_retry_info(r, refusal->retry_us);
    if (refusal->full) {
        request_refuse(r, LIMIT_REACHED, "too many callers are counted now: try again in %" PRIu64 " ms", ms);
        return;
    }
    struct str who = l->who.n ? l->who : r->principal.actor.subject;
    request_refuse(r, LIMIT_REACHED, "%.*s has no more than %" PRIu64 " %s %s%s%.*s (%s%.*s): try again in %" PRIu64 " ms",
                   STR_ARG(str_upto(who, 128)), l->most, l->commits ? "commits" : "requests",
                   l->at_once ? "at once" : "per second", l->path.n ? " in " : "", STR_ARG(str_upto(l->path, 128)),
                   l->path.n ? "rule " : "", STR_ARG(str_upto(l->rule, 128)), ms);
}

/* ---- in and out ---- */

void limits_enter(struct request *r) {
    struct policy_limits limits = { 0 };
    struct admit_refusal refusal;
    struct err err;
    if (!r->identified || !r->call.subject || r->door->kind == DOOR_JOB_METADATA) return; /* that is the world's own */
    bool found = find_limits(r, &limits);
    if (found && !limits.n) return;
    struct admit_bound *bounds = found ? bounds_of(r, &limits) : NULL;
    if (!bounds) {
        (void)err_oom(&err);
        request_fail(r, &err);
    } else if (admit_enter(r->gate->admit, bounds, limits.n, clock_mono_us(), &refusal)) {
        r->bounds = bounds;
        r->n_bounds = limits.n;
    } else refuse_beyond(r, &limits.items[refusal.bound], &refusal);
}

void limits_leave(struct request *r) {
    admit_leave(r->gate->admit, r->bounds, r->n_bounds);
    r->n_bounds = 0;
}
