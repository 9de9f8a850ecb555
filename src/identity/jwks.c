#include "identity/jwks.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/enc.h"
#include "crypto/hash.h"
#include "data/json.h"

struct jwks_key {
    bool has_kid, ambiguous;
    size_t kid_n;
    char kid[JWKS_MAX_KID];
    enum sig_alg alg;
    struct key *key;
};

struct jwks {
    _Atomic unsigned refs;
    uint8_t digest[SHA256_BYTES]; /* of the text */
    size_t n, n_usable;
    struct jwks_key keys[JWKS_MAX_KEYS];
};

struct jwks *jwks_ref(struct jwks *set) {
    set->refs++;
    return set;
}

struct jwks *jwks_unref(struct jwks *set) {
    if (!set || --set->refs) return NULL;
    for (size_t i = 0; i < set->n; i++) key_unref(set->keys[i].key);
    free(set);
    return NULL;
}

void jwks_unrefp(struct jwks **set) {
    jwks_unref(*set);
}

size_t jwks_count(const struct jwks *set) {
    return set->n_usable;
}

bool jwks_equal(const struct jwks *a, const struct jwks *b) {
    return memcmp(a->digest, b->digest, sizeof a->digest) == 0;
}

static bool member_bytes(const json_t *jwk, const char *name, struct arena *arena, struct str *ret) {
    struct str text;
    return json_member_str(jwk, name, &text) && dec_base64url(arena, text, ret);
}

static enum code ec_key(const json_t *jwk, struct arena *arena, struct key **ret) {
    static const struct {
        const char *name;
        enum key_kind kind;
    } curves[] = { { "P-256", KEY_P256 }, { "P-384", KEY_P384 }, { "P-521", KEY_P521 } };
    struct str crv, x, y;
    if (!json_member_str(jwk, "crv", &crv) || !member_bytes(jwk, "x", arena, &x) || !member_bytes(jwk, "y", arena, &y))
        return INVALID_ARGUMENT;
    for (size_t i = 0; i < COUNT(curves); i++)
        if (str_eq_z(crv, curves[i].name)) return key_from_ec(curves[i].kind, x, y, ret, NULL);
    return INVALID_ARGUMENT;
}

static enum code public_key(const json_t *jwk, struct arena *arena, struct key **ret) {
    struct str kty, crv, n, e, x;
    if (!json_member_str(jwk, "kty", &kty)) return INVALID_ARGUMENT;
    if (str_eq_z(kty, "RSA") && member_bytes(jwk, "n", arena, &n) && member_bytes(jwk, "e", arena, &e))
        return key_from_rsa(n, e, ret, NULL);
    if (str_eq_z(kty, "EC")) return ec_key(jwk, arena, ret);
    if (str_eq_z(kty, "OKP") && json_member_str(jwk, "crv", &crv) && str_eq_z(crv, "Ed25519") &&
        member_bytes(jwk, "x", arena, &x))
        return key_from_ed25519(x, ret, NULL);
    return INVALID_ARGUMENT;
}

/* `use` and `key_ops`, where they are, must allow what we do with the key. RFC 7517 §4.2, §4.3. */
static bool may_verify(const json_t *jwk) {
    struct str use;
    const json_t *ops = json_object_get(jwk, "key_ops");
    if (json_has(jwk, "use") && !(json_member_str(jwk, "use", &use) && (str_eq_z(use, "sig") || str_eq_z(use, "jwt-svid"))))
        return false;
    if (!ops) return true;
    for (size_t i = 0; i < json_array_size(ops); i++)
        if (str_eq_z(json_text_of(json_array_get(ops, i)), "verify")) return true;
    return false;
}

/* Shared secrets, and private keys that their owner has published. */
static bool holds_secret(const json_t *jwk) {
    static const char *const members[] = { "d", "k", "p", "q", "dp", "dq", "qi", "oth" };
    for (size_t i = 0; i < COUNT(members); i++)
        if (json_has(jwk, members[i])) return true;
    return false;
}

/* The one algorithm of this key; SIG_NONE when what it says does not fit what it is. */
static enum sig_alg alg_of(const json_t *jwk, const struct key *key) {
    struct str name;
    enum sig_alg alg;
    if (!json_has(jwk, "alg")) return sig_alg_default(key);
    if (!json_member_str(jwk, "alg", &name) || !sig_alg_from_name(name, &alg)) return SIG_NONE;
    return sig_alg_fits(alg, key) ? alg : SIG_NONE;
}

