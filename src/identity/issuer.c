#include "identity/issuer.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "data/json.h"
#include "identity/issuer_priv.h"

enum { FRESH_S = 600, COOLDOWN_S = 30, HARD_S = 86400, MAX_LIFE_S = 86400, TABLE_BYTES = 1 << 20 };

static int64_t or_default(int64_t value, int64_t fallback) {
    return value > 0 ? value : fallback;
}

static bool copy(struct arena *arena, struct str *s) {
    size_t n = s->n;
    *s = str_dup(arena, *s);
    return n == 0 || s->p;
}

static bool copy_config(struct arena *arena, const struct issuer_config *from, struct issuer_config *to) {
    *to = *from;
    bool ok = copy(arena, &to->name) && copy(arena, &to->iss) && copy(arena, &to->tenant) && copy(arena, &to->jwks_uri) &&
              copy(arena, &to->authorized_party);
    for (size_t i = 0; i < to->n_audiences; i++) ok = ok && copy(arena, &to->audiences[i]);
    to->jwks_json = STR(""); /* parsed, not kept */
    to->fresh_s = or_default(to->fresh_s, FRESH_S);
    to->cooldown_s = or_default(to->cooldown_s, COOLDOWN_S);
    to->hard_s = or_default(to->hard_s, HARD_S);
    to->max_life_s = or_default(to->max_life_s, MAX_LIFE_S);
    return ok;
}

/* The `iss` values and the address of the keys, as the preset knows them. */
static bool preset(struct arena *arena, struct issuer *issuer) {
    struct issuer_config *c = &issuer->config;
    struct str uri = c->jwks_uri;
    issuer->iss[0] = c->iss;
    if (c->preset == ISSUER_ENTRA) {
        issuer->iss[0] = arena_printf(arena, "https://login.microsoftonline.com/%.*s/v2.0", STR_ARG(c->tenant));
        issuer->iss[1] = arena_printf(arena, "https://sts.windows.net/%.*s/", STR_ARG(c->tenant));
        uri = arena_printf(arena, "https://login.microsoftonline.com/%.*s/discovery/v2.0/keys", STR_ARG(c->tenant));
    } else if (c->preset == ISSUER_GOOGLE) {
        issuer->iss[0] = STR("https://accounts.google.com");
        issuer->iss[1] = STR("accounts.google.com");
        uri = STR("https://www.googleapis.com/oauth2/v3/certs");
    } else if (c->preset == ISSUER_DISCOVERY) {
        struct str base = c->iss;
        (void)str_strip_suffix(&base, STR("/"));
        issuer->discovery = arena_printf(arena, "%.*s/.well-known/openid-configuration", STR_ARG(base));
    }
    issuer->uri = c->jwks_uri.n ? c->jwks_uri : uri;
    return issuer->iss[0].p && (c->preset != ISSUER_DISCOVERY || issuer->discovery.p);
}

static bool is_tenant(struct str s) {
    if (s.n == 0 || s.n > 64) return false;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-')) return false;
    }
    return !str_eq_z(s, "common") && !str_eq_z(s, "organizations") && !str_eq_z(s, "consumers");
}

bool issuer_url_lawful(const struct issuer *issuer, struct str url) {
    if (url.n > 2048 || str_find_char(url, '@') >= 0 || str_find_char(url, '#') >= 0) return false;
    for (size_t i = 0; i < url.n; i++)
        if ((unsigned char)url.p[i] <= 0x20 || (unsigned char)url.p[i] >= 0x7f) return false;
    return str_starts(url, STR("https://")) || (issuer->config.allow_http && str_starts(url, STR("http://")));
}

