#include "identity/jws.h"

#include "base/enc.h"
#include "data/json.h"
#include "identity/jwks.h"

enum { HEADER_DEPTH = 4, SEGMENTS = 3 };

/* Cuts at the dots: exactly two. Five parts would be a JWE. What the parts may hold, their decoding says. */
static bool cut(struct str token, struct str parts[SEGMENTS]) {
    struct str rest = token;
    for (unsigned i = 0; i < SEGMENTS - 1; i++) {
        if (str_find_char(rest, '.') < 0) return false;
        parts[i] = str_cut(&rest, '.');
    }
    parts[SEGMENTS - 1] = rest;
    return str_find_char(rest, '.') < 0;
}

/* Printable text without spaces' cousins: a kid goes into comparisons and the operator's log. */
static bool is_printable(struct str s) {
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f) return false;
    return true;
}

/* Members that bring keys, addresses or another reading of the token: refused, whatever they hold. RFC 7515 §4.1, RFC 7797.
 */
static const char *const refused_members[] = {
    "crit", "b64", "zip", "jwk", "jku", "x5u", "x5c", "enc", "epk", "p2c", "p2s"
};

static enum code optional_text(const json_t *header, const char *name, size_t max, struct arena *arena, struct str *ret,
                               struct err *err) {
    const json_t *value = json_object_get(header, name);
    if (!value) return OK;
    struct str text = json_text_of(value);
    if (!json_is_string(value) || text.n > max || !is_printable(text))
        return err_set(err, UNAUTHENTICATED, "the token's header has a bad %s", name);
    *ret = str_dup(arena, text);
    return text.n && !ret->p ? err_oom(err) : OK;
}

static enum code read_members(const json_t *header, struct arena *arena, struct jws *jws, struct err *err) {
    for (size_t i = 0; i < COUNT(refused_members); i++)
        if (json_has(header, refused_members[i]))
            return err_set(err, UNAUTHENTICATED, "the token's header has the member %s, which is not supported",
                           refused_members[i]);
    struct str alg;
    if (!json_member_str(header, "alg", &alg) || !sig_alg_from_name(alg, &jws->alg))
        return err_set(err, UNAUTHENTICATED, "the token's algorithm is missing or not allowed");
    struct str cty = STR("");
    jws->has_kid = json_has(header, "kid");
    enum code rc = optional_text(header, "kid", JWKS_MAX_KID, arena, &jws->kid, err);
    if (!rc) rc = optional_text(header, "typ", 64, arena, &jws->typ, err);
    if (!rc) rc = optional_text(header, "cty", 64, arena, &cty, err);
    if (rc) return rc;
    return cty.n ? err_set(err, UNAUTHENTICATED, "a token nested in a token is not supported") : OK;
}

static enum code read_header(struct str encoded, struct arena *arena, struct jws *jws, struct err *err) {
    struct str text;
    if (encoded.n > JWS_HEADER_MAX || !dec_base64url(arena, encoded, &text))
        return err_set(err, UNAUTHENTICATED, "the token's header is not base64url or too long");
    DEFER(json_freep) json_t *header = NULL;
    struct err why = { 0 };
    enum code rc = json_read(text, JWS_HEADER_MAX, HEADER_DEPTH, &header, &why);
    if (rc == RESOURCE_EXHAUSTED) return err_oom(err);
    if (rc || !json_is_object(header)) return err_set(err, UNAUTHENTICATED, "the token's header is not strict JSON");
    return read_members(header, arena, jws, err);
}

enum code jws_split(struct str token, struct arena *arena, struct jws *ret, struct err *err) {
    struct str parts[SEGMENTS];
    if (token.n > JWS_MAX_BYTES) return err_set(err, UNAUTHENTICATED, "the token is longer than %d bytes", JWS_MAX_BYTES);
    if (!cut(token, parts) || parts[0].n == 0 || parts[2].n == 0)
        return err_set(err, UNAUTHENTICATED, "the token is not three parts of base64url");
    struct jws jws = { .signed_part = { token.p, parts[0].n + 1 + parts[1].n } };
    enum code rc = read_header(parts[0], arena, &jws, err);
    if (rc) return rc;
    if (!dec_base64url(arena, parts[1], &jws.payload) || !dec_base64url(arena, parts[2], &jws.signature))
        return err_set(err, UNAUTHENTICATED, "the token's parts are not base64url");
    *ret = jws;
    return OK;
}
