/* bridge_output.c: what of a driver's output may stand in another cloud's run history: nothing that reads like a token.
 * A help against accidents, no promise: a job that wants to tell a secret can. */
#include <string.h>
#include "dataproc/dataproc_priv.h"

enum { SHORTEST_TOKEN = 40 };

static bool is_token_char(char c) {
    return c && strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.", c);
}

/* JWS compact form ("eyJ" is `{"` in base64), and Google's opaque access tokens. */
static bool is_token(struct str word) {
    static const char *const begins[] = { "eyJ", "ya29." };
    if (word.n < SHORTEST_TOKEN) return false;
    for (size_t i = 0; i < COUNT(begins); i++)
        if (str_starts(word, str_z(begins[i]))) return true;
    return false;
}

void bridge_hide_tokens(struct str text, struct buf *out) {
    for (size_t i = 0; i < text.n;) {
        size_t end = i;
        while (end < text.n && is_token_char(text.p[end])) end++;
        struct str word = { text.p + i, end - i };
        if (is_token(word)) buf_add_z(out, "[a token]");
        else buf_add_str(out, word);
        if (end < text.n) buf_add_char(out, text.p[end++]);
        i = end;
    }
}