static const char *wrong_with(const struct issuer *issuer, const struct issuer_config *given, bool can_fetch) {
    const struct issuer_config *c = &issuer->config;
    if (c->name.n == 0) return "it has no name";
    if (c->n_audiences == 0) return "it has no audiences: a token for another service would be taken";
    for (size_t i = 0; i < c->n_audiences; i++)
        if (c->audiences[i].n == 0 || c->audiences[i].n > ISSUER_AUDIENCE_BYTES)
            return "an audience is empty or longer than 256 bytes";
    if (c->preset == ISSUER_ENTRA && !is_tenant(c->tenant)) return "the tenant must be one tenant's id";
    if (issuer->iss[0].n == 0 || issuer->iss[0].n > 512) return "it has no iss, or one longer than 512 bytes";
    if (c->preset == ISSUER_DISCOVERY && !issuer_url_lawful(issuer, c->iss)) return "discovery needs an https address";
    if (given->jwks_json.n) return NULL;
    if (!issuer->uri.n && !issuer->discovery.n) return "it has neither keys nor an address of keys";
    if (issuer->uri.n && !issuer_url_lawful(issuer, issuer->uri)) return "the address of its keys is not https";
    return can_fetch ? NULL : "its keys must be fetched, and nothing can fetch here";
}

static enum code add(struct issuers *table, const struct issuer_config *config, struct err *err) {
    struct issuer *issuer = &table->items[table->n];
    if (config->n_audiences > ISSUER_AUDIENCES_MAX)
        return err_set(err, INVALID_ARGUMENT, "an issuer has too many audiences");
    if (!copy_config(table->arena, config, &issuer->config) || !preset(table->arena, issuer)) return err_oom(err);
    issuer->fetcher = table->has_fetcher ? &table->fetcher : NULL;
    const char *wrong = wrong_with(issuer, config, table->has_fetcher);
    if (wrong) return err_set(err, INVALID_ARGUMENT, "issuer %.*s: %s", STR_ARG(config->name), wrong);
    for (size_t i = 0; i < ISSUER_ISS_MAX; i++)
        if (issuer->iss[i].n && issuers_by_iss(table, issuer->iss[i]))
            return err_set(err, INVALID_ARGUMENT, "issuer %.*s: another issuer has the same iss", STR_ARG(config->name));
    if (issuers_by_name(table, config->name))
        return err_set(err, INVALID_ARGUMENT, "issuer %.*s: the name is there twice", STR_ARG(config->name));
    if (pthread_mutex_init(&issuer->lock, NULL)) return err_oom(err);
    table->n++;
    issuer->is_static = config->jwks_json.n > 0;
    if (!issuer->is_static) return OK;
    enum code rc = issuer_set_keys(issuer, config->jwks_json, 0, err);
    if (!rc && jwks_count(issuer->keys) == 0)
        rc = err_set(err, INVALID_ARGUMENT, "the key set holds no usable signing key");
    return rc ? err_wrap(err, "issuer %.*s", STR_ARG(config->name)) : OK;
}

static void issuers_freep(struct issuers **table) {
    issuers_free(*table);
}

enum code issuers_new(const struct issuer_config *configs, size_t n, const struct fetcher *fetcher, struct issuers **ret,
                      struct err *err) {
    if (n > ISSUERS_MAX) return err_set(err, INVALID_ARGUMENT, "more than %d issuers", ISSUERS_MAX);
    DEFER(issuers_freep) struct issuers *table = calloc(1, sizeof *table);
    if (!table) return err_oom(err);
    table->arena = arena_new(TABLE_BYTES);
    if (!table->arena) return err_oom(err);
    table->has_fetcher = fetcher != NULL;
    if (fetcher) table->fetcher = *fetcher;
    for (size_t i = 0; i < n; i++) {
        enum code rc = add(table, &configs[i], err);
        if (rc) return rc;
    }
    *ret = TAKE(table);
    return OK;
}

void issuers_free(struct issuers *table) {
    if (!table) return;
    for (size_t i = 0; i < table->n; i++) {
        jwks_unref(table->items[i].keys);
        free(table->items[i].learned_uri);
        pthread_mutex_destroy(&table->items[i].lock);
    }
    arena_free(table->arena);
    free(table);
}

struct issuer *issuers_by_iss(struct issuers *table, struct str iss) {
    for (size_t i = 0; iss.n && i < table->n; i++)
        for (size_t k = 0; k < ISSUER_ISS_MAX; k++)
            if (str_eq(table->items[i].iss[k], iss)) return &table->items[i];
    return NULL;
}

struct issuer *issuers_by_name(struct issuers *table, struct str name) {
    for (size_t i = 0; i < table->n; i++)
        if (str_eq(table->items[i].config.name, name)) return &table->items[i];
    return NULL;
}

const struct issuer_config *issuer_config(const struct issuer *issuer) {
    return &issuer->config;
}
