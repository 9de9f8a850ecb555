/* bridge_output.c: what of a driver's output may stand in another cloud's run history: nothing that reads like a token.
 * A help against accidents, no promise: a job that wants to tell a secret can. */
#include <string.h>
#include "dataproc/dataproc_priv.h"

enum { SHORTEST_TOKEN = 40 };

static bool is_token_char(char c) {
    return c && strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.", c);
}

/* Where a token begins in a run of such characters, or -1: JWS compact form ("eyJ" is `{"` in base64), and Google's opaque
 * access tokens; also when something stands right before it. */
static ptrdiff_t find_token(struct str word) {
    static const char *const begins[] = { "eyJ", "ya29." };
    ptrdiff_t first = -1;
    for (size_t i = 0; i < COUNT(begins); i++) {
        ptrdiff_t at = str_find(word, str_z(begins[i]));
        if (at >= 0 && word.n - (size_t)at >= SHORTEST_TOKEN && (first < 0 || at < first)) first = at;
    }
    return first;
}

void bridge_hide_tokens(struct str text, struct buf *out) {
    for (size_t i = 0; i < text.n;) {
        size_t end = i;
        while (end < text.n && is_token_char(text.p[end])) end++;
        struct str word = { text.p + i, end - i };
        ptrdiff_t token = find_token(word);
        buf_add_str(out, token < 0 ? word : str_upto(word, (size_t)token));
        if (token >= 0) buf_add_z(out, "[a token]");
        if (end < text.n) buf_add_char(out, text.p[end++]);
        i = end;
    }
}
