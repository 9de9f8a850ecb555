/* exchange_wire.h: what an outbound token exchange sends and reads, as pure functions. No sockets, no cache. Any thread.
 *
 * Two steps: a subject token of ours for a federated token (RFC 8693, Google's `POST /v1/token`), and, where the
 * configuration impersonates a service account, that for an access token (IAM Credentials v1, generateAccessToken). The
 * requests equal those of google-auth for the same `external_account` file, field by field: tests/vectors. Our name stands
 * where its own stands in x-goog-api-client.
 *
 * Errors name what the endpoint said only by codes of a closed alphabet: neither tokens nor descriptions are repeated. */
#pragma once
#include "base/arena.h"
#include "base/err.h"
#include "wire/header.h"

enum {
    EXCHANGE_FILE_MAX = 64 << 10,
    EXCHANGE_SCOPES_MAX = 16,
    EXCHANGE_TOKEN_MAX = 12288,
    EXCHANGE_REPLY_MAX = 64 << 10,
    EXCHANGE_ARENA_BYTES = 256 << 10, /* room for one exchange: requests and replies */
};

/* Where tokens come from. All texts are the owner's of the arena. */
struct exchange_config {
    struct str token_url;                    /* the STS */
    struct str audience, subject_token_type; /* as the STS wants them */
    struct str impersonation_url;            /* …/serviceAccounts/E-MAIL:generateAccessToken; empty: no second step */
    int64_t lifetime_s;                      /* of the second step's token; 0: 3600, untold in the tag */
    struct str client_id, client_secret;     /* Basic, where the STS wants it; empty: none */
    struct str subject_file;                 /* where the file says that subject tokens are; empty: we make them */
};

/* Reads an `external_account` file. What is not supported is refused by name: executables, URLs, AWS, certificates as
 * sources, workforce pools, quota projects, other universes. `allow_http`: development only. The texts are copied. */
MUST_USE enum code exchange_config_read(struct str json, bool allow_http, struct arena *arena, struct exchange_config *ret,
                                        struct err *err);

enum { EXCHANGE_HEADERS_MAX = 2 };

/* A POST that is to be sent; everything in the arena. No redirect may be followed. */
struct exchange_request {
    struct str url;
    struct str authorization; /* the whole header's value, a secret; empty: none */
    struct http_header headers[EXCHANGE_HEADERS_MAX];
    size_t n_headers;
    struct str body; /* a secret */
};

/* 1 to EXCHANGE_SCOPES_MAX scopes, in the asker's order. RESOURCE_EXHAUSTED when the arena is full. */
MUST_USE enum code exchange_sts_request(const struct exchange_config *config, const struct str *scopes, size_t n_scopes,
                                        struct str subject_token, struct arena *arena, struct exchange_request *ret,
                                        struct err *err);
MUST_USE enum code exchange_iam_request(const struct exchange_config *config, const struct str *scopes, size_t n_scopes,
                                        struct str federated_token, struct arena *arena, struct exchange_request *ret,
                                        struct err *err);

/* Status 0: there was no answer. UNAVAILABLE: the endpoint is at fault (no answer, 408, 429, 5xx, what is no token).
 * PERMISSION_DENIED: it refused us. Life is counted from when the request was sent. The token is in the arena. */
MUST_USE enum code exchange_sts_reply(unsigned status, struct str body, int64_t sent_us, struct arena *arena,
                                      struct str *ret_token, int64_t *ret_expires_us, struct err *err);
MUST_USE enum code exchange_iam_reply(unsigned status, struct str body, int64_t sent_us, struct arena *arena,
                                      struct str *ret_token, int64_t *ret_expires_us, struct err *err);
