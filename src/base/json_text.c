#include "base/json_text.h"
#include "base/enc.h"

static const char *short_escape(uint32_t c) {
    switch (c) {
    case '"': return "\\\"";
    case '\\': return "\\\\";
    case '\n': return "\\n";
    case '\r': return "\\r";
    case '\t': return "\\t";
    default: return NULL;
    }
}

/* How many bytes from the start need no second look: they go out in one piece. */
static size_t plain_ascii(struct str s) {
    size_t n = 0;
    for (; n < s.n; n++) {
        const char c = s.p[n];
        if (c < 0x20 || c > 0x7e || c == '"' || c == '\\' || c == '<' || c == '>') break;
    }
    return n;
}

void json_text_string(struct buf *out, struct str s) {
    buf_add_char(out, '"');
    while (s.n) {
        const size_t plain = plain_ascii(s);
        buf_add(out, s.p, plain);
        s = str_from(s, plain);
        if (!s.n) break;
        struct str before = s;
        uint32_t c;
        if (!utf8_next(&s, &c)) {
            buf_add_z(out, "\xef\xbf\xbd");
            s = str_from(before, 1);
            continue;
        }
        const char *escape = short_escape(c);
        if (escape) buf_add_z(out, escape);
        else if (c < 0x20 || (c >= 0x7f && c < 0xa0) || c == '<' || c == '>' || c == 0x2028 || c == 0x2029)
            buf_printf(out, "\\u%04x", (unsigned)c);
        else buf_add(out, before.p, before.n - s.n);
    }
    buf_add_char(out, '"');
}
