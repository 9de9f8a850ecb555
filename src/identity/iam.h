/* iam.h: IAM Credentials v1, as pure functions: generateAccessToken and generateIdToken for service accounts. Any thread.
 *
 * Whether the caller may act as the account is the caller's question to policy: a callback. Refused by name: delegates,
 * signBlob, signJwt, lifetimes beyond an hour. */
#pragma once
#include "identity/sts.h"

enum iam_method { IAM_GENERATE_ACCESS_TOKEN, IAM_GENERATE_ID_TOKEN, IAM_SIGN_BLOB, IAM_SIGN_JWT };
enum { IAM_BODY_MAX = 16 << 10, IAM_EMAIL_MAX = 200 };

/* POST /v1/projects/-/serviceAccounts/{email}:{method}. False: no such path. */
bool iam_route(struct str path, enum iam_method *ret_method, struct str *ret_email);

struct iam {
    const struct mint *mint;
    int64_t now_s;
    void *ctx;
    /* REASON_NONE when the principal may act as this account. */
    enum reason (*may_act_as)(void *ctx, const struct principal *principal, struct str account);
};

/* `caller` is who asks, proved by a token or an endpoint. The minted token ends with the caller's proof at the latest. */
void iam_answer(const struct iam *iam, enum iam_method method, struct str email, struct str body,
                const struct principal *caller, struct arena *arena, struct answer *ret_answer);
