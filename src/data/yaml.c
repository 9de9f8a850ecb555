#include "data/yaml.h"

#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "base/enc.h"

struct reader {
    yaml_parser_t parser;
    struct arena *arena;
    struct err *err;
    unsigned nodes;
};

static void event_delete(yaml_event_t *event) {
    yaml_event_delete(event);
}

static unsigned line_of(yaml_mark_t mark) {
    return (unsigned)mark.line + 1;
}

static unsigned column_of(yaml_mark_t mark) {
    return (unsigned)mark.column + 1;
}

static enum code fault(struct reader *r, yaml_mark_t mark, const char *what) {
    return err_at(r->err, INVALID_ARGUMENT, line_of(mark), column_of(mark), "%s", what);
}

static enum code next(struct reader *r, yaml_event_t *event) {
    if (yaml_parser_parse(&r->parser, event)) return OK;
    if (r->parser.error == YAML_MEMORY_ERROR) return err_oom(r->err);
    yaml_mark_t mark = r->parser.problem_mark;
    return fault(r, mark, r->parser.problem ? r->parser.problem : "not valid YAML");
}

static bool is_decimal(struct str s) {
    (void)str_strip_prefix(&s, STR("-"));
    size_t digits = 0, points = 0;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '.') points++;
        else if (s.p[i] >= '0' && s.p[i] <= '9') digits++;
        else return false;
    }
    return digits > 0 && points == 1 && s.p[0] != '.' && s.p[s.n - 1] != '.';
}

/* Leading zeros stay text: 007 is not seven to everyone. */
static bool is_integer(struct str s, int64_t *ret) {
    struct str digits = s;
    (void)str_strip_prefix(&digits, STR("-"));
    if (digits.n > 1 && digits.p[0] == '0') return false;
    return str_i64(s, ret);
}

static void plain_scalar(struct node *node) {
    struct str s = node->text;
    if (str_eq_z(s, "true") || str_eq_z(s, "false")) {
        node->kind = NODE_BOOL;
        node->boolean = s.n == 4;
    } else if (s.n == 0 || str_eq_z(s, "~") || str_eq_z(s, "null")) {
        node->kind = NODE_NULL;
    } else if (is_integer(s, &node->integer)) {
        node->kind = NODE_INT;
    } else if (is_decimal(s) && s.n < 32) {
        node->kind = NODE_REAL;
        node->real = strtod(s.p, NULL); /* str_dupz: ends with NUL */
    }
}

static struct node *new_node(struct reader *r, enum node_kind kind, yaml_mark_t mark) {
    if (++r->nodes > YAML_NODES_MAX) return NULL;
    struct node *node = ARENA_NEW(r->arena, struct node);
    if (node) *node = (struct node){ .kind = kind, .line = line_of(mark), .column = column_of(mark) };
    return node;
}

static enum code scalar(struct reader *r, const yaml_event_t *event, struct node **ret) {
    struct str text = { (const char *)event->data.scalar.value, event->data.scalar.length };
    if (event->data.scalar.anchor) return fault(r, event->start_mark, "anchors are not allowed");
    if (event->data.scalar.tag) return fault(r, event->start_mark, "tags are not allowed");
    if (memchr(text.p, 0, text.n)) return fault(r, event->start_mark, "a NUL character is not allowed");
    struct node *node = new_node(r, NODE_STRING, event->start_mark);
    char *copy = node ? str_dupz(r->arena, text) : NULL;
    if (!copy) return err_oom(r->err);
    node->text = (struct str){ copy, text.n };
    if (event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE) plain_scalar(node);
    *ret = node;
    return OK;
}

static enum code value(struct reader *r, const yaml_event_t *event, unsigned depth, struct node **ret);

static enum code sequence(struct reader *r, const yaml_event_t *start, unsigned depth, struct node **ret) {
    struct node *list = new_node(r, NODE_LIST, start->start_mark);
    size_t cap = 0;
    if (!list) return err_oom(r->err);
    for (;;) {
        DEFER(event_delete) yaml_event_t event = { 0 };
        enum code rc = next(r, &event);
        if (rc) return rc;
        if (event.type == YAML_SEQUENCE_END_EVENT) break;
        if (!arena_grow(r->arena, &list->items, &cap, list->n + 1, sizeof *list->items)) return err_oom(r->err);
        rc = value(r, &event, depth, &list->items[list->n]);
        if (rc) return rc;
        list->n++;
    }
    *ret = list;
    return OK;
}

