#include "audit/note.h"
#include <inttypes.h>
#include <string.h>
#include "base/clock.h"
#include "base/enc.h"
#include "crypto/hash.h"
#include "crypto/sign.h"

enum { KEY_HASH = 4, SIGNATURE = 64, ALG_ED25519 = 1 };
#define SIGNATURE_MARK "\xe2\x80\x94 " /* an em dash and a space */

bool note_origin_valid(struct str origin) {
    if (origin.n == 0 || origin.n > ORIGIN_MAX) return false;
    for (size_t i = 0; i < origin.n; i++)
        if (origin.p[i] <= ' ' || origin.p[i] > '~' || origin.p[i] == '+') return false;
    return true;
}

/* SHA-256(name ‖ '\n' ‖ algorithm ‖ public key), first four bytes. Also gives algorithm ‖ public key. */
static enum code key_hash(struct str origin, const struct key *key, uint8_t ret_hash[KEY_HASH], uint8_t ret_public[33],
                          struct err *err) {
    ret_public[0] = ALG_ED25519;
    enum code rc = key_ed25519_public(key, ret_public + 1, err);
    if (rc) return rc;
    uint8_t text[ORIGIN_MAX + 1 + 33], digest[SHA256_BYTES];
    if (!note_origin_valid(origin)) return err_set(err, INVALID_ARGUMENT, "the audit log's origin is not a valid name");
    memcpy(text, origin.p, origin.n);
    text[origin.n] = '\n';
    memcpy(text + origin.n + 1, ret_public, 33);
    hash_sha256((struct str){ (const char *)text, origin.n + 1 + 33 }, digest);
    memcpy(ret_hash, digest, KEY_HASH);
    return OK;
}

enum code note_verifier_key(struct str origin, const struct key *key, struct buf *out, struct err *err) {
    uint8_t hash[KEY_HASH], public[33];
    enum code rc = key_hash(origin, key, hash, public, err);
    if (rc) return rc;
    buf_add_str(out, origin);
    buf_add_char(out, '+');
    enc_hex(out, (struct str){ (const char *)hash, sizeof hash });
    buf_add_char(out, '+');
    enc_base64(out, (struct str){ (const char *)public, sizeof public });
    return buf_ok(out) ? OK : err_oom(err);
}

static void add_text(struct buf *out, struct str origin, uint64_t size, const struct tree_hash *root, int64_t time_us) {
    char when[CLOCK_RFC3339_MAX];
    size_t n = clock_rfc3339(time_us, when);
    buf_add_str(out, origin);
    buf_printf(out, "\n%" PRIu64 "\n", size);
    enc_base64(out, (struct str){ (const char *)root->b, sizeof root->b });
    buf_printf(out, "\ntime %.*s\n", (int)n, when);
}

enum code note_sign(struct str origin, uint64_t size, const struct tree_hash *root, int64_t time_us, const struct key *key,
                    struct buf *out, struct err *err) {
    uint8_t hash[KEY_HASH], public[33], signature[SIGNATURE_MAX], line[KEY_HASH + SIGNATURE];
    enum code rc = key_hash(origin, key, hash, public, err);
    if (rc) return rc;
    size_t start = out->n, n = 0;
    add_text(out, origin, size, root, time_us);
    if (!buf_ok(out)) return err_oom(err);
    rc = sign_make(key, SIG_EDDSA, str_from(buf_str(out), start), signature, &n, err);
    if (rc) return rc;
    if (n != SIGNATURE) return err_set(err, INTERNAL, "an Ed25519 signature of a wrong length");
    memcpy(line, hash, KEY_HASH);
    memcpy(line + KEY_HASH, signature, SIGNATURE);
    buf_add_z(out, "\n" SIGNATURE_MARK);
    buf_add_str(out, origin);
    buf_add_char(out, ' ');
    enc_base64(out, (struct str){ (const char *)line, sizeof line });
    buf_add_char(out, '\n');
    return buf_ok(out) ? OK : err_oom(err);
}

struct note {
    struct str text;                    /* what is signed, with its last newline */
    uint8_t line[KEY_HASH + SIGNATURE]; /* the signature line's bytes */
    struct checkpoint checkpoint;
};

/* Base64 of exactly n bytes, canonical. */
static bool take_base64(struct str text, void *out, size_t n) {
    DEFER(arena_freep) struct arena *arena = arena_new(1024);
    struct str bytes;
    if (!arena || !dec_base64(arena, text, &bytes) || bytes.n != n) return false;
    memcpy(out, bytes.p, n);
    return true;
}

static bool take_time(struct str line, int64_t *ret_us) {
    int64_t seconds;
    int32_t nanos;
    char again[CLOCK_RFC3339_MAX];
    if (!str_strip_prefix(&line, STR("time ")) || !clock_parse_rfc3339(line, &seconds, &nanos)) return false;
    if (seconds < 0 || seconds > INT64_MAX / 2000000) return false;
    *ret_us = seconds * 1000000 + nanos / 1000;
    return str_eq((struct str){ again, clock_rfc3339(*ret_us, again) }, line);
}

static bool take_number(struct str line, uint64_t *ret) {
    return str_u64(line, ret) && (line.n == 1 || line.p[0] != '0') && *ret < UINT64_C(1) << 62;
}

static bool take_text(struct str text, struct checkpoint *ret) {
    struct str origin = str_cut(&text, '\n'), size = str_cut(&text, '\n'), root = str_cut(&text, '\n');
    if (!note_origin_valid(origin) || !take_number(size, &ret->size)) return false;
    memcpy(ret->origin, origin.p, origin.n);
    ret->origin[origin.n] = '\0';
    if (!take_base64(root, ret->root.b, TREE_HASH)) return false;
    struct str time = str_cut(&text, '\n');
    return text.n == 0 && take_time(time, &ret->time_us);
}

static bool take_note(struct str note, struct note *ret) {
    ptrdiff_t gap = str_find(note, STR("\n\n"));
    if (gap < 0 || note.n > NOTE_MAX) return false;
    ret->text = str_upto(note, (size_t)gap + 1);
    struct str line = str_from(note, (size_t)gap + 2);
    if (!take_text(ret->text, &ret->checkpoint)) return false;
    if (!str_strip_prefix(&line, STR(SIGNATURE_MARK)) || !str_strip_suffix(&line, STR("\n"))) return false;
    struct str name = str_cut(&line, ' ');
    return str_eq_z(name, ret->checkpoint.origin) && take_base64(line, ret->line, sizeof ret->line);
}

enum code note_parse(struct str text, struct checkpoint *ret, struct err *err) {
    struct note note = { 0 };
    if (!take_note(text, &note)) return err_set(err, INVALID_ARGUMENT, "not a signed checkpoint");
    *ret = note.checkpoint;
    return OK;
}

enum code note_open(struct str text, const struct key *key, struct checkpoint *ret, struct err *err) {
    struct note note = { 0 };
    if (!take_note(text, &note)) return err_set(err, DATA_LOSS, "not a signed checkpoint");
    uint8_t hash[KEY_HASH], public[33];
    enum code rc = key_hash(str_z(note.checkpoint.origin), key, hash, public, err);
    if (rc) return rc;
    struct str signature = { (const char *)note.line + KEY_HASH, SIGNATURE };
    if (memcmp(hash, note.line, KEY_HASH) != 0) return err_set(err, DATA_LOSS, "the checkpoint was signed by another key");
    if (!sign_verify(key, SIG_EDDSA, note.text, signature))
        return err_set(err, DATA_LOSS, "the checkpoint's signature does not verify");
    *ret = note.checkpoint;
    return OK;
}
