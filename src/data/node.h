/* node.h: a tree of data that knows where each part stood in its file: what YAML and JSON files become before a schema
 * looks at them. Plain data in an arena. */
#pragma once
#include "base/arena.h"

enum node_kind { NODE_NULL, NODE_BOOL, NODE_INT, NODE_REAL, NODE_STRING, NODE_LIST, NODE_MAP };

struct node {
    enum node_kind kind;
    unsigned line, column; /* from 1; 0 = unknown */
    bool boolean;
    int64_t integer;
    double real;
    struct str text;     /* of a scalar, as it was written */
    struct node **items; /* of a list, or the values of a map */
    struct node **keys;  /* of a map: strings, in the order of the file */
    size_t n;
};

const char *node_kind_name(enum node_kind kind);                         /* "a list" */
const struct node *node_get(const struct node *map, struct str key);     /* NULL when absent, or no map */
const struct node *node_path(const struct node *root, const char *path); /* "listen.public" */
struct str node_text(const struct node *node, struct str fallback);      /* NULL node and non-strings: the fallback */
int64_t node_int(const struct node *node, int64_t fallback);
bool node_bool(const struct node *node, bool fallback);
