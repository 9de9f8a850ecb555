/* Bytes that come back as keys (resume tokens), and text that comes as values: no crash, and what decodes is canonical. */
#include <stdlib.h>
#include "engine/key.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct sql_column columns[] = {
    { .name = STR_INIT("b"), .type = SQL_BOOL },    { .name = STR_INIT("i"), .type = SQL_INT64 },
    { .name = STR_INIT("f"), .type = SQL_FLOAT64 }, { .name = STR_INIT("t"), .type = SQL_TIMESTAMP },
    { .name = STR_INIT("d"), .type = SQL_DATE },    { .name = STR_INIT("s"), .type = SQL_STRING },
    { .name = STR_INIT("y"), .type = SQL_BYTES },
};

/* The same order again; bytes may differ only where a FLOAT64 has many NaNs. */
static void check_key(const struct sql_table *t, struct str key, struct arena *arena) {
    struct sql_value parts[SQL_MAX_KEY_PARTS], again[SQL_MAX_KEY_PARTS];
    if (!key_decode(t, key, arena, parts)) return;
    struct buf b = BUF_INIT(KEY_MAX_BYTES);
    if (key_encode(t, parts, t->n_key, &b, NULL) == OK) {
        if (!key_decode(t, buf_str(&b), arena, again)) abort();
        for (uint16_t i = 0; i < t->n_key; i++)
            if (value_compare(&parts[i], &again[i])) abort();
    }
    buf_free(&b);
}

static void check_text(enum sql_type type, struct str text, struct arena *arena) {
    struct sql_value v, again;
    if (value_parse(type, text, arena, &v, NULL)) return;
    struct buf b = BUF_INIT(1 << 20);
    value_print(&v, &b);
    if (buf_ok(&b) && (value_parse(type, buf_str(&b), arena, &again, NULL) || value_compare(&v, &again))) abort();
    buf_free(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2 || size > 1 << 16) return 0;
    struct sql_key_part key[] = { { data[0] % COUNT(columns), data[0] & 0x80 },
                                  { data[1] % COUNT(columns), data[1] & 0x80 } };
    struct sql_table t = {
        .name = STR("T"), .columns = columns, .n_columns = COUNT(columns), .key = key, .n_key = 1 + (data[0] >> 6 & 1)
    };
    struct str rest = { (const char *)data + 2, size - 2 };
    struct arena *arena = arena_new(1 << 22);
    if (!arena) return 0;
    check_key(&t, rest, arena);
    check_text(columns[data[1] % COUNT(columns)].type, rest, arena);
    arena_free(arena);
    return 0;
}
