#include "crypto/hash.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/attr.h"
#include "crypto/evp.h"

enum { HMAC_BLOCK = 64 };

/* Written once under pthread_once, read only afterwards. */
static EVP_MD *md256, *md384, *md512;
static EVP_CIPHER *gcm256;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void drop(void) {
    EVP_MD_free(md256);
    EVP_MD_free(md384);
    EVP_MD_free(md512);
    EVP_CIPHER_free(gcm256);
}

static void fetch(void) {
    md256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    md384 = EVP_MD_fetch(NULL, "SHA384", NULL);
    md512 = EVP_MD_fetch(NULL, "SHA512", NULL);
    gcm256 = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
    if (!md256 || !md384 || !md512 || !gcm256) abort();
    (void)OPENSSL_atexit(drop);
}

const EVP_MD *evp_sha2(unsigned bits) {
    (void)pthread_once(&once, fetch);
    return bits == 512 ? md512 : bits == 384 ? md384 : md256;
}

const EVP_CIPHER *evp_aes256_gcm(void) {
    (void)pthread_once(&once, fetch);
    return gcm256;
}

static void must(int ok) {
    if (ok != 1) abort();
}

static size_t digest(const EVP_MD *md, const struct str *parts, unsigned n, uint8_t *out) {
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    must(ctx != NULL);
    must(EVP_DigestInit_ex2(ctx, md, NULL));
    for (unsigned i = 0; i < n; i++) must(EVP_DigestUpdate(ctx, parts[i].p, parts[i].n));
    unsigned len = 0;
    must(EVP_DigestFinal_ex(ctx, out, &len));
    EVP_MD_CTX_free(ctx);
    return len;
}

void hash_sha256(struct str bytes, uint8_t ret_digest[SHA256_BYTES]) {
    digest(evp_sha2(256), &bytes, 1, ret_digest);
}

void hash_sha256_2(struct str first, struct str second, uint8_t ret_digest[SHA256_BYTES]) {
    const struct str parts[] = { first, second };
    digest(evp_sha2(256), parts, 2, ret_digest);
}

void hash_sha256_n(const struct str *parts, unsigned n, uint8_t ret_digest[SHA256_BYTES]) {
    digest(evp_sha2(256), parts, n, ret_digest);
}

size_t hash_sha2(unsigned bits, struct str bytes, uint8_t ret_digest[HASH_MAX_BYTES]) {
    return digest(evp_sha2(bits), &bytes, 1, ret_digest);
}

/* RFC 2104 written out: two digests, no context of OpenSSL's to keep. */
void hash_hmac_sha256(struct str key, struct str bytes, uint8_t ret_mac[SHA256_BYTES]) {
    uint8_t inner[HMAC_BLOCK] = { 0 }, outer[HMAC_BLOCK];
    if (key.n > HMAC_BLOCK) hash_sha256(key, inner);
    else if (key.n) memcpy(inner, key.p, key.n);
    for (unsigned i = 0; i < HMAC_BLOCK; i++) {
        outer[i] = inner[i] ^ 0x5c;
        inner[i] ^= 0x36;
    }
    uint8_t mid[SHA256_BYTES];
    hash_sha256_2((struct str){ (const char *)inner, sizeof inner }, bytes, mid);
    hash_sha256_2((struct str){ (const char *)outer, sizeof outer }, (struct str){ (const char *)mid, sizeof mid },
                  ret_mac);
    OPENSSL_cleanse(inner, sizeof inner);
    OPENSSL_cleanse(outer, sizeof outer);
}

struct hash {
    EVP_MD_CTX *ctx;
};

struct hash *hash_new(void) {
    struct hash *h = calloc(1, sizeof *h);
    must(h != NULL);
    h->ctx = EVP_MD_CTX_new();
    must(h->ctx != NULL);
    must(EVP_DigestInit_ex2(h->ctx, evp_sha2(256), NULL));
    return h;
}

void hash_add(struct hash *h, struct str bytes) {
    must(EVP_DigestUpdate(h->ctx, bytes.p, bytes.n));
}

void hash_end(struct hash *h, uint8_t ret_digest[SHA256_BYTES]) {
    must(EVP_DigestFinal_ex(h->ctx, ret_digest, NULL));
    must(EVP_DigestInit_ex2(h->ctx, evp_sha2(256), NULL));
}

void hash_free(struct hash *h) {
    if (!h) return;
    EVP_MD_CTX_free(h->ctx);
    free(h);
}

void hash_freep(struct hash **h) {
    hash_free(*h);
}
