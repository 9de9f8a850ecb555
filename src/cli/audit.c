/* audit.c: the audit log from outside: verify it, look into it, take its checkpoint away, prove an entry. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "audit/query.h"
#include "audit/verify.h"
#include "base/clock.h"
#include "base/file.h"
#include "cli/operator.h"
#include "cli/terminal.h"
#include "crypto/key.h"
#include "gate/data_dir.h"

enum {
    ARENA_BYTES = 32 << 20,
    OUT_BYTES = 16 << 20,
    KEY_BYTES = 64 << 10,
    CHECKPOINT_BYTES = 64 << 10,
    FLUSH_BYTES = 64 << 10
};

/* --dir and --key, or what the configuration says. */
struct place {
    char dir[4096], key[4096];
};

static enum code find_place(const struct args *args, struct arena *arena, struct place *ret, struct err *err) {
    const char *dir = args_text(args, "dir"), *key = args_text(args, "key");
    if (dir) {
        (void)snprintf(ret->dir, sizeof ret->dir, "%s", dir);
        (void)snprintf(ret->key, sizeof ret->key, "%s", key ? key : "");
        return key ? OK : err_set(err, INVALID_ARGUMENT, "--dir needs --key: the public key that the auditor was given");
    }
    struct config *config = ARENA_NEW(arena, struct config);
    enum code rc = config ? operator_audit_dir(args, arena, config, ret->dir, err) : err_oom(err);
    if (!rc) rc = data_path(config->data, DATA_AUDIT_PUBLIC, ret->key, err);
    if (!rc && key) (void)snprintf(ret->key, sizeof ret->key, "%s", key);
    return rc;
}

/* ---- verify ---- */

static bool on_progress(UNUSED void *ctx, uint64_t entries, uint64_t size) {
    if (isatty(STDERR_FILENO)) (void)fprintf(stderr, "\r%" PRIu64 " of %" PRIu64 " entries\x1b[K", entries, size);
    return true;
}

static void print_report(const struct audit_report *r, const struct args *args, struct buf *out) {
    if (args_has(args, "json")) {
        audit_report_json(r, out);
        if (!str_ends(buf_str(out), STR("\n"))) buf_add_char(out, '\n');
        return;
    }
    buf_printf(out, "%s: %" PRIu64 " entries, checkpoint of %" PRIu64 " signed %s by %s\nroot %s\n",
               r->verified ? "verified" : "NOT VERIFIED", r->entries, r->size, r->time, r->origin, r->root);
    if (r->live) buf_add_z(out, "a server has it open: judged as far as its checkpoint goes\n");
    if (r->journal_entries) buf_printf(out, "%" PRIu64 " more entries wait in the journal\n", r->journal_entries);
    if (r->open_intents)
        buf_printf(out, "%s%" PRIu64 " intentions have no outcome yet\n", r->open_intents_at_least ? "at least " : "",
                   r->open_intents);
    if (r->kept_given)
        buf_add_z(out, r->kept_found ? "the kept checkpoint lies on this history\n"
                                     : "the kept checkpoint is NOT on this history\n");
    else buf_add_z(out, "without a kept checkpoint, that nothing was cut off at the end is not shown: --checkpoint FILE\n");
    if (r->where[0]) buf_printf(out, "%s\n", r->where);
}

static enum code verify(const struct args *args, struct arena *arena, struct buf *out, struct err *err) {
    struct place place;
    struct str pem, kept = { NULL, 0 };
    DEFER(key_unrefp) struct key *key = NULL;
    struct audit_report report = { 0 };
    const char *checkpoint = args_text(args, "checkpoint");
    enum code rc = find_place(args, arena, &place, err);
    if (!rc) rc = file_read(arena, place.key, KEY_BYTES, &pem, err);
    if (!rc) rc = key_from_pem(pem, &key, err);
    if (!rc && checkpoint) rc = file_read(arena, checkpoint, CHECKPOINT_BYTES, &kept, err);
    if (rc) return rc;
    rc = audit_verify(place.dir, key, kept, on_progress, NULL, &report, err);
    if (isatty(STDERR_FILENO)) (void)fputs("\r\x1b[K", stderr);
    print_report(&report, args, out);
    return rc;
}

static int run_verify(struct args *args) {
    DEFER(arena_freep) struct arena *arena = arena_new(ARENA_BYTES);
    DEFER(buf_free) struct buf out = BUF_INIT(OUT_BYTES);
    struct err err;
    enum code rc = arena ? verify(args, arena, &out, &err) : err_oom(&err);
    int status = print_out(&out);
    return rc ? complain(args, &err) : status;
}

