#include "wire/header.h"

static bool is_token_char(unsigned char c) {
    static const char others[] = "!#$%&'*+-.^_`|~";
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')) return true;
    for (size_t i = 0; i < sizeof others - 1; i++)
        if ((unsigned char)others[i] == c) return true;
    return false;
}

bool http_is_token(struct str s) {
    for (size_t i = 0; i < s.n; i++)
        if (!is_token_char((unsigned char)s.p[i])) return false;
    return s.n > 0;
}

static bool is_blank(char c) {
    return c == ' ' || c == '\t';
}

bool http_is_field_value(struct str s) {
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f) return false;
    }
    return s.n == 0 || (!is_blank(s.p[0]) && !is_blank(s.p[s.n - 1]));
}

const struct http_header *http_header_find(const struct http_header *headers, size_t n, struct str name) {
    for (size_t i = 0; i < n; i++)
        if (str_eq(headers[i].name, name)) return &headers[i];
    return NULL;
}

size_t http_header_count(const struct http_header *headers, size_t n, struct str name) {
    size_t count = 0;
    for (size_t i = 0; i < n; i++) count += str_eq(headers[i].name, name);
    return count;
}

struct str http_header_value(const struct http_header *headers, size_t n, struct str name) {
    const struct http_header *h = http_header_find(headers, n, name);
    return h ? h->value : (struct str){ 0 };
}
