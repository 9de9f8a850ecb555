#include "wire/trace.h"
#include <stdio.h>

/* ---- traceparent ---- */

static bool is_lower_hex(struct str s) {
    for (size_t i = 0; i < s.n; i++)
        if (!((s.p[i] >= '0' && s.p[i] <= '9') || (s.p[i] >= 'a' && s.p[i] <= 'f'))) return false;
    return true;
}

static bool is_zero(struct str s) {
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] != '0') return false;
    return true;
}

static unsigned digit(char c) {
    return (unsigned)(c <= '9' ? c - '0' : c - 'a' + 10);
}

bool trace_parent_parse(struct str value, struct trace_parent *ret) {
    if (value.n != TRACE_PARENT_LENGTH || !str_starts(value, STR("00-"))) return false;
    struct str id = { value.p + 3, TRACE_ID_LENGTH }, span = { value.p + 36, TRACE_SPAN_LENGTH },
               flags = { value.p + 53, 2 };
    if (value.p[35] != '-' || value.p[52] != '-') return false;
    if (!is_lower_hex(id) || !is_lower_hex(span) || !is_lower_hex(flags) || is_zero(id) || is_zero(span)) return false;
    *ret = (struct trace_parent){ id, span, (digit(flags.p[1]) & 1) != 0 }; /* version 00 knows no other flag */
    return true;
}

void trace_parent_print(const struct trace_parent *p, char out[TRACE_PARENT_LENGTH + 1]) {
    (void)snprintf(out, TRACE_PARENT_LENGTH + 1, "00-%.*s-%.*s-%s", TRACE_ID_LENGTH, p->trace_id.p, TRACE_SPAN_LENGTH,
                   p->span_id.p, p->sampled ? "01" : "00");
}

/* ---- tracestate ---- */

enum { SIMPLE_KEY_MAX = 256, TENANT_MAX = 241, SYSTEM_MAX = 14, VALUE_MAX = 256 };

static bool is_lower(char c) {
    return c >= 'a' && c <= 'z';
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static bool is_key_part(struct str s, size_t max, bool digit_first) {
    if (s.n == 0 || s.n > max || !(is_lower(s.p[0]) || (digit_first && is_digit(s.p[0])))) return false;
    for (size_t i = 1; i < s.n; i++) {
        char c = s.p[i];
        if (!is_lower(c) && !is_digit(c) && c != '_' && c != '-' && c != '*' && c != '/') return false;
    }
    return true;
}

static bool is_key(struct str key) {
    ptrdiff_t at = str_find_char(key, '@');
    if (at < 0) return is_key_part(key, SIMPLE_KEY_MAX, false);
    return is_key_part(str_upto(key, (size_t)at), TENANT_MAX, true) &&
           is_key_part(str_from(key, (size_t)at + 1), SYSTEM_MAX, false);
}

static bool is_value(struct str value) {
    if (value.n == 0 || value.n > VALUE_MAX || value.p[value.n - 1] == ' ') return false;
    for (size_t i = 0; i < value.n; i++)
        if (value.p[i] < 0x20 || value.p[i] > 0x7e || value.p[i] == '=') return false; /* commas were cut at */
    return true;
}

static bool is_among(const struct str *keys, size_t n, struct str key) {
    for (size_t i = 0; i < n; i++)
        if (str_eq(keys[i], key)) return true;
    return false;
}

/* Optional white space of HTTP. */
static struct str trim(struct str s) {
    while (s.n && (s.p[0] == ' ' || s.p[0] == '\t')) s = str_from(s, 1);
    while (s.n && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t')) s.n--;
    return s;
}

bool trace_state_ok(struct str value) {
    struct str keys[TRACE_STATE_MEMBERS];
    size_t n = 0, members = 0;
    if (value.n == 0 || value.n > TRACE_STATE_MAX) return false;
    while (value.n) {
        struct str member = trim(str_cut(&value, ','));
        if (++members > TRACE_STATE_MEMBERS) return false;
        if (member.n == 0) continue; /* empty members are lawful, and counted */
        ptrdiff_t equals = str_find_char(member, '=');
        if (equals < 0) return false;
        struct str key = str_upto(member, (size_t)equals);
        if (!is_key(key) || !is_value(str_from(member, (size_t)equals + 1)) || is_among(keys, n, key)) return false;
        keys[n++] = key;
    }
    return n > 0;
}
