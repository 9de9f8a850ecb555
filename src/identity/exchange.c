/* exchange.c: who has which token, who waits for one, and when the endpoint is asked. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "identity/exchange_priv.h"

enum {
    SECOND = 1000000,
    ENTRIES_DEFAULT = 4096,
    BREAKER_FAILURES = 5 /* in a row */
};

/* ---- what fails ---- */

static int64_t delay_us(unsigned failures) { /* 1 s, 2 s, … 32 s, 60 s */
    return failures > 6 ? 60LL * SECOND : (int64_t)SECOND << (failures - 1);
}

static void failed(struct backoff *b, unsigned free_failures, int64_t now_us) {
    b->failures++;
    if (b->failures > free_failures) b->until_us = now_us + delay_us(b->failures - free_failures);
}

static bool breaker_open(const struct exchange *x) {
    return x->breaker.failures >= BREAKER_FAILURES;
}

/* May the endpoint be asked now? After a pause one asks for all. */
static bool breaker_lets(const struct exchange *x, int64_t now_us) {
    return !breaker_open(x) || (!x->probe && now_us >= x->breaker.until_us);
}

/* The endpoint lives: whoever probes it is one of many again. */
static void breaker_close(struct exchange *x) {
    x->breaker = (struct backoff){ 0 };
    x->probe = NULL;
}

/* While it is open only the probe has news: the others were sent before, and fail of what opened it. */
static void breaker_note(struct exchange *x, const struct flight *f, enum code code, int64_t now_us) {
    if (code == PERMISSION_DENIED) breaker_close(x);
    else if (code == UNAVAILABLE && (x->probe == f || !breaker_open(x))) failed(&x->breaker, BREAKER_FAILURES - 1, now_us);
}

static enum code say_later(int64_t until_us, int64_t now_us, enum code code, const char *why, struct err *err) {
    int64_t wait_s = until_us > now_us ? (until_us - now_us + SECOND - 1) / SECOND : 1;
    return err_set(err, code, "no token for the upstream: %s; it is asked again in %lld s", why, (long long)wait_s);
}

/* ---- entries ---- */

static void add_text(struct hash *h, struct str text) {
    uint64_t n = text.n; /* lengths keep what follows apart */
    hash_add(h, (struct str){ (const char *)&n, sizeof n });
    hash_add(h, text);
}

static void add_actor(struct hash *h, const struct actor *a) {
    char kind = (char)a->kind;
    hash_add(h, (struct str){ &kind, 1 });
    add_text(h, a->issuer);
    add_text(h, a->subject);
}

static void add_principal(struct hash *h, const struct principal *p) {
    char links = (char)p->n_chain;
    hash_add(h, (struct str){ &links, 1 });
    add_actor(h, &p->actor);
    for (unsigned i = 0; i < p->n_chain; i++) add_actor(h, &p->chain[i]);
    add_text(h, p->job);
    add_text(h, p->job_run);
}

