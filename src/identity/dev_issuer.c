#include "identity/dev_issuer.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json_text.h"
#include "crypto/random.h"
#include "identity/form.h"
#include "identity/jws_make.h"

enum { BASE_MAX = 256, PAYLOAD_MAX = 8 << 10, LIFE_S = 3600, LIFE_MAX_S = 86400, TEXT_MAX = 255 };

struct dev_issuer {
    struct key *key;
    char base[BASE_MAX + 1], kid[JWS_KID_MAX + 1];
};

enum code dev_issuer_new(struct str base, struct key *given, struct dev_issuer **ret, struct err *err) {
    if (base.n == 0 || base.n > BASE_MAX)
        return err_set(err, INVALID_ARGUMENT, "the development issuer's address has 1 to 256 bytes");
    if (given && (key_kind(given) != KEY_RSA || !key_is_private(given)))
        return err_set(err, INVALID_ARGUMENT, "the development issuer signs with a private RSA key");
    DEFER(key_unrefp) struct key *key = given ? key_ref(given) : NULL;
    char kid[JWS_KID_MAX + 1];
    enum code rc = key ? OK : key_generate(KEY_RSA, &key, err);
    if (!rc) rc = jws_kid(key, kid, err);
    if (rc) return rc;
    struct dev_issuer *dev = calloc(1, sizeof *dev);
    if (!dev) return err_oom(err);
    memcpy(dev->base, base.p, base.n);
    memcpy(dev->kid, kid, sizeof kid);
    dev->key = TAKE(key);
    *ret = dev;
    return OK;
}

void dev_issuer_free(struct dev_issuer *dev) {
    if (!dev) return;
    key_unref(dev->key);
    free(dev);
}

enum code dev_issuer_jwks(const struct dev_issuer *dev, struct buf *out, struct err *err) {
    return jws_key_set(dev->key, dev->kid, false, out, err); /* without `alg`, as Entra publishes its keys */
}

enum code dev_issuer_discovery(const struct dev_issuer *dev, struct buf *out, struct err *err) {
    buf_add_z(out, "{\"issuer\":");
    json_text_string(out, str_z(dev->base));
    buf_printf(
        out,
        ",\"jwks_uri\":\"%s/keys\",\"response_types_supported\":[\"id_token\"],\"subject_types_supported\":[\"public\"],"
        "\"id_token_signing_alg_values_supported\":[\"RS256\"]}",
        dev->base);
    return buf_ok(out) ? OK : err_oom(err);
}

void dev_issuer_iss(const struct dev_issuer *dev, const struct dev_ask *ask, struct buf *out) {
    switch (ask->shape) {
    case DEV_ENTRA_V1: buf_printf(out, "https://sts.windows.net/%.*s/", STR_ARG(ask->tenant)); return;
    case DEV_ENTRA_V2: buf_printf(out, "https://login.microsoftonline.com/%.*s/v2.0", STR_ARG(ask->tenant)); return;
    case DEV_GOOGLE: buf_add_z(out, "https://accounts.google.com"); return;
    case DEV_KUBERNETES:
    case DEV_PLAIN: buf_add_z(out, dev->base); return;
    }
}

static void member(struct buf *out, const char *name, struct str value) {
    buf_printf(out, ",\"%s\":", name);
    json_text_string(out, value);
}

static void add_groups(struct buf *out, struct str groups) {
    if (groups.n == 0) return;
    buf_add_z(out, ",\"groups\":[");
    for (bool first = true; groups.n; first = false) {
        if (!first) buf_add_char(out, ',');
        json_text_string(out, str_cut(&groups, ','));
    }
    buf_add_char(out, ']');
}

/* A managed identity's token: facts of docs/identity.md. `sub` equals `oid` for applications. */
static void add_entra(struct buf *out, const struct dev_ask *ask) {
    bool v1 = ask->shape == DEV_ENTRA_V1;
    member(out, "aud", ask->audience);
    member(out, "tid", ask->tenant);
    member(out, "oid", ask->subject);
    member(out, "sub", ask->subject);
    member(out, v1 ? "appid" : "azp", ask->subject);
    member(out, v1 ? "appidacr" : "azpacr", STR("2"));
    member(out, "idtyp", STR("app"));
    member(out, "ver", v1 ? STR("1.0") : STR("2.0"));
    DEFER(buf_free) struct buf uti = BUF_INIT(64);
    random_text(&uti, 16);
    member(out, "uti", buf_str(&uti));
}

