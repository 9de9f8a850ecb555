/* key_priv.h: what a key is, for crypto/ alone. */
#pragma once
#include <openssl/evp.h>
#include <stdatomic.h>

#include "crypto/key.h"

struct key {
    _Atomic unsigned refs;
    enum key_kind kind;
    bool is_private;
    EVP_PKEY *pkey;
    /* By algorithm: a context ready to verify, made at its first use and copied for each (a fifth of an RSA verification is
     * the making). Behind a pointer, so that a const key can have it. */
    EVP_PKEY_CTX *_Atomic *prepared;
};

enum { KEY_PREPARED_MAX = 16 };

/* Takes the EVP_PKEY over, on failure too. INVALID_ARGUMENT when it is none of our kinds. */
MUST_USE enum code key_wrap(EVP_PKEY *pkey, bool is_private, struct key **ret, struct err *err);
size_t key_field_bytes(enum key_kind kind); /* 32, 48, 66; 0 for others */
/* "what: OpenSSL's reason", and clears OpenSSL's queue of errors. */
enum code key_openssl_err(struct err *err, enum code code, const char *what);
