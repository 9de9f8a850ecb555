/* remote_code.c: the files that go with a job to an upstream: which of them leave it the job that its main file names, and
 * what the audit says of them.
 *
 * No file is read here, so a named job is known by places: the main file's own, and for all others those that the
 * configuration lists (connections.…dataproc.code). */
#include <string.h>
#include "base/enc.h"
#include "crypto/hash.h"
#include "dataproc/remote.h"

enum { DETAIL_BYTES = 32 << 10, SHOWN_URI = 200 };

/* ---- places ---- */

static bool is_part(struct str part) {
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._+=@-";
    bool good = part.n && !str_eq_z(part, ".") && !str_eq_z(part, "..");
    for (size_t i = 0; good && i < part.n; i++) good = part.p[i] && strchr(letters, part.p[i]);
    return good;
}

/* Compared is text, so it must mean the same to whoever reads it later: Spark parts lists at commas, resolves dots,
 * percents and patterns, and gives a file the name behind '#'. */
static bool is_plain(struct str uri) {
    struct str rest = uri;
    if (!str_strip_prefix(&rest, STR("gs://")) && !str_strip_prefix(&rest, STR("file:///"))) return false;
    bool plain = rest.n > 0;
    while (plain && rest.n) plain = is_part(str_cut(&rest, '/'));
    return plain;
}

bool dataproc_is_code_place(struct str uri) {
    return is_plain(uri) && str_ends(uri, STR("/"));
}

static bool is_listed(const struct remote *remote, struct str uri) {
    for (size_t i = 0; i < remote->n_code; i++)
        if (uri.n > remote->code[i].n && str_starts(uri, remote->code[i])) return is_plain(uri);
    return false;
}

/* ---- the files of a job ---- */

enum code remote_other_files(const struct launch_job *launch, struct arena *arena, struct launch_files *ret,
                             struct err *err) {
    const struct launch_files *lists[] = { &launch->python_files, &launch->jars, &launch->files, &launch->archives };
    struct str *items = ARENA_ARRAY(arena, struct str, LAUNCH_MAX_FILES);
    size_t n = 0;
    if (!items) return err_oom(err);
    for (size_t i = 0; i < COUNT(lists); i++)
        for (size_t k = 0; k < lists[i]->n && n < LAUNCH_MAX_FILES; k++) items[n++] = lists[i]->items[k];
    *ret = (struct launch_files){ items, n };
    return OK;
}

struct str remote_foreign_file(const struct remote *remote, const struct launch_files *others) {
    for (size_t i = 0; i < others->n; i++)
        if (!is_listed(remote, others->items[i])) return others->items[i];
    return (struct str){ NULL, 0 };
}

/* ---- what the audit says ---- */

/* Of the URIs, each with a newline, which none of them holds. */
static void put_digest(struct buf *out, const struct launch_files *files) {
    struct str lines[2 * LAUNCH_MAX_FILES];
    uint8_t digest[SHA256_BYTES];
    for (size_t i = 0; i < files->n; i++) {
        lines[2 * i] = files->items[i];
        lines[2 * i + 1] = STR("\n");
    }
    hash_sha256_n(lines, (unsigned)(2 * files->n), digest);
    enc_hex(out, (struct str){ (const char *)digest, sizeof digest });
}

/* The entry cuts a long text: what decides, and the digest of all, stand before the list. */
struct str remote_files_text(const struct remote *remote, struct str main, const struct launch_files *others,
                             struct arena *arena) {
    DEFER(buf_free) struct buf out = BUF_INIT(DETAIL_BYTES);
    struct str foreign = remote_foreign_file(remote, others);
    buf_printf(&out, "%.*s on the upstream", STR_ARG(str_upto(main, SHOWN_URI)));
    if (foreign.n) buf_printf(&out, ", free code by %.*s", STR_ARG(str_upto(foreign, SHOWN_URI)));
    if (others->n) {
        buf_printf(&out, "; other files: %zu, sha256 ", others->n);
        put_digest(&out, others);
        buf_add_char(&out, ':');
    }
    for (size_t i = 0; i < others->n; i++) buf_printf(&out, " %.*s", STR_ARG(str_upto(others->items[i], SHOWN_URI)));
    return buf_ok(&out) ? str_dup(arena, buf_str(&out)) : (struct str){ NULL, 0 };
}
