#include <stdlib.h>
#include <string.h>

#include "pipeline/pipelines_priv.h"

/* What a server names to be asked next: whatever it writes, the result is an http or https URL without blanks, controls,
 * fragment or backslash, and without dot segments in its path. The first line is the URL that was asked, the second the
 * Location. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(struct str url) {
    struct str rest = url;
    if (!str_starts(url, STR("http")) && !str_eq_nocase(str_upto(url, 4), STR("http"))) abort();
    for (size_t i = 0; i < url.n; i++)
        if (url.p[i] <= ' ' || url.p[i] >= 127 || url.p[i] == '#' || url.p[i] == '\\') abort();
    ptrdiff_t at = str_find(rest, STR("://"));
    if (at < 0) abort();
    rest = str_from(rest, (size_t)at + 3);
    struct str before_query = str_cut(&rest, '?');
    (void)str_cut(&before_query, '/');
    while (before_query.n) {
        struct str segment = str_cut(&before_query, '/');
        if (str_eq(segment, STR(".")) || str_eq(segment, STR(".."))) abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct str reference = { (const char *)data, size };
    struct str base = str_cut(&reference, '\n');
    struct buf out = BUF_INIT(40000);
    if (location_resolve(base, reference, &out)) check(buf_str(&out));
    buf_free(&out);
    return 0;
}
