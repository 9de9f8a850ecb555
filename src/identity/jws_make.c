#include "identity/jws_make.h"

#include <string.h>

#include "base/enc.h"
#include "crypto/sign.h"

enum { HEADER_MAX = 256, JWK_MAX = 4096 };

enum code jws_kid(const struct key *key, char ret_kid[JWS_KID_MAX + 1], struct err *err) {
    DEFER(buf_free) struct buf kid = BUF_INIT(JWS_KID_MAX);
    enum code rc = key_thumbprint(key, &kid, err);
    if (rc) return rc;
    memcpy(ret_kid, kid.p, kid.n);
    ret_kid[kid.n] = '\0';
    return OK;
}

enum code jws_key_set(const struct key *key, const char *kid, bool with_alg, struct buf *out, struct err *err) {
    DEFER(buf_free) struct buf jwk = BUF_INIT(JWK_MAX);
    enum code rc = key_public_jwk(key, &jwk, err);
    if (rc) return rc;
    buf_add_z(out, "{\"keys\":[{");
    if (with_alg) buf_printf(out, "\"alg\":\"%s\",", sig_alg_name(sig_alg_default(key)));
    buf_printf(out, "\"kid\":\"%s\",\"use\":\"sig\",", kid);
    buf_add_str(out, str_from(buf_str(&jwk), 1));
    buf_add_z(out, "]}");
    return buf_ok(out) ? OK : err_oom(err);
}

enum code jws_make(const struct key *key, const char *kid, const char *typ, struct str claims, struct buf *out,
                   struct err *err) {
    DEFER(buf_free) struct buf header = BUF_INIT(HEADER_MAX);
    DEFER(buf_wipe) struct buf token = BUF_INIT(JWS_MAKE_MAX);
    enum sig_alg alg = sig_alg_default(key);
    buf_printf(&header, "{\"alg\":\"%s\",\"kid\":\"%s\",\"typ\":\"%s\"}", sig_alg_name(alg), kid, typ);
    enc_base64url(&token, buf_str(&header));
    buf_add_char(&token, '.');
    enc_base64url(&token, claims);
    if (!buf_ok(&header)) return err_oom(err);
    if (!buf_ok(&token)) return err_set(err, RESOURCE_EXHAUSTED, "the token would be too long");
    uint8_t signature[SIGNATURE_MAX];
    size_t n;
    enum code rc = sign_make(key, alg, buf_str(&token), signature, &n, err);
    if (rc) return rc;
    buf_add_char(&token, '.');
    enc_base64url(&token, (struct str){ (const char *)signature, n });
    if (!buf_ok(&token)) return err_set(err, RESOURCE_EXHAUSTED, "the token would be too long");
    buf_add_str(out, buf_str(&token));
    return buf_ok(out) ? OK : err_oom(err);
}