static void add_kubernetes(struct buf *out, const struct dev_ask *ask) {
    struct str account = ask->subject, namespace = str_cut(&account, ':');
    buf_add_z(out, ",\"aud\":[");
    json_text_string(out, ask->audience);
    buf_add_z(out, "],\"kubernetes.io\":{\"namespace\":");
    json_text_string(out, namespace);
    buf_add_z(out, ",\"serviceaccount\":{\"name\":");
    json_text_string(out, account);
    buf_add_z(out, ",\"uid\":\"00000000-0000-4000-8000-000000000001\"}}");
    DEFER(buf_free) struct buf sub = BUF_INIT(600);
    buf_printf(&sub, "system:serviceaccount:%.*s:%.*s", STR_ARG(namespace), STR_ARG(account));
    member(out, "sub", buf_str(&sub));
}

static void add_plain(struct buf *out, const struct dev_ask *ask) {
    member(out, "aud", ask->audience);
    member(out, "sub", ask->subject);
    if (ask->shape != DEV_GOOGLE) return;
    member(out, "azp", ask->subject);
    member(out, "email", ask->subject);
    buf_add_z(out, ",\"email_verified\":true");
}

static void payload(const struct dev_issuer *dev, const struct dev_ask *ask, struct buf *out) {
    DEFER(buf_free) struct buf iss = BUF_INIT(1024);
    int64_t life = ask->life_s > 0 ? ask->life_s : LIFE_S;
    dev_issuer_iss(dev, ask, &iss);
    buf_add_z(out, "{\"iss\":");
    json_text_string(out, buf_str(&iss));
    buf_printf(out, ",\"iat\":%lld,\"nbf\":%lld,\"exp\":%lld", (long long)ask->now_s, (long long)ask->now_s,
               (long long)(ask->now_s + life));
    if (ask->shape == DEV_ENTRA_V1 || ask->shape == DEV_ENTRA_V2) add_entra(out, ask);
    else if (ask->shape == DEV_KUBERNETES) add_kubernetes(out, ask);
    else add_plain(out, ask);
    add_groups(out, ask->groups);
    buf_add_char(out, '}');
}

enum code dev_issuer_token(const struct dev_issuer *dev, const struct dev_ask *ask, struct buf *out, struct err *err) {
    if (ask->life_s > LIFE_MAX_S) return err_set(err, INVALID_ARGUMENT, "a development token lives a day at most");
    DEFER(buf_free) struct buf claims = BUF_INIT(PAYLOAD_MAX);
    payload(dev, ask, &claims);
    return buf_ok(&claims) ? jws_make(dev->key, dev->kid, "JWT", buf_str(&claims), out, err) : err_oom(err);
}

static bool shape_of(struct str name, enum dev_shape *ret) {
    static const struct {
        const char *name;
        enum dev_shape shape;
    } shapes[] = { { "entra", DEV_ENTRA_V2 }, { "entra-v1", DEV_ENTRA_V1 },     { "entra-v2", DEV_ENTRA_V2 },
                   { "google", DEV_GOOGLE },  { "kubernetes", DEV_KUBERNETES }, { "plain", DEV_PLAIN } };
    for (size_t i = 0; i < COUNT(shapes); i++) {
        if (!str_eq_z(name, shapes[i].name)) continue;
        *ret = shapes[i].shape;
        return true;
    }
    return false;
}

enum code dev_issuer_parse(struct str query, struct arena *arena, struct dev_ask *ret, struct err *err) {
    static const char *const known[] = { "shape", "tenant", "sub", "aud", "groups", "life", NULL };
    struct form form;
    struct str shape = STR("plain"), life = STR("3600");
    struct dev_ask ask = { .now_s = clock_wall_s() };
    if (!form_parse(query, arena, &form))
        return err_set(err, INVALID_ARGUMENT, "the query cannot be read, or holds a name twice");
    struct str other = form_unknown(&form, known);
    if (other.p) return err_set(err, INVALID_ARGUMENT, "no such parameter: %.*s", STR_ARG(str_upto(other, 64)));
    (void)form_get(&form, "shape", &shape);
    (void)form_get(&form, "tenant", &ask.tenant);
    (void)form_get(&form, "sub", &ask.subject);
    (void)form_get(&form, "aud", &ask.audience);
    (void)form_get(&form, "groups", &ask.groups);
    (void)form_get(&form, "life", &life);
    if (!shape_of(shape, &ask.shape))
        return err_set(err, INVALID_ARGUMENT, "shape is entra, entra-v1, google, kubernetes or plain");
    if (ask.subject.n == 0 || ask.subject.n > TEXT_MAX || ask.audience.n == 0 || ask.audience.n > TEXT_MAX ||
        ask.tenant.n > TEXT_MAX)
        return err_set(err, INVALID_ARGUMENT, "sub and aud are needed, each at most 255 bytes");
    if (!str_i64(life, &ask.life_s) || ask.life_s < 1 || ask.life_s > LIFE_MAX_S)
        return err_set(err, INVALID_ARGUMENT, "life is 1 to 86400 seconds");
    *ret = ask;
    return OK;
}
