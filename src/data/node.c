#include "data/node.h"

#include <string.h>

#include "data/json.h"
#include "data/yaml.h"

const char *node_kind_name(enum node_kind kind) {
    static const char *const names[] = { "empty", "true or false", "a number", "a number", "text", "a list", "a map" };
    return names[kind];
}

const struct node *node_get(const struct node *map, struct str key) {
    if (!map || map->kind != NODE_MAP) return NULL;
    for (size_t i = 0; i < map->n; i++)
        if (str_eq(map->keys[i]->text, key)) return map->items[i];
    return NULL;
}

const struct node *node_path(const struct node *root, const char *path) {
    struct str rest = str_z(path);
    while (root && rest.n) root = node_get(root, str_cut(&rest, '.'));
    return root;
}

struct str node_text(const struct node *node, struct str fallback) {
    return node && node->kind == NODE_STRING ? node->text : fallback;
}

int64_t node_int(const struct node *node, int64_t fallback) {
    return node && node->kind == NODE_INT ? node->integer : fallback;
}

bool node_bool(const struct node *node, bool fallback) {
    return node && node->kind == NODE_BOOL ? node->boolean : fallback;
}

static struct node *convert(const json_t *json, struct arena *arena);

static struct node *text_node(struct str text, struct arena *arena) {
    struct node *node = ARENA_NEW(arena, struct node);
    if (!node) return NULL;
    node->kind = NODE_STRING;
    node->text = str_dup(arena, text);
    return text.n == 0 || node->text.p ? node : NULL;
}

static bool convert_map(const json_t *json, struct arena *arena, struct node *node) {
    const char *key;
    json_t *value;
    node->keys = ARENA_ARRAY(arena, struct node *, json_object_size(json) + 1);
    node->items = ARENA_ARRAY(arena, struct node *, json_object_size(json) + 1);
    if (!node->keys || !node->items) return false;
    for (void *it = json_object_iter((json_t *)(uintptr_t)json); it;
         it = json_object_iter_next((json_t *)(uintptr_t)json, it)) {
        key = json_object_iter_key(it);
        value = json_object_iter_value(it);
        node->keys[node->n] = text_node(str_z(key), arena);
        node->items[node->n] = convert(value, arena);
        if (!node->keys[node->n] || !node->items[node->n]) return false;
        node->n++;
    }
    return true;
}

static bool convert_list(const json_t *json, struct arena *arena, struct node *node) {
    node->items = ARENA_ARRAY(arena, struct node *, json_array_size(json) + 1);
    if (!node->items) return false;
    for (size_t i = 0; i < json_array_size(json); i++) {
        node->items[i] = convert(json_array_get(json, i), arena);
        if (!node->items[i]) return false;
        node->n++;
    }
    return true;
}

/* Recursion is bounded by json_read's depth. */
static struct node *convert(const json_t *json, struct arena *arena) {
    if (json_is_string(json)) return text_node(json_text_of(json), arena);
    struct node *node = ARENA_NEW(arena, struct node);
    if (!node) return NULL;
    node->kind = json_is_object(json)    ? NODE_MAP
                 : json_is_array(json)   ? NODE_LIST
                 : json_is_integer(json) ? NODE_INT
                 : json_is_real(json)    ? NODE_REAL
                 : json_is_boolean(json) ? NODE_BOOL
                                         : NODE_NULL;
    node->boolean = json_is_true(json);
    node->integer = json_integer_value(json);
    node->real = json_real_value(json);
    if (node->kind == NODE_INT) node->text = arena_printf(arena, "%lld", (long long)node->integer);
    if (node->kind == NODE_MAP) return convert_map(json, arena, node) ? node : NULL;
    if (node->kind == NODE_LIST) return convert_list(json, arena, node) ? node : NULL;
    return node;
}

enum code node_from_json(struct str text, size_t max_bytes, struct arena *arena, struct node **ret, struct err *err) {
    DEFER(json_freep) json_t *json = NULL;
    enum code rc = json_read(text, max_bytes, 0, &json, err);
    if (rc) return rc;
    struct node *node = convert(json, arena);
    if (!node) return err_oom(err);
    *ret = node;
    return OK;
}
