/* schema.h: one validator for every file that a person writes, driven by tables. Any thread.
 *
 * A table lists the keys of a map; whatever it does not list is a fault. The validator reports all faults, each with its
 * place and what to do, in the order of the file. */
#pragma once
#include "base/buf.h"
#include "data/node.h"

enum field_type {
    FIELD_TEXT,
    FIELD_INT,
    FIELD_BOOL,
    FIELD_ENUM,        /* one of `words` */
    FIELD_DURATION_MS, /* 500ms, 30s, 5m, 1h, 2d; min and max in milliseconds */
    FIELD_SIZE,        /* 4096, 64KiB, 10MiB, 1GiB; in bytes */
    FIELD_TEXT_LIST,   /* min and max bound the count */
    FIELD_MAP,         /* keys from `fields` */
    FIELD_MAP_OF,   /* any key that is a name [A-Za-z0-9_.-]{1,100} → a map with `fields`; min and max bound the count */
    FIELD_LIST_OF,  /* a list of maps with `fields` */
    FIELD_TEXT_MAP, /* any key → text, bool or number */
};

struct field {
    const char *key;
    enum field_type type;
    bool required;
    const char *fallback;                  /* the default, as text; NULL = none */
    int64_t min, max;                      /* both 0 = any; for text its length in bytes */
    const char *const *words;              /* FIELD_ENUM: NULL-terminated */
    const struct field *fields;            /* of the map inside: ends with key == NULL */
    const char *doc;                       /* one sentence for the reference page */
    const char *(*check)(struct str text); /* what is wrong with this text, or NULL; may be NULL */
};

struct schema_fault {
    unsigned line, column;
    struct str message; /* "listen.public: must be text, is a list" */
};

enum { SCHEMA_FAULTS_MAX = 100 };
struct schema_faults {
    struct schema_fault items[SCHEMA_FAULTS_MAX];
    size_t n;
    bool truncated; /* there were more, or memory was short */
};

/* True when there is no fault. Messages live in the arena. */
MUST_USE bool schema_check(const struct field *fields, const struct node *root, struct arena *arena,
                           struct schema_faults *ret);
/* "file:line:column: message\n" for each. */
void schema_print_faults(const struct schema_faults *faults, struct str file, struct buf *out);
void schema_fault_add(struct schema_faults *faults, struct arena *arena, const struct node *at, const char *fmt, ...)
    PRINTF_LIKE(4, 5);

/* Reading after a check: the value, or the table's default. `map` may be NULL. */
struct str field_text(const struct field *fields, const struct node *map, const char *key);
int64_t field_int(const struct field *fields, const struct node *map, const char *key); /* also durations and sizes */
bool field_bool(const struct field *fields, const struct node *map, const char *key);

bool parse_duration_ms(struct str text, int64_t *ret);
bool parse_size(struct str text, int64_t *ret);

/* A reference page in Markdown: one line a key. */
void schema_document(const struct field *fields, struct buf *out);