static int by_text(const void *a, const void *b) {
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

static bool make_key(const struct principal *p, const struct str *scopes, size_t n, uint8_t ret[SHA256_BYTES]) {
    DEFER(hash_freep) struct hash *h = hash_new();
    struct str sorted[EXCHANGE_SCOPES_MAX];
    if (!h) return false;
    memcpy(sorted, scopes, n * sizeof *scopes);
    qsort(sorted, n, sizeof *sorted, by_text);
    add_principal(h, p);
    for (size_t i = 0; i < n; i++) add_text(h, sorted[i]);
    hash_end(h, ret);
    return true;
}

static struct str key_of(const struct exchange_entry *e) {
    return (struct str){ (const char *)e->key, SHA256_BYTES };
}

static void entry_free(struct exchange *x, struct exchange_entry *e) {
    (void)map_remove(x->by_key, key_of(e));
    *e->at = e->next;
    if (e->next) e->next->at = e->at;
    (void)exchange_token_unref(e->token);
    free(e);
}

/* Room for one more. False: all are busy. */
static bool make_room(struct exchange *x) {
    struct exchange_entry *oldest = NULL;
    if (map_count(x->by_key) < x->max_entries) return true;
    for (struct exchange_entry *e = x->entries; e; e = e->next)
        if (!e->flight && (!oldest || e->used < oldest->used)) oldest = e;
    if (oldest) entry_free(x, oldest);
    return oldest != NULL;
}

/* NULL: there is no room, or no memory. */
static struct exchange_entry *add_entry(struct exchange *x, struct str job_run, const uint8_t key[SHA256_BYTES]) {
    struct exchange_entry *e = make_room(x) ? calloc(1, sizeof *e) : NULL;
    if (!e) return NULL;
    hash_sha256(job_run, e->job_run);
    memcpy(e->key, key, SHA256_BYTES);
    if (!map_put(x->by_key, key_of(e), e, NULL)) {
        free(e);
        return NULL;
    }
    e->next = x->entries;
    e->at = &x->entries;
    if (e->next) e->next->at = &e->next;
    return x->entries = e;
}

static struct exchange_entry *find_entry(struct exchange *x, const struct principal *p, const struct str *scopes,
                                         size_t n) {
    uint8_t key[SHA256_BYTES];
    if (!make_key(p, scopes, n, key)) return NULL;
    struct exchange_entry *e = map_get(x->by_key, (struct str){ (const char *)key, SHA256_BYTES });
    if (!e) e = add_entry(x, p->job_run, key);
    if (e) e->used = ++x->count;
    return e;
}

/* ---- asking ---- */

static void join(struct exchange_entry *e, struct exchange_wait *wait) {
    wait->next = e->waiting;
    wait->at = &e->waiting;
    if (wait->next) wait->next->at = &wait->next;
    e->waiting = wait;
}

/* A flight for this entry, or why there is none now. */
static enum code prepare(struct exchange *x, struct exchange_entry *e, const struct principal *p, const struct str *scopes,
                         size_t n, int64_t now_us, struct err *err) {
    if (now_us < e->backoff.until_us) return say_later(e->backoff.until_us, now_us, e->code, e->why, err);
    if (!breaker_lets(x, now_us))
        return say_later(x->breaker.until_us, now_us, UNAVAILABLE, "the token endpoint failed several times", err);
    e->flight = flight_new(x, p, scopes, n);
    if (!e->flight) return err_oom(err);
    e->flight->entry = e;
    if (breaker_open(x)) x->probe = e->flight;
    return OK;
}

/* Under the lock. *ret_begin: a flight that the caller must begin once the lock is let go. */
static enum code ask(struct exchange *x, const struct principal *p, const struct str *scopes, size_t n,
                     struct exchange_wait *wait, struct exchange_token **ret_token, struct flight **ret_begin,
                     struct err *err) {
    enum code rc = OK;
    int64_t now_us = clock_wall_us();
    struct exchange_entry *e = find_entry(x, p, scopes, n);
    if (!e)
        return err_set(err, RESOURCE_EXHAUSTED, "%zu token exchanges are under way, or memory is short", x->max_entries);
    bool usable = exchange_token_usable(e->token, now_us);
    bool wanted = !e->flight && (!usable || now_us >= e->renew_us);
    if (wanted) {
        rc = prepare(x, e, p, scopes, n, now_us, usable ? NULL : err);
        *ret_begin = rc ? NULL : e->flight;
        if (rc && !usable) return rc;
    }
    *ret_token = usable ? exchange_token_ref(e->token) : NULL;
    if (!usable) join(e, wait);
    return OK;
}

enum code exchange_get(struct exchange *x, const struct principal *principal, const struct str *scopes, size_t n_scopes,
                       struct exchange_wait *wait, struct exchange_token **ret_token, struct err *err) {
    struct flight *begin = NULL;
    struct exchange_token *token = NULL;
    if (n_scopes == 0 || n_scopes > EXCHANGE_SCOPES_MAX)
        return err_set(err, INVALID_ARGUMENT, "a token has 1 to %d scopes", EXCHANGE_SCOPES_MAX);
    (void)pthread_mutex_lock(&x->lock);
    enum code rc = ask(x, principal, scopes, n_scopes, wait, &token, &begin, err);
    ++*(rc ? &x->stats.refused : token ? &x->stats.had : &x->stats.waited);
    (void)pthread_mutex_unlock(&x->lock);
    if (rc) return rc;
    *ret_token = token; /* before the flight: `done` may come in it, and the caller may be gone then */
    if (begin) flight_begin(begin);
    return OK;
}

bool exchange_wait_cancel(struct exchange *x, struct exchange_wait *wait) {
    (void)pthread_mutex_lock(&x->lock);
    bool waits = wait->at != NULL;
    if (waits) {
        *wait->at = wait->next;
        if (wait->next) wait->next->at = wait->at;
        wait->at = NULL;
    }
    (void)pthread_mutex_unlock(&x->lock);
    return waits;
}

/* ---- the end of a flight ---- */

static void note_failure(struct exchange *x, const struct flight *f, const struct err *err, int64_t now_us) {
    struct exchange_entry *e = f->entry;
    size_t n = strnlen(err->message, sizeof e->why - 1);
    memcpy(e->why, err->message, n);
    e->why[n] = 0;
    e->code = err->code;
    if (f->kept_back) e->backoff.until_us = now_us + SECOND; /* room is had as soon as another's exchange ends */
    else failed(&e->backoff, 0, now_us);
    if (f->asked) breaker_note(x, f, err->code, now_us);
}

static void note_token(struct exchange_entry *e, struct exchange_token *token) {
    (void)exchange_token_unref(e->token);
    e->token = exchange_token_ref(token);
    e->renew_us = exchange_token_renewal_us(token);
    e->backoff = (struct backoff){ 0 };
}

static struct exchange_wait *take_waiting(struct exchange_entry *e) {
    struct exchange_wait *first = e->waiting;
    for (struct exchange_wait *w = first; w; w = w->next) w->at = NULL;
    e->waiting = NULL;
    return first;
}

static void tell(struct exchange_wait *w, struct exchange_token *token, const struct err *err) {
    while (w) {
        struct exchange_wait *next = w->next;
        w->done(w, exchange_token_ref(token), token ? NULL : err);
        w = next;
    }
}

void exchange_settle(struct flight *f, struct exchange_token *token, const struct err *err) {
    struct exchange *x = f->exchange;
    struct err why = { 0 };
    (void)pthread_mutex_lock(&x->lock);
    struct exchange_entry *e = f->entry;
    bool forgotten = f->forgotten;
    ++*(token ? &x->stats.fetched : &x->stats.failed);
    if (!token) note_failure(x, f, err, clock_wall_us());
    else breaker_close(x);
    if (token && !forgotten) note_token(e, token);
    if (x->probe == f) x->probe = NULL;
    e->flight = NULL;
    struct exchange_wait *waiting = take_waiting(e);
    (void)pthread_mutex_unlock(&x->lock);
    if (forgotten) (void)err_set(&why, UNAUTHENTICATED, "the caller's proof has ended");
    else if (!token) (void)err_set(&why, err->code, "no token for the upstream: %s", err->message);
    flight_free(f);
    tell(waiting, forgotten ? NULL : token, &why);
    (void)exchange_token_unref(token);
}

void exchange_stats(struct exchange *x, struct exchange_stats *ret) {
    (void)pthread_mutex_lock(&x->lock);
    *ret = x->stats;
    ret->open = breaker_open(x);
    (void)pthread_mutex_unlock(&x->lock);
}

void exchange_forget_job(struct exchange *x, struct str job_run) {
    uint8_t digest[SHA256_BYTES];
    if (!job_run.n) return;
    hash_sha256(job_run, digest);
    (void)pthread_mutex_lock(&x->lock);
    struct exchange_entry *next;
    for (struct exchange_entry *e = x->entries; e; e = next) {
        next = e->next;
        if (memcmp(e->job_run, digest, sizeof digest) != 0) continue;
        e->token = exchange_token_unref(e->token);
        if (e->flight) e->flight->forgotten = true;
        else entry_free(x, e);
    }
    (void)pthread_mutex_unlock(&x->lock);
}

/* ---- life ---- */

static bool copy_config(struct exchange *x, const struct exchange_config *config) {
    x->config = *config;
    struct str *texts[] = { &x->config.token_url,         &x->config.audience,  &x->config.subject_token_type,
                            &x->config.impersonation_url, &x->config.client_id, &x->config.client_secret,
                            &x->config.subject_file };
    for (size_t i = 0; i < COUNT(texts); i++) {
        struct str text = str_dup(x->arena, *texts[i]);
        if (!text.p && texts[i]->n) return false;
        *texts[i] = text;
    }
    return true;
}

enum code exchange_new(const struct exchange_config *config, const struct exchange_effects *effects, size_t max_entries,
                       struct exchange **ret, struct err *err) {
    struct exchange *x = calloc(1, sizeof *x);
    if (!x || pthread_mutex_init(&x->lock, NULL)) {
        free(x);
        return err_oom(err);
    }
    x->arena = arena_new_secret(EXCHANGE_FILE_MAX);
    x->by_key = map_new();
    x->effects = *effects;
    x->max_entries = max_entries ? max_entries : ENTRIES_DEFAULT;
    if (!x->arena || !x->by_key || !copy_config(x, config)) {
        exchange_free(x);
        return err_oom(err);
    }
    *ret = x;
    return OK;
}

void exchange_free(struct exchange *x) {
    if (!x) return;
    while (x->entries) entry_free(x, x->entries);
    map_free(x->by_key, NULL);
    arena_free(x->arena);
    (void)pthread_mutex_destroy(&x->lock);
    free(x);
}
