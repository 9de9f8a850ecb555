/* decide.c: policy decisions a second, in process: RULES rules for 50 callers, each rule about a table of its own.
 *
 *     bench_decide RULES SECONDS
 *
 * Every decision asks for two columns of one table, in a random order over all rules; one in eight is for a table that the
 * caller has no rule for. What the caller bears was found before, as the server does once a token. One line of JSON. */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include "base/buf.h"
#include "base/clock.h"
#include "policy/policy.h"

enum { CALLERS = 50, ROUND = 4096, ARENA_BYTES = 256 << 20, TEXT_BYTES = 1 << 20, REFUSED_IN = 8 };

struct question {
    const struct policy_subject *subject;
    struct atoms atoms;
    bool allowed;
};

static void write_policy(struct buf *out, unsigned rules) {
    buf_add_z(out, "domain bench covers spanner demo/bench owner o\n");
    for (unsigned i = 0; i < CALLERS; i++) buf_printf(out, "identity u%u is oidc bench where oid = \"u%u\"\n", i, i);
    for (unsigned i = 0; i < rules; i++)
        buf_printf(out,
                   "r%u: allow u%u to read T%u(a, b, c) and insert T%u in spanner demo/bench owner o until 2199-12-31\n", i,
                   i % CALLERS, i, i);
}

static struct policy *load(struct arena *arena, unsigned rules, struct err *err) {
    DEFER(buf_free) struct buf text = BUF_INIT(TEXT_BYTES);
    struct policy_faults faults;
    struct policy *policy = NULL;
    write_policy(&text, rules);
    const struct policy_source source = { STR("bench.policy"), buf_str(&text) };
    return policy_load(&source, 1, NULL, arena, &faults, &policy, err) ? NULL : policy;
}

static const struct policy_subject *caller(const struct policy *policy, struct arena *arena, unsigned i) {
    struct str name = arena_printf(arena, "u%u", i);
    json_t *claims = json_pack("{s:s%}", "oid", name.p, name.n);
    const struct principal who = { .actor = {
                                       .kind = ACTOR_OIDC, .issuer = STR("bench"), .subject = name, .claims = claims } };
    const struct policy_subject *subject = claims ? policy_identify(policy, &who, arena) : NULL;
    json_decref(claims);
    return subject;
}

static bool ask(struct question *q, const struct policy_subject *const *callers, struct arena *arena, unsigned rules) {
    static const struct str columns[] = { STR_INIT("a"), STR_INIT("c") };
    unsigned rule = (unsigned)random() % rules;
    q->allowed = random() % REFUSED_IN != 0;
    q->subject = callers[(rule + !q->allowed) % CALLERS];
    const struct atom atom = { .verb = VERB_READ,
                               .path = STR("spanner demo/bench"),
                               .object = arena_printf(arena, "T%u", rule),
                               .columns = columns,
                               .n_columns = COUNT(columns) };
    return atoms_add(&q->atoms, arena, atom);
}

static double cpu_seconds(void) {
    struct timespec t;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* False: a verdict is not what it must be. */
static bool measure(const struct policy *policy, const struct question *questions, unsigned rules, double seconds) {
    uint64_t n = 0, began = clock_mono_us(), spent = 0;
    int64_t now = clock_wall_us();
    double cpu = cpu_seconds();
    for (; (double)spent < seconds * 1e6; spent = clock_mono_us() - began) {
        for (unsigned i = 0; i < ROUND; i++, n++) {
            struct verdict verdict;
            policy_decide(policy, questions[i].subject, &questions[i].atoms, now, &verdict);
            if ((verdict.reason == REASON_NONE) != questions[i].allowed) return false;
        }
    }
    printf("{\"rules\":%u,\"operations\":%" PRIu64 ",\"seconds\":%.4f,\"server_cpu\":%.4f}\n", rules, n,
           (double)spent / 1e6, cpu_seconds() - cpu);
    return true;
}

int main(int argc, char **argv) {
    if (argc != 3) return 64;
    unsigned rules = (unsigned)strtoul(argv[1], NULL, 10);
    DEFER(arena_freep) struct arena *arena = arena_new(ARENA_BYTES);
    static struct question questions[ROUND];
    const struct policy_subject *callers[CALLERS];
    struct err err = { .code = OK };
    DEFER(policy_unrefp) struct policy *policy = arena && rules ? load(arena, rules, &err) : NULL;
    if (!policy) {
        (void)fprintf(stderr, "bench_decide: %s\n", err.message);
        return 1;
    }
    srandom(1); /* the same questions in each run */
    bool ok = true;
    for (unsigned i = 0; i < CALLERS; i++) ok = ok && (callers[i] = caller(policy, arena, i)) != NULL;
    for (unsigned i = 0; ok && i < ROUND; i++) ok = ask(&questions[i], callers, arena, rules);
    if (ok) ok = measure(policy, questions, rules, strtod(argv[2], NULL));
    if (!ok) (void)fprintf(stderr, "bench_decide: out of memory, or a wrong verdict\n");
    return ok ? 0 : 1;
}
