/* refused.h: a token that its issuer did sign, and that was not accepted all the same: expired, revoked, for another
 * audience. So it is known whose it is, though nothing else that it says counts. Plain data; text is cut to fit. */
#pragma once

enum { REFUSED_ISSUER_BYTES = 65, REFUSED_SUBJECT_BYTES = 257, REFUSED_TOKENS_MAX = 4 };

struct refused_token {
    char id[33];                       /* its fingerprint, as principal.token_id; "" = there is none to tell of */
    char issuer[REFUSED_ISSUER_BYTES]; /* as the configuration names it; "": our own, of an account */
    char subject[REFUSED_SUBJECT_BYTES];
};
