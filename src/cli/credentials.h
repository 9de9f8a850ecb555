/* credentials.h: a client's proof of who it is: a Google `external_account` file, exchanged for a short access token.
 *
 * The file names where the subject token comes from (another file, or a URL) and where it is exchanged; it holds no key.
 * Tokens are kept in memory only. One thread. Not supported, and refused by name: executables, AWS, certificates, service
 * account keys, user credentials. Source: Google's external_account JSON (AIP-4117), RFC 8693. */
#pragma once
#include "base/arena.h"
#include "base/err.h"
#include "http/client.h"

enum { CREDENTIALS_MAX_HEADERS = 8, CREDENTIALS_FILE_MAX = 64 << 10, SUBJECT_TOKEN_MAX = 64 << 10 };

struct credentials_config {
    struct str audience, subject_token_type, token_url, impersonation_url;
    int64_t impersonation_life_s;
    struct str file, url; /* one of them */
    struct http_header headers[CREDENTIALS_MAX_HEADERS];
    size_t n_headers;
    struct str field; /* of a JSON answer that holds the token; empty: the text is the token */
};

/* Texts live in the arena. INVALID_ARGUMENT says what is missing or not supported. */
MUST_USE enum code credentials_parse(struct str json, struct arena *arena, struct credentials_config *ret, struct err *err);
/* What a source answered → the subject token. */
MUST_USE enum code credentials_subject(const struct credentials_config *config, struct str answer, struct arena *arena,
                                       struct str *ret, struct err *err);

struct credentials;
MUST_USE enum code credentials_open(const char *file, struct credentials **ret, struct err *err);
void credentials_free(struct credentials *credentials); /* NULL is fine; wipes the token */
/* A token with some minutes left, borrowed until the next call. Blocks when it must be renewed. */
MUST_USE enum code credentials_token(struct credentials *credentials, const struct http_client_config *client,
                                     struct str *ret, struct err *err);
