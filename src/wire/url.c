#include "wire/url.h"

#include <string.h>

#include "base/enc.h"

/* RFC 3986: unreserved, sub-delims, and what else paths and queries take. '%' is looked at by the decoder. */
static bool is_url_char(unsigned char c, bool query) {
    static const char others[] = "-._~!$&'()*+,;=:@/%";
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')) return true;
    /* clients send these in queries, unescaped, though RFC 3986 wants them escaped */
    if (query && (c == '?' || c == '[' || c == ']' || c == '|')) return true;
    return c && strchr(others, c) != NULL;
}

static bool all_url_chars(struct str s, bool query) {
    for (size_t i = 0; i < s.n; i++)
        if (!is_url_char((unsigned char)s.p[i], query)) return false;
    return true;
}

enum code url_split_target(struct str target, struct str *ret_path, struct str *ret_query, struct err *err) {
    ptrdiff_t mark = str_find_char(target, '?');
    struct str path = mark < 0 ? target : str_upto(target, (size_t)mark);
    struct str query = mark < 0 ? (struct str){ 0 } : (struct str){ target.p + mark + 1, target.n - (size_t)mark - 1 };
    bool star = str_eq(target, STR("*"));
    if (!star && (path.n == 0 || path.p[0] != '/')) return err_set(err, INVALID_ARGUMENT, "the path does not start with /");
    if (!all_url_chars(path, false) || !all_url_chars(query, true))
        return err_set(err, INVALID_ARGUMENT, "the path or query holds characters that must be percent-encoded");
    *ret_path = path;
    *ret_query = query;
    return OK;
}

static int hex_value(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static enum code decode(struct arena *arena, struct str text, bool plus, struct str *ret, struct err *err) {
    char *out = arena_alloc(arena, text.n + 1);
    size_t n = 0;
    if (!out) return err_oom(err);
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (c == '%') {
            int high = i + 2 < text.n ? hex_value(text.p[i + 1]) : -1;
            int low = high >= 0 ? hex_value(text.p[i + 2]) : -1;
            if (low < 0) return err_set(err, INVALID_ARGUMENT, "a %% is not followed by two hexadecimal digits");
            c = (char)(high * 16 + low);
            i += 2;
        } else if (c == '+' && plus) {
            c = ' ';
        }
        if (c == 0) return err_set(err, INVALID_ARGUMENT, "NUL in a URL");
        out[n++] = c;
    }
    if (!utf8_valid((struct str){ out, n })) return err_set(err, INVALID_ARGUMENT, "a URL part is not UTF-8");
    *ret = (struct str){ out, n };
    return OK;
}

enum code url_decode(struct arena *arena, struct str text, struct str *ret, struct err *err) {
    return decode(arena, text, false, ret, err);
}

static bool is_clean(struct str s, bool slash) {
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c < 0x20 || c == 0x7f || c == '\\' || (c == '/' && !slash)) return false;
    }
    return true;
}

/* "." and ".." as a whole, or, where slashes may be inside, as one of its parts. */
static bool has_dots(struct str s) {
    while (s.n) {
        struct str part = str_cut(&s, '/');
        if (str_eq(part, STR(".")) || str_eq(part, STR(".."))) return true;
    }
    return false;
}

static enum code split(struct arena *arena, struct str path, bool slash, struct str *segments, size_t max,
                       size_t *ret_count, struct err *err) {
    size_t n = 0;
    if (!str_strip_prefix(&path, STR("/"))) return err_set(err, INVALID_ARGUMENT, "the path does not start with /");
    bool more = path.n > 0;
    while (more) {
        more = str_find_char(path, '/') >= 0;
        struct str segment = { 0 };
        enum code rc = decode(arena, str_cut(&path, '/'), false, &segment, err);
        if (rc) return rc;
        if (segment.n == 0) return err_set(err, INVALID_ARGUMENT, "the path holds an empty segment");
        if (!is_clean(segment, slash) || has_dots(segment))
            return err_set(err, INVALID_ARGUMENT, "the path holds an encoded slash, a dot segment or a control character");
        if (n == max) return err_set(err, INVALID_ARGUMENT, "the path has too many segments");
        segments[n++] = segment;
    }
    *ret_count = n;
    return OK;
}

enum code url_segments(struct arena *arena, struct str path, struct str *segments, size_t max_segments, size_t *ret_count,
                       struct err *err) {
    return split(arena, path, false, segments, max_segments, ret_count, err);
}

enum code url_segments_slash(struct arena *arena, struct str path, struct str *segments, size_t max_segments,
                             size_t *ret_count, struct err *err) {
    return split(arena, path, true, segments, max_segments, ret_count, err);
}

enum code url_form(struct arena *arena, struct str text, struct url_pair *pairs, size_t max_pairs, size_t *ret_count,
                   struct err *err) {
    size_t n = 0;
    while (text.n) {
        struct str value = str_cut(&text, '&');
        if (value.n == 0) continue;
        struct str name = str_cut(&value, '=');
        if (n == max_pairs) return err_set(err, INVALID_ARGUMENT, "there are more than %zu parameters", max_pairs);
        enum code rc = decode(arena, name, true, &pairs[n].name, err);
        if (!rc) rc = decode(arena, value, true, &pairs[n].value, err);
        if (rc) return rc;
        n++;
    }
    *ret_count = n;
    return OK;
}

struct str url_form_get(const struct url_pair *pairs, size_t n, struct str name, size_t *ret_count) {
    struct str value = { 0 };
    *ret_count = 0;
    for (size_t i = 0; i < n; i++) {
        if (!str_eq(pairs[i].name, name)) continue;
        if ((*ret_count)++ == 0) value = pairs[i].value;
    }
    return value;
}

void url_encode(struct buf *out, struct str text) {
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
                     c == '_' || c == '~';
        if (plain) buf_add_char(out, (char)c);
        else buf_printf(out, "%%%02X", c);
    }
}
