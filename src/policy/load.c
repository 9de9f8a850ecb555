#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/file.h"
#include "policy/parse.h"
#include "policy/snapshot.h"

enum { MAX_FILES = 256, MAX_FILE_BYTES = 1 << 20, MAX_STATEMENTS = 10000, MAX_ARENA = 256 << 20 };

/* Tells snapshots apart where addresses cannot, as memory is used again. */
static _Atomic uint64_t last_serial;

static struct policy *policy_new(void) {
    struct policy *policy = arena_should_fail() ? NULL : calloc(1, sizeof *policy);
    if (!policy) return NULL;
    atomic_init(&policy->refs, 1);
    policy->serial = atomic_fetch_add(&last_serial, 1) + 1;
    policy->arena = arena_new(MAX_ARENA);
    policy->names = map_new();
    if (policy->arena && policy->names) return policy;
    return policy_unref(policy);
}

struct policy *policy_ref(struct policy *policy) {
    atomic_fetch_add_explicit(&policy->refs, 1, memory_order_relaxed);
    return policy;
}

struct policy *policy_unref(struct policy *policy) {
    if (!policy || atomic_fetch_sub_explicit(&policy->refs, 1, memory_order_acq_rel) != 1) return NULL;
    map_free(policy->names, NULL);
    arena_free(policy->arena);
    free(policy);
    return NULL;
}

void policy_unrefp(struct policy **policy) {
    *policy = policy_unref(*policy);
}

static bool parse_all(struct policy *policy, const struct policy_source *sources, struct policy_faults *faults) {
    size_t statements = 0;
    for (size_t i = 0; i < policy->n_files; i++) {
        struct policy_source own = { str_dup(policy->arena, sources[i].name), str_dup(policy->arena, sources[i].text) };
        if ((!own.text.p && sources[i].text.n) || (!own.name.p && sources[i].name.n)) return false;
        if (!policy_parse(own, policy->arena, &policy->files[i], faults, faults)) return false;
        statements += policy->files[i].n;
        if (statements <= MAX_STATEMENTS) continue;
        struct policy_fault fault = { .file = own.name, .text = STR("the policy has more than 10,000 statements") };
        return policy_fault_add(faults, policy->arena, fault);
    }
    return true;
}

static int by_place(const void *a, const void *b) {
    const struct policy_fault *x = a, *y = b;
    int order = str_cmp(x->file, y->file);
    if (order) return order;
    if (x->line != y->line) return x->line < y->line ? -1 : 1;
    if (x->column != y->column) return x->column < y->column ? -1 : 1;
    return str_cmp(x->text, y->text);
}

/* Sorted, in the caller's arena, as the snapshot may not live. */
static bool hand_over(struct policy_faults *from, struct arena *arena, struct policy_faults *ret) {
    *ret = (struct policy_faults){ .n_errors = from->n_errors };
    if (!from->n) return true;
    struct policy_fault *items = ARENA_ARRAY(arena, struct policy_fault, from->n);
    if (!items) return false;
    for (size_t i = 0; i < from->n; i++) {
        items[i] = from->items[i];
        items[i].file = str_dup(arena, from->items[i].file);
        items[i].text = str_dup(arena, from->items[i].text);
        if (!items[i].text.p || !items[i].file.p) return false;
    }
    qsort(items, from->n, sizeof *items, by_place);
    *ret = (struct policy_faults){ items, from->n, from->n, from->n_errors };
    return true;
}

static enum code first_error(const struct policy_faults *faults, struct err *err) {
    for (size_t i = 0; i < faults->n; i++) {
        const struct policy_fault *f = &faults->items[i];
        if (f->warning) continue;
        return err_at(err, INVALID_ARGUMENT, f->line, f->column, "%.*s:%u:%u: %.*s%s", STR_ARG(f->file), f->line, f->column,
                      STR_ARG(str_upto(f->text, 600)), faults->n_errors > 1 ? " (and more)" : "");
    }
    return err_set(err, INVALID_ARGUMENT, "the policy has %zu faults", faults->n_errors);
}

enum code policy_load(const struct policy_source *sources, size_t n, const struct policy_context *context,
                      struct arena *arena, struct policy_faults *ret_faults, struct policy **ret, struct err *err) {
    *ret_faults = (struct policy_faults){ 0 };
    if (n > MAX_FILES) return err_set(err, INVALID_ARGUMENT, "more than %d policy files", MAX_FILES);
    struct policy_faults faults = { 0 };
    DEFER(policy_unrefp) struct policy *policy = policy_new();
    if (!policy) return err_oom(err);
    policy->files = ARENA_ARRAY(policy->arena, struct file_ast, n + 1);
    policy->n_files = n;
    bool room = policy->files && parse_all(policy, sources, &faults) && policy_check(policy, context, &faults) &&
                (faults.n_errors || policy_compile(policy, &faults));
    if (!hand_over(&faults, arena, ret_faults) || !room) return err_oom(err);
    if (faults.n_errors) return first_error(ret_faults, err);
    *ret = TAKE(policy);
    return OK;
}

/* ---- a directory ---- */

static int is_policy(const struct dirent *entry) {
    struct str name = str_z(entry->d_name);
    return name.n > strlen(".policy") && name.p[0] != '.' && str_ends(name, STR(".policy"));
}

static void free_list(struct dirent **list, int n) {
    for (int i = 0; i < n; i++) free(list[i]);
    free(list);
}

static enum code read_files(const char *dir, struct dirent **list, size_t n, struct arena *texts,
                            struct policy_source *sources, struct err *err) {
    for (size_t i = 0; i < n; i++) {
        struct str path = arena_printf(texts, "%s/%s", dir, list[i]->d_name);
        sources[i].name = str_dup(texts, str_z(list[i]->d_name));
        if (!path.p || !sources[i].name.p) return err_oom(err);
        enum code rc = file_read(texts, path.p, MAX_FILE_BYTES, &sources[i].text, err);
        if (rc) return rc;
    }
    return OK;
}

enum code policy_load_dir(const char *dir, const struct policy_context *context, struct arena *arena,
                          struct policy_faults *ret_faults, struct policy **ret, struct err *err) {
    struct dirent **list;
    *ret_faults = (struct policy_faults){ 0 };
    int n = scandir(dir, &list, is_policy, alphasort);
    if (n < 0) return err_errno(err, dir);
    DEFER(arena_freep) struct arena *texts = arena_new(((size_t)MAX_FILES + 2) * (MAX_FILE_BYTES + 4096));
    struct policy_source *sources = texts && n <= MAX_FILES ? ARENA_ARRAY(texts, struct policy_source, (size_t)n + 1)
                                                            : NULL;
    enum code rc = OK;
    if (n == 0) rc = err_set(err, NOT_FOUND, "%s holds no *.policy file", dir);
    else if (n > MAX_FILES) rc = err_set(err, INVALID_ARGUMENT, "%s: more than %d policy files", dir, MAX_FILES);
    else if (!sources) rc = err_oom(err);
    else rc = read_files(dir, list, (size_t)n, texts, sources, err);
    free_list(list, n);
    return rc ? rc : policy_load(sources, (size_t)n, context, arena, ret_faults, ret, err);
}
