#include "data/schema.h"

#include <string.h>

struct run {
    struct arena *arena;
    struct schema_faults *faults;
};

static void PRINTF_LIKE(4, 0)
    vfault(struct schema_faults *faults, struct arena *arena, const struct node *at, const char *fmt, va_list args) {
    if (faults->n == SCHEMA_FAULTS_MAX) {
        faults->truncated = true;
        return;
    }
    struct str message = arena_vprintf(arena, fmt, args);
    if (!message.p) {
        faults->truncated = true;
        return;
    }
    faults->items[faults->n++] = (struct schema_fault){ at ? at->line : 0, at ? at->column : 0, message };
}

void schema_fault_add(struct schema_faults *faults, struct arena *arena, const struct node *at, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    vfault(faults, arena, at, fmt, args);
    va_end(args);
}

static void PRINTF_LIKE(4, 5) bad(struct run *run, const struct node *at, struct str path, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    struct str what = arena_vprintf(run->arena, fmt, args);
    va_end(args);
    if (path.n) schema_fault_add(run->faults, run->arena, at, "%.*s: %.*s", STR_ARG(path), STR_ARG(what));
    else schema_fault_add(run->faults, run->arena, at, "%.*s", STR_ARG(what));
}

static struct str below(struct run *run, struct str path, struct str key) {
    key = str_upto(key, 100);
    return path.n ? arena_printf(run->arena, "%.*s.%.*s", STR_ARG(path), STR_ARG(key)) : key;
}

static bool scaled(struct str text, const char *const *units, const int64_t *factors, size_t n, int64_t *ret) {
    size_t digits = 0;
    while (digits < text.n && text.p[digits] >= '0' && text.p[digits] <= '9') digits++;
    int64_t number;
    if (!str_i64(str_upto(text, digits), &number)) return false;
    for (size_t i = 0; i < n; i++)
        if (str_eq_z(str_from(text, digits), units[i])) return !__builtin_mul_overflow(number, factors[i], ret);
    return false;
}

bool parse_duration_ms(struct str text, int64_t *ret) {
    static const char *const units[] = { "ms", "s", "m", "h", "d" };
    static const int64_t factors[] = { 1, 1000, 60000, 3600000, 86400000 };
    return scaled(text, units, factors, COUNT(units), ret);
}

bool parse_size(struct str text, int64_t *ret) {
    static const char *const units[] = { "", "B", "KiB", "MiB", "GiB" };
    static const int64_t factors[] = { 1, 1, 1 << 10, 1 << 20, 1 << 30 };
    return scaled(text, units, factors, COUNT(units), ret);
}

static bool out_of_range(const struct field *f, int64_t n) {
    return (f->min || f->max) && (n < f->min || n > f->max);
}

static void check_words(struct run *run, const struct field *f, const struct node *node, struct str path) {
    struct str all = STR("");
    for (const char *const *w = f->words; *w; w++) {
        if (str_eq_z(node->text, *w)) return;
        all = arena_printf(run->arena, "%.*s%s%s", STR_ARG(all), all.n ? ", " : "", *w);
    }
    bad(run, node, path, "must be one of %.*s", STR_ARG(all));
}

static void check_text(struct run *run, const struct field *f, const struct node *node, struct str path) {
    if (node->kind != NODE_STRING) {
        bad(run, node, path, "must be text, is %s%s", node_kind_name(node->kind),
            node->kind == NODE_INT || node->kind == NODE_BOOL ? " (put it in quotes)" : "");
        return;
    }
    const char *wrong = f->check ? f->check(node->text) : NULL;
    if (wrong) bad(run, node, path, "%s", wrong);
    else if (f->type == FIELD_ENUM) check_words(run, f, node, path);
    else if (out_of_range(f, (int64_t)node->text.n))
        bad(run, node, path, "must have %lld to %lld bytes", (long long)f->min, (long long)f->max);
}

static void check_number(struct run *run, const struct field *f, const struct node *node, struct str path) {
    int64_t n = node->integer;
    bool whole = node->kind == NODE_INT;
    if (f->type == FIELD_INT && !whole) bad(run, node, path, "must be a whole number, is %s", node_kind_name(node->kind));
    else if (f->type == FIELD_DURATION_MS && (node->kind != NODE_STRING || !parse_duration_ms(node->text, &n)))
        bad(run, node, path, "must be a duration such as 30s, 5m or 2h");
    else if (f->type == FIELD_SIZE && !(whole && n >= 0) && (node->kind != NODE_STRING || !parse_size(node->text, &n)))
        bad(run, node, path, "must be a size such as 64KiB or 10MiB");
    else if (out_of_range(f, n))
        bad(run, node, path, "must be %lld to %lld%s", (long long)f->min, (long long)f->max,
            f->type == FIELD_DURATION_MS ? " milliseconds"
            : f->type == FIELD_SIZE      ? " bytes"
                                         : "");
}

static bool is_name(struct str key) {
    for (size_t i = 0; i < key.n; i++) {
        char c = key.p[i];
        bool fine = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
                    c == '.';
        if (!fine) return false;
    }
    return key.n > 0 && key.n <= 100;
}

