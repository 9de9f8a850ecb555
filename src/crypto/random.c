#include "crypto/random.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <stdlib.h>

#include "base/enc.h"

enum { TEXT_MAX_BYTES = 64 };

void random_bytes(void *out, size_t n) {
    if (RAND_bytes_ex(NULL, out, n, 256) != 1) abort();
}

void random_text(struct buf *out, size_t n_bytes) {
    unsigned char raw[TEXT_MAX_BYTES];
    if (n_bytes > sizeof raw) abort();
    random_bytes(raw, n_bytes);
    enc_base64url(out, (struct str){ (const char *)raw, n_bytes });
    OPENSSL_cleanse(raw, sizeof raw);
}
