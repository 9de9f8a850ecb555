/* Reading what a schema has checked, and writing the schema's reference page. */
#include "data/schema.h"

static const struct field *field_of(const struct field *fields, const char *key) {
    for (const struct field *f = fields; f->key; f++)
        if (str_eq_z(str_z(key), f->key)) return f;
    return NULL;
}

struct str field_text(const struct field *fields, const struct node *map, const char *key) {
    const struct field *f = field_of(fields, key);
    return node_text(node_get(map, str_z(key)), str_z(f ? f->fallback : NULL));
}

static int64_t number_of(const struct field *f, struct str text) {
    int64_t n = 0;
    bool fine = f->type == FIELD_DURATION_MS ? parse_duration_ms(text, &n)
                : f->type == FIELD_SIZE      ? parse_size(text, &n)
                                             : str_i64(text, &n);
    return fine ? n : 0;
}

int64_t field_int(const struct field *fields, const struct node *map, const char *key) {
    const struct field *f = field_of(fields, key);
    const struct node *node = node_get(map, str_z(key));
    if (!f) return 0;
    if (node && node->kind == NODE_INT) return node->integer;
    return number_of(f, node ? node->text : str_z(f->fallback));
}

bool field_bool(const struct field *fields, const struct node *map, const char *key) {
    const struct field *f = field_of(fields, key);
    return node_bool(node_get(map, str_z(key)), f && f->fallback && str_eq_z(STR("true"), f->fallback));
}

static const char *type_name(enum field_type type) {
    static const char *const names[] = {
        [FIELD_TEXT] = "text",
        [FIELD_INT] = "number",
        [FIELD_BOOL] = "true or false",
        [FIELD_ENUM] = "one of",
        [FIELD_DURATION_MS] = "duration",
        [FIELD_SIZE] = "size",
        [FIELD_TEXT_LIST] = "texts",
        [FIELD_MAP] = "map",
        [FIELD_MAP_OF] = "map by name",
        [FIELD_LIST_OF] = "list",
        [FIELD_TEXT_MAP] = "map of texts",
    };
    return names[type];
}

/* Recursion is as deep as the tables, which are ours. */
static void document(const struct field *fields, unsigned depth, struct buf *out) {
    for (const struct field *f = fields; f->key; f++) {
        buf_printf(out, "%*s- `%s` (%s", (int)(2 * depth), "", f->key, type_name(f->type));
        for (const char *const *w = f->words; w && *w; w++) buf_printf(out, "%s %s", w == f->words ? "" : ",", *w);
        buf_printf(out, "%s%s%s): %s\n", f->required ? ", required" : "", f->fallback ? ", default " : "",
                   f->fallback ? f->fallback : "", f->doc ? f->doc : "");
        if (f->fields) document(f->fields, depth + 1, out);
    }
}

void schema_document(const struct field *fields, struct buf *out) {
    document(fields, 0, out);
}
