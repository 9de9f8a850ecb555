#include "identity/workspace.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/json_text.h"
#include "crypto/key.h"
#include "crypto/random.h"
#include "identity/jws_make.h"

enum { ARENA_BYTES = 16 << 10, CLAIMS_MAX = 8 << 10, UTI_BYTES = 16 };

struct workspace {
    struct arena *arena;
    struct key *key;
    char kid[JWS_KID_MAX + 1];
    struct workspace_config is;
};

static enum code copy(struct arena *arena, const char *name, struct str from, struct str *to, struct err *err) {
    if (from.n == 0 || from.n > WORKSPACE_TEXT_MAX)
        return err_set(err, INVALID_ARGUMENT, "the workspace's %s has 1 to %d bytes", name, WORKSPACE_TEXT_MAX);
    *to = str_dup(arena, from);
    return to->p ? OK : err_oom(err);
}

static enum code copy_all(struct workspace *w, const struct workspace_config *from, struct err *err) {
    enum code rc = copy(w->arena, "issuer", from->issuer, &w->is.issuer, err);
    if (!rc) rc = copy(w->arena, "tenant", from->tenant, &w->is.tenant, err);
    if (!rc) rc = copy(w->arena, "principal", from->principal, &w->is.principal, err);
    if (!rc) rc = copy(w->arena, "client", from->client, &w->is.client, err);
    return rc ? rc : copy(w->arena, "resource id", from->resource_id, &w->is.resource_id, err);
}

static void workspace_freep(struct workspace **w) {
    workspace_free(*w);
}

enum code workspace_new(const struct workspace_config *config, struct key *key, struct workspace **ret, struct err *err) {
    if (key_kind(key) != KEY_RSA || !key_is_private(key))
        return err_set(err, INVALID_ARGUMENT, "a workspace signs with a private RSA key");
    DEFER(workspace_freep) struct workspace *w = calloc(1, sizeof *w);
    if (!w || !(w->arena = arena_new(ARENA_BYTES))) return err_oom(err);
    w->key = key_ref(key);
    enum code rc = jws_kid(key, w->kid, err);
    if (!rc) rc = copy_all(w, config, err);
    if (rc) return rc;
    *ret = TAKE(w);
    return OK;
}

void workspace_free(struct workspace *w) {
    if (!w) return;
    key_unref(w->key);
    arena_free(w->arena);
    free(w);
}

struct str workspace_issuer(const struct workspace *w) {
    return w->is.issuer;
}

struct str workspace_tenant(const struct workspace *w) {
    return w->is.tenant;
}

enum code workspace_jwks(const struct workspace *w, struct buf *out, struct err *err) {
    return jws_key_set(w->key, w->kid, false, out, err);
}

static void member(struct buf *out, const char *name, struct str value) {
    buf_printf(out, ",\"%s\":", name);
    json_text_string(out, value);
}

enum code workspace_discovery(const struct workspace *w, struct buf *out, struct err *err) {
    DEFER(buf_free) struct buf keys = BUF_INIT(2 * WORKSPACE_TEXT_MAX);
    buf_printf(&keys, "%.*sdiscovery/keys", STR_ARG(w->is.issuer));
    buf_add_z(out, "{\"issuer\":");
    json_text_string(out, w->is.issuer);
    member(out, "jwks_uri", buf_str(&keys));
    buf_add_z(out, ",\"response_types_supported\":[\"token\"],\"subject_types_supported\":[\"public\"],"
                   "\"id_token_signing_alg_values_supported\":[\"RS256\"]}");
    return buf_ok(&keys) && buf_ok(out) ? OK : err_oom(err);
}

static bool audience_lawful(struct str audience) {
    for (size_t i = 0; i < audience.n; i++)
        if ((unsigned char)audience.p[i] <= 0x20 || (unsigned char)audience.p[i] >= 0x7f) return false;
    return audience.n > 0 && audience.n <= WORKSPACE_AUDIENCE_MAX;
}

/* `sub` equals `oid` for applications; `uti` makes each token another. */
static void add_claims(const struct workspace *w, struct str audience, int64_t now_s, struct buf *out) {
    DEFER(buf_free) struct buf uti = BUF_INIT(64);
    random_text(&uti, UTI_BYTES);
    buf_add_z(out, "{\"aud\":");
    json_text_string(out, audience);
    member(out, "iss", w->is.issuer);
    buf_printf(out, ",\"iat\":%lld,\"nbf\":%lld,\"exp\":%lld", (long long)now_s, (long long)now_s,
               (long long)(now_s + WORKSPACE_LIFE_S));
    member(out, "appid", w->is.client);
    member(out, "appidacr", STR("2"));
    member(out, "idtyp", STR("app"));
    member(out, "oid", w->is.principal);
    member(out, "sub", w->is.principal);
    member(out, "tid", w->is.tenant);
    member(out, "uti", buf_str(&uti));
    member(out, "ver", STR("1.0"));
    member(out, "xms_mirid", w->is.resource_id);
    buf_add_char(out, '}');
    if (!buf_ok(&uti)) out->failed = true;
}

enum code workspace_token(const struct workspace *w, struct str audience, int64_t now_s, struct buf *ret_token,
                          int64_t *ret_expires_s, char ret_fingerprint[JWT_FINGERPRINT_BYTES], struct err *err) {
    if (!audience_lawful(audience))
        return err_set(err, INVALID_ARGUMENT, "a workspace's token is for an audience of 1 to %d visible ASCII characters",
                       WORKSPACE_AUDIENCE_MAX);
    DEFER(buf_free) struct buf claims = BUF_INIT(CLAIMS_MAX);
    DEFER(buf_wipe) struct buf token = BUF_INIT(JWS_MAKE_MAX);
    add_claims(w, audience, now_s, &claims);
    if (!buf_ok(&claims)) return err_oom(err);
    enum code rc = jws_make(w->key, w->kid, "JWT", buf_str(&claims), &token, err);
    if (rc) return rc;
    buf_add_str(ret_token, buf_str(&token));
    if (!buf_ok(ret_token)) return err_oom(err);
    token_fingerprint(buf_str(&token), ret_fingerprint);
    *ret_expires_s = now_s + WORKSPACE_LIFE_S;
    return OK;
}