static enum code map_key(struct reader *r, const struct node *map, const yaml_event_t *event, struct node **ret) {
    if (event->type != YAML_SCALAR_EVENT) return fault(r, event->start_mark, "a key must be text");
    enum code rc = scalar(r, event, ret);
    if (rc) return rc;
    struct node *key = *ret;
    key->kind = NODE_STRING; /* a key that looks like a number is a name all the same */
    if (str_eq_z(key->text, "<<")) return fault(r, event->start_mark, "merge keys are not allowed");
    const struct node *first = NULL;
    for (size_t i = 0; i < map->n && !first; i++)
        if (str_eq(map->keys[i]->text, key->text)) first = map->keys[i];
    if (!first) return OK;
    return err_at(r->err, INVALID_ARGUMENT, key->line, key->column, "the key %.*s is there twice: first on line %u",
                  STR_ARG(str_upto(key->text, 100)), first->line);
}

static enum code mapping(struct reader *r, const yaml_event_t *start, unsigned depth, struct node **ret) {
    struct node *map = new_node(r, NODE_MAP, start->start_mark);
    size_t cap = 0, key_cap = 0;
    if (!map) return err_oom(r->err);
    for (;;) {
        DEFER(event_delete) yaml_event_t event = { 0 }, inner = { 0 };
        enum code rc = next(r, &event);
        if (rc) return rc;
        if (event.type == YAML_MAPPING_END_EVENT) break;
        if (map->n >= 4096) return fault(r, event.start_mark, "a map may hold 4,096 keys at most");
        if (!arena_grow(r->arena, &map->keys, &key_cap, map->n + 1, sizeof *map->keys) ||
            !arena_grow(r->arena, &map->items, &cap, map->n + 1, sizeof *map->items))
            return err_oom(r->err);
        rc = map_key(r, map, &event, &map->keys[map->n]);
        if (!rc) rc = next(r, &inner);
        if (!rc) rc = value(r, &inner, depth, &map->items[map->n]);
        if (rc) return rc;
        map->n++;
    }
    *ret = map;
    return OK;
}

static enum code value(struct reader *r, const yaml_event_t *event, unsigned depth, struct node **ret) {
    if (event->type == YAML_SCALAR_EVENT) return scalar(r, event, ret);
    if (event->type == YAML_ALIAS_EVENT) return fault(r, event->start_mark, "aliases are not allowed");
    bool list = event->type == YAML_SEQUENCE_START_EVENT;
    if (!list && event->type != YAML_MAPPING_START_EVENT) return fault(r, event->start_mark, "a value is missing");
    if (depth >= YAML_DEPTH_MAX) return fault(r, event->start_mark, "nested deeper than 32");
    /* The two have the same members in the same order, but the standard does not say so. */
    const void *anchor = list ? event->data.sequence_start.anchor : event->data.mapping_start.anchor;
    const void *tag = list ? event->data.sequence_start.tag : event->data.mapping_start.tag;
    if (anchor) return fault(r, event->start_mark, "anchors are not allowed");
    if (tag) return fault(r, event->start_mark, "tags are not allowed");
    return list ? sequence(r, event, depth + 1, ret) : mapping(r, event, depth + 1, ret);
}

static enum code document(struct reader *r, struct node **ret) {
    for (;;) {
        DEFER(event_delete) yaml_event_t event = { 0 };
        enum code rc = next(r, &event);
        if (rc) return rc;
        if (event.type == YAML_STREAM_START_EVENT || event.type == YAML_DOCUMENT_START_EVENT) continue;
        if (event.type == YAML_STREAM_END_EVENT) return err_at(r->err, INVALID_ARGUMENT, 1, 1, "the file is empty");
        return value(r, &event, 0, ret);
    }
}

static enum code nothing_more(struct reader *r) {
    for (;;) {
        DEFER(event_delete) yaml_event_t event = { 0 };
        enum code rc = next(r, &event);
        if (rc) return rc;
        if (event.type == YAML_STREAM_END_EVENT) return OK;
        if (event.type != YAML_DOCUMENT_END_EVENT) return fault(r, event.start_mark, "a second document is not allowed");
    }
}

enum code yaml_read(struct str text, size_t max_bytes, struct arena *arena, struct node **ret, struct err *err) {
    if (text.n > max_bytes) return err_set(err, INVALID_ARGUMENT, "the file is longer than %zu bytes", max_bytes);
    if (!utf8_valid(text)) return err_at(err, INVALID_ARGUMENT, 1, 1, "the file is not UTF-8");
    struct reader r = { .arena = arena, .err = err };
    if (!yaml_parser_initialize(&r.parser)) return err_oom(err);
    yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&r.parser, (const unsigned char *)(text.p ? text.p : ""), text.n);
    struct node *root = NULL;
    enum code rc = document(&r, &root);
    if (!rc) rc = nothing_more(&r);
    yaml_parser_delete(&r.parser);
    if (rc) return rc;
    *ret = root;
    return OK;
}