/* ---- show ---- */

struct show {
    struct buf out;
    bool json;
    enum code rc;
    struct err *err;
};

static void put_line(struct buf *out, uint64_t index, const struct audit_entry *e) {
    static const char *const kinds[] = { "intent", "outcome", "refusal", "system" };
    struct str who = e->actor.email.n ? e->actor.email : e->actor.subject;
    struct str method = e->method;
    for (ptrdiff_t dot; (dot = str_find_char(method, '.')) >= 0;) method = str_from(method, (size_t)dot + 1);
    buf_printf(out, "%" PRIu64 "  %.*s  %-7s  %.*s  %.*s  %.*s  %s", index, STR_ARG(e->timestamp), kinds[e->kind],
               STR_ARG(e->id), STR_ARG(who.n ? who : STR("-")), STR_ARG(method), code_name(e->code));
    if (e->reason.n) buf_printf(out, "  %.*s", STR_ARG(e->reason));
    if (e->rule.n) buf_printf(out, "  by %.*s", STR_ARG(e->rule));
    if (e->rows) buf_printf(out, "  %" PRIu64 " rows", e->rows);
    if (e->refusals) buf_printf(out, "  %" PRIu64 " times", e->refusals);
}

static bool on_entry(void *ctx, uint64_t index, struct str json, const struct audit_entry *entry) {
    struct show *s = ctx;
    size_t from = s->out.n;
    if (s->json) {
        buf_add_str(&s->out, str_trim(json));
        buf_add_char(&s->out, '\n');
    } else {
        put_line(&s->out, index, entry);
        terminal_safe(&s->out, from);
        buf_add_char(&s->out, '\n');
    }
    if (s->out.n < FLUSH_BYTES) return true;
    s->rc = file_write_all(STDOUT_FILENO, buf_str(&s->out), s->err);
    buf_clear(&s->out);
    return s->rc == OK;
}

static enum code read_time(const struct args *args, const char *name, int64_t *ret, struct err *err) {
    const char *text = args_text(args, name);
    int64_t seconds;
    int32_t nanos;
    if (!text) return OK;
    if (!clock_parse_rfc3339(str_z(text), &seconds, &nanos))
        return err_set(err, INVALID_ARGUMENT, "--%s must look like 2026-01-31T05:00:00Z", name);
    *ret = seconds * 1000000 + nanos / 1000;
    return OK;
}

static enum code read_filter(const struct args *args, struct audit_filter *f, struct err *err) {
    int64_t limit, index;
    enum code rc = args_number(args, "limit", 1, INT64_MAX, &limit, err);
    if (!rc) rc = args_number(args, "from-index", 0, INT64_MAX, &index, err);
    if (rc) return rc;
    *f = (struct audit_filter){ .id = str_z(args_text(args, "id")),
                                .method = str_z(args_text(args, "method")),
                                .principal = str_z(args_text(args, "who")),
                                .job_run = str_z(args_text(args, "job-run")),
                                .reason = str_z(args_text(args, "reason")),
                                .refused_only = args_has(args, "refused"),
                                .from_index = (uint64_t)index,
                                .limit = (uint64_t)limit };
    rc = read_time(args, "from", &f->from_us, err);
    return rc ? rc : read_time(args, "until", &f->until_us, err);
}

static int run_show(struct args *args) {
    DEFER(arena_freep) struct arena *arena = arena_new(ARENA_BYTES);
    struct config *config = arena ? ARENA_NEW(arena, struct config) : NULL;
    struct err err;
    char dir[4096];
    struct audit_filter filter;
    struct show show = { .out = BUF_INIT(OUT_BYTES), .json = args_has(args, "json"), .err = &err };
    enum code rc = config ? read_filter(args, &filter, &err) : err_oom(&err);
    if (!rc) rc = operator_audit_dir(args, arena, config, dir, &err);
    if (!rc) rc = audit_query(dir, &filter, on_entry, &show, &err);
    if (!rc) rc = show.rc;
    int status = rc ? complain(args, &err) : print_out(&show.out);
    buf_free(&show.out);
    return status;
}

/* ---- checkpoint, prove ---- */

static int run_checkpoint(struct args *args) {
    DEFER(arena_freep) struct arena *arena = arena_new(ARENA_BYTES);
    DEFER(buf_free) struct buf out = BUF_INIT(CHECKPOINT_BYTES);
    struct config *config = arena ? ARENA_NEW(arena, struct config) : NULL;
    struct err err;
    struct str text;
    char dir[4096], path[4200];
    enum code rc = config ? operator_audit_dir(args, arena, config, dir, &err) : err_oom(&err);
    if (!rc) (void)snprintf(path, sizeof path, "%s/checkpoint", dir);
    if (!rc) rc = file_read(arena, path, CHECKPOINT_BYTES, &text, &err);
    if (rc) return complain(args, &err);
    buf_add_str(&out, text);
    return print_out(&out);
}

