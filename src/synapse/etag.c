/* etag.c: conditions on entity tags. */
#include "synapse/synapse_priv.h"

struct str etag_bare(struct str etag) {
    bool quoted = etag.n >= 2 && etag.p[0] == '"' && etag.p[etag.n - 1] == '"';
    return quoted ? (struct str){ etag.p + 1, etag.n - 2 } : etag;
}

bool etag_named(struct str list, struct str etag, bool weak) {
    if (!etag.n) return false;
    while (list.n) {
        struct str one = str_trim(str_cut(&list, ',')); /* ours hold no comma */
        if (str_eq(one, STR("*"))) return true;
        if (str_strip_prefix(&one, STR("W/")) && !weak) continue;
        if (one.n && str_eq(etag_bare(one), etag_bare(etag))) return true;
    }
    return false;
}