static void check_map(struct run *run, const struct field *fields, const struct node *node, struct str path);

static void check_count(struct run *run, const struct field *f, const struct node *node, struct str path) {
    if (out_of_range(f, (int64_t)node->n))
        bad(run, node, path, "must hold %lld to %lld entries", (long long)f->min, (long long)f->max);
}

static void check_map_of(struct run *run, const struct field *f, const struct node *node, struct str path) {
    if (node->kind != NODE_MAP) {
        bad(run, node, path, "must be a map, is %s", node_kind_name(node->kind));
        return;
    }
    check_count(run, f, node, path);
    for (size_t i = 0; i < node->n; i++) {
        struct str inner = below(run, path, node->keys[i]->text);
        enum node_kind kind = node->items[i]->kind;
        if (!is_name(node->keys[i]->text))
            bad(run, node->keys[i], inner, "a name holds letters, digits, '_', '-' and '.' only");
        if (f->type == FIELD_MAP_OF) check_map(run, f->fields, node->items[i], inner);
        else if (kind == NODE_MAP || kind == NODE_LIST)
            bad(run, node->items[i], inner, "must be text, is %s", node_kind_name(kind));
    }
}

static void check_list(struct run *run, const struct field *f, const struct node *node, struct str path) {
    if (node->kind != NODE_LIST) {
        bad(run, node, path, "must be a list, is %s", node_kind_name(node->kind));
        return;
    }
    check_count(run, f, node, path);
    struct field each = { .type = FIELD_TEXT, .check = f->check, .min = 1, .max = 4096 };
    for (size_t i = 0; i < node->n; i++) {
        struct str inner = arena_printf(run->arena, "%.*s[%zu]", STR_ARG(path), i);
        if (f->type == FIELD_LIST_OF) check_map(run, f->fields, node->items[i], inner);
        else check_text(run, &each, node->items[i], inner);
    }
}

static void check_field(struct run *run, const struct field *f, const struct node *node, struct str path) {
    switch (f->type) {
    case FIELD_TEXT:
    case FIELD_ENUM: check_text(run, f, node, path); return;
    case FIELD_INT:
    case FIELD_DURATION_MS:
    case FIELD_SIZE: check_number(run, f, node, path); return;
    case FIELD_BOOL:
        if (node->kind != NODE_BOOL) bad(run, node, path, "must be true or false, is %s", node_kind_name(node->kind));
        return;
    case FIELD_TEXT_LIST:
    case FIELD_LIST_OF: check_list(run, f, node, path); return;
    case FIELD_MAP: check_map(run, f->fields, node, path); return;
    case FIELD_MAP_OF:
    case FIELD_TEXT_MAP: check_map_of(run, f, node, path); return;
    }
}

static const struct field *find(const struct field *fields, struct str key) {
    for (const struct field *f = fields; f->key; f++)
        if (str_eq_z(key, f->key)) return f;
    return NULL;
}

/* The key that was likely meant: the same but for case, '-' and '_', or a common start. */
static const char *likely(const struct field *fields, struct str key) {
    for (const struct field *f = fields; f->key; f++)
        if (str_eq_nocase(key, str_z(f->key))) return f->key;
    for (const struct field *f = fields; f->key; f++)
        if (key.n >= 4 && str_starts(str_z(f->key), str_upto(key, 4))) return f->key;
    return NULL;
}

static void check_map(struct run *run, const struct field *fields, const struct node *node, struct str path) {
    if (node->kind != NODE_MAP) {
        bad(run, node, path, "must be a map, is %s", node_kind_name(node->kind));
        return;
    }
    for (size_t i = 0; i < node->n; i++) {
        struct str inner = below(run, path, node->keys[i]->text);
        const struct field *f = find(fields, node->keys[i]->text);
        const char *meant = f ? NULL : likely(fields, node->keys[i]->text);
        if (f) check_field(run, f, node->items[i], inner);
        else bad(run, node->keys[i], inner, meant ? "no such key; did you mean %s?" : "no such key", meant);
    }
    for (const struct field *f = fields; f->key; f++)
        if (f->required && !node_get(node, str_z(f->key))) bad(run, node, path, "the key %s is missing", f->key);
}

bool schema_check(const struct field *fields, const struct node *root, struct arena *arena, struct schema_faults *ret) {
    struct run run = { arena, ret };
    ret->n = 0;
    ret->truncated = false;
    check_map(&run, fields, root, STR(""));
    return ret->n == 0 && !ret->truncated;
}

void schema_print_faults(const struct schema_faults *faults, struct str file, struct buf *out) {
    for (size_t i = 0; i < faults->n; i++) {
        const struct schema_fault *f = &faults->items[i];
        buf_add_str(out, file);
        if (f->line) buf_printf(out, ":%u:%u", f->line, f->column);
        buf_printf(out, ": %.*s\n", STR_ARG(f->message));
    }
    if (faults->truncated) buf_printf(out, "%.*s: and more\n", STR_ARG(file));
}