static bool set_kid(struct jwks_key *to, const json_t *jwk) {
    struct str kid;
    if (!json_has(jwk, "kid")) return true;
    if (!json_member_str(jwk, "kid", &kid) || kid.n > JWKS_MAX_KID) return false;
    to->has_kid = true;
    to->kid_n = kid.n;
    memcpy(to->kid, kid.p, kid.n);
    return true;
}

static bool read_key(const json_t *jwk, struct arena *arena, struct jwks_key *ret) {
    if (!json_is_object(jwk) || !may_verify(jwk) || holds_secret(jwk) || !set_kid(ret, jwk)) return false;
    DEFER(key_unrefp) struct key *key = NULL;
    if (public_key(jwk, arena, &key)) return false;
    ret->alg = alg_of(jwk, key);
    if (ret->alg == SIG_NONE) return false;
    ret->key = TAKE(key);
    return true;
}

static struct str kid_of(const struct jwks_key *key) {
    return (struct str){ key->kid, key->kid_n };
}

static size_t mark_ambiguous(struct jwks *set) {
    size_t n = 0;
    for (size_t i = 0; i < set->n; i++)
        for (size_t j = 0; j < set->n; j++)
            if (i != j && set->keys[i].has_kid && set->keys[j].has_kid &&
                str_eq(kid_of(&set->keys[i]), kid_of(&set->keys[j])))
                set->keys[i].ambiguous = true;
    for (size_t i = 0; i < set->n; i++) n += set->keys[i].ambiguous;
    return n;
}

static enum code fill(struct jwks *set, const json_t *keys, unsigned *ret_skipped, struct err *err) {
    DEFER(arena_freep) struct arena *arena = arena_new(JWKS_MAX_BYTES);
    if (!arena) return err_oom(err);
    unsigned skipped = 0;
    for (size_t i = 0; i < json_array_size(keys); i++) {
        set->keys[set->n] = (struct jwks_key){ 0 };
        if (read_key(json_array_get(keys, i), arena, &set->keys[set->n])) set->n++;
        else skipped++;
    }
    size_t ambiguous = mark_ambiguous(set);
    set->n_usable = set->n - ambiguous;
    if (ret_skipped) *ret_skipped = skipped + (unsigned)ambiguous;
    return OK;
}

enum code jwks_parse(struct str json, struct jwks **ret_set, unsigned *ret_skipped, struct err *err) {
    DEFER(json_freep) json_t *root = NULL;
    enum code rc = json_read(json, JWKS_MAX_BYTES, 0, &root, err);
    if (rc) return rc;
    const json_t *keys = json_object_get(root, "keys");
    if (!json_is_array(keys)) return err_set(err, INVALID_ARGUMENT, "not a key set: it has no list of keys");
    if (json_array_size(keys) > JWKS_MAX_KEYS)
        return err_set(err, INVALID_ARGUMENT, "the key set holds more than %d keys", JWKS_MAX_KEYS);
    DEFER(jwks_unrefp) struct jwks *set = calloc(1, sizeof *set);
    if (!set) return err_oom(err);
    set->refs = 1;
    hash_sha256(json, set->digest);
    rc = fill(set, keys, ret_skipped, err);
    if (rc) return rc;
    *ret_set = TAKE(set);
    return OK;
}

static bool usable(const struct jwks_key *key, enum sig_alg alg) {
    return key->alg == alg && !key->ambiguous;
}

static const struct jwks_key *only_one(const struct jwks *set, enum sig_alg alg) {
    const struct jwks_key *found = NULL;
    for (size_t i = 0; i < set->n; i++) {
        if (!usable(&set->keys[i], alg)) continue;
        if (found) return NULL;
        found = &set->keys[i];
    }
    return found;
}

const struct jwks_key *jwks_find(const struct jwks *set, bool has_kid, struct str kid, enum sig_alg alg) {
    if (!has_kid) return only_one(set, alg);
    for (size_t i = 0; i < set->n; i++)
        if (set->keys[i].has_kid && usable(&set->keys[i], alg) && str_eq(kid_of(&set->keys[i]), kid)) return &set->keys[i];
    return NULL;
}

bool jwks_key_verify(const struct jwks_key *key, struct str message, struct str signature) {
    return key && sign_verify(key->key, key->alg, message, signature);
}