static int run_prove(struct args *args) {
    DEFER(arena_freep) struct arena *arena = arena_new(ARENA_BYTES);
    DEFER(buf_free) struct buf out = BUF_INIT(OUT_BYTES);
    struct config *config = arena ? ARENA_NEW(arena, struct config) : NULL;
    struct err err;
    char dir[4096];
    uint64_t index;
    if (!str_u64(str_z(args->operands[0]), &index)) {
        (void)err_set(&err, INVALID_ARGUMENT, "INDEX is an entry's number, the first column of `linkspan audit show`");
        return complain_usage(args, &err);
    }
    enum code rc = config ? operator_audit_dir(args, arena, config, dir, &err) : err_oom(&err);
    if (!rc && args_has(args, "consistency")) rc = audit_prove_consistency(dir, index, &out, &err);
    else if (!rc) rc = audit_prove_inclusion(dir, index, &out, &err);
    return rc ? complain(args, &err) : print_out(&out);
}

static const struct option verify_options[] = {
    OPTION_CONFIG,
    { .name = "dir", .value = "DIR", .doc = "The log's folder, without a configuration; needs --key." },
    { .name = "key", .value = "FILE", .doc = "The public key, in PEM. Default: the data directory's own." },
    { .name = "checkpoint", .value = "FILE", .doc = "A checkpoint that was kept elsewhere." },
    { .name = "json", .doc = "The report as JSON." },
    { 0 },
};
const struct command command_audit_verify = {
    .name = "audit verify",
    .line = "Verifies the whole audit log",
    .operands = "",
    .options = verify_options,
    .about = "Recomputes every hash. An auditor needs the folder, the public key and, to see that nothing was cut off, a "
             "checkpoint\n"
             "kept earlier (`linkspan audit checkpoint`). Exits with 74 when it does not verify.\n\n"
             "  linkspan audit verify --config site/linkspan.yaml\n"
             "  linkspan audit verify --dir audit --key audit.pub --checkpoint kept",
    .run = run_verify,
};
static const struct option show_options[] = {
    OPTION_CONFIG,
    { .name = "id", .value = "ID", .doc = "A request's entries." },
    { .name = "who", .value = "NAME", .doc = "By subject or e-mail of the caller, or of one in its chain." },
    { .name = "method", .value = "NAME", .doc = "Whole, or what follows its last dot: Commit." },
    { .name = "job-run", .value = "ID", .doc = "Of one job run." },
    { .name = "reason", .value = "REASON", .doc = "Refused for this reason: NO_RULE." },
    { .name = "refused", .doc = "Only what was refused." },
    { .name = "from", .value = "TIME", .doc = "Not before this time: 2026-01-31T05:00:00Z." },
    { .name = "until", .value = "TIME", .doc = "Before this time." },
    { .name = "from-index", .value = "N", .fallback = "0", .doc = "From this entry on." },
    { .name = "limit", .value = "N", .fallback = "1000", .doc = "At most so many." },
    { .name = "json", .doc = "The entries as they are, one a line." },
    { 0 },
};
const struct command command_audit_show = {
    .name = "audit show",
    .line = "Shows audit entries",
    .operands = "",
    .options = show_options,
    .about =
        "One a line: index, time, kind, id, who, method, status. Trusts the folder: `audit verify` is what does not.\n\n"
        "  linkspan audit show --config site/linkspan.yaml --refused --limit 20",
    .run = run_show,
};
static const struct option config_options[] = { OPTION_CONFIG, { 0 } };
const struct command command_audit_checkpoint = {
    .name = "audit checkpoint",
    .line = "Prints the audit log's signed checkpoint, to be kept elsewhere",
    .operands = "",
    .options = config_options,
    .run = run_checkpoint,
};
static const struct option prove_options[] = {
    OPTION_CONFIG,
    { .name = "consistency", .doc = "INDEX is a tree size: proves that that tree is a beginning of today's." },
    { 0 },
};
const struct command command_audit_prove = {
    .name = "audit prove",
    .line = "Proves that an entry is in the log, as hashes in base64",
    .operands = "INDEX",
    .min_operands = 1,
    .max_operands = 1,
    .options = prove_options,
    .run = run_prove,
};
