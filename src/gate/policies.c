#include "gate/policies.h"
#include "base/log.h"
#include "gate/config.h"
#include "gate/identify.h"
#include "spanner/spanner.h"

enum { LOAD_ARENA_BYTES = 64 << 20, REPORT_BYTES = 1 << 20 };

struct policy *gate_policy(struct gate *gate) {
    (void)pthread_mutex_lock(&gate->policy_lock);
    struct policy *policy = policy_ref(gate->policy);
    (void)pthread_mutex_unlock(&gate->policy_lock);
    return policy;
}

void gate_set_policy(struct gate *gate, struct policy *policy) {
    (void)pthread_mutex_lock(&gate->policy_lock);
    struct policy *old = gate->policy;
    gate->policy = policy;
    (void)pthread_mutex_unlock(&gate->policy_lock);
    atomic_fetch_add(&gate->identity->policy_version, 1);
    policy_unref(old);
}

/* What the policy's check may know of the outside. */
struct outside {
    struct spanner *spanner;
    const struct config *config;
};

static enum policy_known knows_issuer(void *user, struct str issuer) {
    const struct outside *outside = user;
    for (size_t i = 0; i < outside->config->n_issuers; i++)
        if (str_eq(outside->config->issuers[i].name, issuer)) return POLICY_PRESENT;
    bool ours = str_eq(issuer, CONFIG_WORKSPACES) && config_workspace(outside->config);
    return ours ? POLICY_PRESENT : POLICY_ABSENT;
}

/* "spanner demo/flights" */
static enum policy_known knows_column(void *user, struct str path, struct str table, struct str column) {
    const struct outside *outside = user;
    if (!outside->spanner || !str_strip_prefix(&path, STR("spanner "))) return POLICY_UNKNOWN;
    struct str connection = str_cut(&path, '/');
    int known = spanner_knows(outside->spanner, connection, path, table, column);
    return known < 0 ? POLICY_UNKNOWN : known ? POLICY_PRESENT : POLICY_ABSENT;
}

static void print_faults(const struct policy_faults *faults, struct buf *out) {
    for (size_t i = 0; i < faults->n; i++) {
        const struct policy_fault *f = &faults->items[i];
        buf_printf(out, "%.*s:%u:%u: %s%.*s\n", STR_ARG(f->file), f->line, f->column, f->warning ? "warning: " : "",
                   STR_ARG(f->text));
    }
}

enum code policies_load(struct spanner *spanner, const struct config *config, struct buf *out, struct policy **ret,
                        struct err *err) {
    DEFER(arena_freep) struct arena *arena = arena_new(LOAD_ARENA_BYTES);
    if (!arena) return err_oom(err);
    struct outside outside = { spanner, config };
    struct policy_context context = { .user = &outside, .column = knows_column, .issuer = knows_issuer };
    struct policy_faults faults = { 0 };
    enum code rc = policy_load_dir(config->policy, &context, arena, &faults, ret, err);
    print_faults(&faults, out);
    return rc;
}

void policies_reload(struct gate *gate) {
    DEFER(buf_free) struct buf faults = BUF_INIT(REPORT_BYTES);
    struct policy *policy;
    struct err err;
    if (policies_load(gate->spanner, gate->config, &faults, &policy, &err)) {
        log_line(LOG_ERROR, "policy not reloaded, the old one stays: %s", err.message);
        for (struct str rest = buf_str(&faults), line; (line = str_cut(&rest, '\n')).n;)
            log_line(LOG_ERROR, "%.*s", STR_ARG(line));
        return;
    }
    size_t rules = policy_rule_count(policy);
    gate_set_policy(gate, policy);
    log_line(LOG_INFO, "policy reloaded: %zu rules", rules);
}
