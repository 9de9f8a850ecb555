#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "wire/url.h"

/* What url_segments lets through must never read as another route: no slash, no dots, no control characters. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_segment(struct str s) {
    if (s.n == 0 || str_eq(s, STR(".")) || str_eq(s, STR(".."))) abort();
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] == '/' || s.p[i] == '\\' || (unsigned char)s.p[i] < 0x20) abort();
}

/* What url_parse gives is a fixed point, and holds nothing that reads in two ways. */
static void check_absolute(struct str in) {
    char buf[URL_MAX], again[URL_MAX];
    struct url u, v;
    if (url_parse(in, buf, &u, NULL)) return;
    if (url_parse(u.normal, again, &v, NULL) || !str_eq(u.normal, v.normal) || u.port != v.port) abort();
    if (u.normal.n != u.scheme.n + 3 + u.authority.n + u.path.n || u.path.p[0] != '/') abort();
    for (size_t i = 0; i < u.normal.n; i++)
        if (u.normal.p[i] <= ' ' || u.normal.p[i] > '~' || strchr("\\*?#\"<>{}^`|", u.normal.p[i])) abort();
    if (str_find_char(u.authority, '@') >= 0 || str_find(u.path, STR("//")) >= 0 || str_find(u.path, STR("/../")) >= 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct str in = { (const char *)data, size }, path, query, segments[8], decoded;
    struct url_pair pairs[8];
    size_t n = 0;
    struct arena *arena = arena_new(1 << 20);
    check_absolute(in);
    (void)!url_split_target(in, &path, &query, NULL);
    if (url_segments(arena, in, segments, 8, &n, NULL) == OK)
        for (size_t i = 0; i < n; i++) check_segment(segments[i]);
    (void)!url_segments_slash(arena, in, segments, 8, &n, NULL);
    (void)!url_form(arena, in, pairs, 8, &n, NULL);
    struct buf encoded = BUF_INIT(1 << 20);
    url_encode(&encoded, in);
    bool back = url_decode(arena, buf_str(&encoded), &decoded, NULL) == OK;
    if (back && !str_eq(decoded, in)) abort();
    buf_free(&encoded);
    arena_free(arena);
    return 0;
}
