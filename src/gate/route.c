#include "gate/route.h"
#include <stdlib.h>
#include "base/map.h"

enum { MAX_SEGMENTS = 32, MAX_VARIABLES = 8 };

/* One segment of a template: a literal, or '*' (one segment), or '**' (the rest). */
struct part {
    struct str literal; /* p == NULL: '*' */
    bool rest;
    int variable; /* index of the variable that it belongs to, or -1 */
};

struct rest_row {
    const struct service *service;
    const struct method *method;
    struct part parts[MAX_SEGMENTS];
    size_t n_parts;
    struct str names[MAX_VARIABLES];
    size_t n_names;
    struct str action; /* after ':', without it */
};

struct grpc_row {
    const struct service *service;
    const struct method *method;
};

struct routes {
    struct map *grpc;
    struct rest_row *rest;
    size_t n_rest, cap_rest;
};

struct routes *routes_new(void) {
    struct routes *r = calloc(1, sizeof *r);
    if (r && !(r->grpc = map_new())) {
        free(r);
        return NULL;
    }
    return r;
}

void routes_free(struct routes *r) {
    if (!r) return;
    map_free(r->grpc, free);
    free(r->rest);
    free(r);
}

static enum code add_part(struct rest_row *row, struct str text, int variable, struct err *err) {
    if (row->n_parts == MAX_SEGMENTS || text.n == 0) return err_set(err, INVALID_ARGUMENT, "template: bad segment");
    struct part part = { .variable = variable, .rest = str_eq(text, STR("**")) };
    if (!part.rest && !str_eq(text, STR("*"))) part.literal = text;
    row->parts[row->n_parts++] = part;
    return OK;
}

/* "{name=a/ * /b}" or "{name}": `inner` is what stands between the braces. */
static enum code add_variable(struct rest_row *row, struct str inner, struct err *err) {
    if (row->n_names == MAX_VARIABLES) return err_set(err, INVALID_ARGUMENT, "template: too many variables");
    struct str name = str_cut(&inner, '=');
    if (inner.n == 0) inner = STR("*");
    int variable = (int)row->n_names;
    row->names[row->n_names++] = name;
    while (inner.n) {
        enum code rc = add_part(row, str_cut(&inner, '/'), variable, err);
        if (rc) return rc;
    }
    return OK;
}

static enum code parse_template(struct rest_row *row, struct str text, struct err *err) {
    ptrdiff_t colon = -1;
    for (size_t i = text.n; i > 0 && text.p[i - 1] != '/' && text.p[i - 1] != '}'; i--)
        if (text.p[i - 1] == ':') colon = (ptrdiff_t)i - 1;
    if (colon >= 0) {
        row->action = str_from(text, (size_t)colon + 1);
        text = str_upto(text, (size_t)colon);
    }
    if (!str_strip_prefix(&text, STR("/"))) return err_set(err, INVALID_ARGUMENT, "template: must begin with '/'");
    while (text.n) {
        enum code rc;
        if (text.p[0] == '{') {
            struct str inner = str_cut(&text, '}');
            rc = add_variable(row, str_from(inner, 1), err);
            (void)str_strip_prefix(&text, STR("/"));
        } else rc = add_part(row, str_cut(&text, '/'), -1, err);
        if (rc) return rc;
    }
    return OK;
}

static enum code add_rest(struct routes *r, const struct service *service, const struct method *method, struct err *err) {
    if (r->n_rest == r->cap_rest) {
        size_t cap = r->cap_rest ? 2 * r->cap_rest : 64;
        struct rest_row *bigger = reallocarray(r->rest, cap, sizeof *bigger);
        if (!bigger) return err_oom(err);
        r->rest = bigger;
        r->cap_rest = cap;
    }
    struct rest_row *row = &r->rest[r->n_rest];
    *row = (struct rest_row){ .service = service, .method = method };
    enum code rc = parse_template(row, str_z(method->path), err);
    if (rc) return err_wrap(err, "%s", method->path);
    r->n_rest++;
    return OK;
}

static enum code add_grpc(struct routes *r, const struct service *service, const struct method *method, struct err *err) {
    if (map_get(r->grpc, str_z(method->grpc))) return OK; /* the first keeps it, as in REST */
    struct grpc_row *row = malloc(sizeof *row);
    if (!row) return err_oom(err);
    *row = (struct grpc_row){ service, method };
    if (map_put(r->grpc, str_z(method->grpc), row, NULL)) return OK;
    free(row);
    return err_oom(err);
}

enum code routes_add(struct routes *r, const struct service *service, struct err *err) {
    for (size_t i = 0; i < service->n_methods; i++) {
        const struct method *m = &service->methods[i];
        enum code rc = m->grpc ? add_grpc(r, service, m, err) : OK;
        if (!rc && m->path) rc = add_rest(r, service, m, err);
        if (rc) return rc;
    }
    return OK;
}

bool routes_find_grpc(const struct routes *r, struct str path, struct route_match *ret) {
    if (!str_strip_prefix(&path, STR("/"))) return false;
    const struct grpc_row *row = map_get(r->grpc, path);
    if (!row) return false;
    *ret = (struct route_match){ .service = row->service, .method = row->method };
    return true;
}

static bool part_fits(const struct part *part, struct str segment) {
    return !part->literal.p || str_eq(part->literal, segment);
}

static bool row_fits(const struct rest_row *row, struct str verb, const struct str *segments, size_t n, struct str action) {
    if (!str_eq_z(verb, row->method->verb) || !str_eq(row->action, action)) return false;
    bool rest = row->n_parts && row->parts[row->n_parts - 1].rest;
    if (rest ? n < row->n_parts : n != row->n_parts) return false;
    for (size_t i = 0; i < row->n_parts; i++)
        if (!row->parts[i].rest && !part_fits(&row->parts[i], segments[i])) return false;
    return true;
}

/* The variable's value: its segments joined by '/'. */
static bool join(struct buf *out, const struct rest_row *row, int variable, const struct str *segments, size_t n) {
    bool first = true;
    for (size_t i = 0; i < row->n_parts; i++) {
        if (row->parts[i].variable != variable) continue;
        size_t end = row->parts[i].rest ? n : i + 1;
        for (size_t k = i; k < end; k++, first = false) {
            if (!first) buf_add_char(out, '/');
            buf_add_str(out, segments[k]);
        }
    }
    return buf_ok(out);
}

static enum code bind(const struct rest_row *row, const struct str *segments, size_t n, struct arena *arena,
                      struct route_match *ret, struct err *err) {
    *ret = (struct route_match){ .service = row->service, .method = row->method, .n_variables = row->n_names };
    ret->variables = ARENA_ARRAY(arena, struct url_pair, row->n_names + 1);
    if (!ret->variables) return err_oom(err);
    for (size_t i = 0; i < row->n_names; i++) {
        DEFER(buf_free) struct buf value = BUF_INIT(65536);
        if (!join(&value, row, (int)i, segments, n)) return err_oom(err);
        ret->variables[i] = (struct url_pair){ row->names[i], str_dup(arena, buf_str(&value)) };
        if (!ret->variables[i].value.p) return err_oom(err);
    }
    return OK;
}

/* Takes ":action" off the last segment; a name may hold a colon of its own, so both readings are tried. */
static struct str cut_action(struct str *last) {
    for (size_t i = last->n; i > 0; i--) {
        if (last->p[i - 1] != ':') continue;
        struct str action = str_from(*last, i);
        *last = str_upto(*last, i - 1);
        return action;
    }
    return (struct str){ NULL, 0 };
}

static const struct rest_row *find_row(const struct routes *r, struct str verb, const struct str *segments, size_t n,
                                       struct str action) {
    for (size_t i = 0; i < r->n_rest; i++)
        if (row_fits(&r->rest[i], verb, segments, n, action)) return &r->rest[i];
    return NULL;
}

enum code routes_find_rest(const struct routes *r, struct str verb, struct str path, struct arena *arena,
                           struct route_match *ret, struct err *err) {
    struct str segments[MAX_SEGMENTS];
    size_t n;
    enum code rc = url_segments_slash(arena, path, segments, MAX_SEGMENTS, &n, err);
    if (rc) return rc;
    if (str_eq(verb, STR("HEAD"))) verb = STR("GET");
    const struct rest_row *row = find_row(r, verb, segments, n, (struct str){ NULL, 0 });
    if (!row && n) {
        struct str action = cut_action(&segments[n - 1]);
        if (action.n && segments[n - 1].n) row = find_row(r, verb, segments, n, action);
    }
    if (!row)
        return err_set(err, NOT_FOUND, "no method answers %.*s %.*s", STR_ARG(str_upto(verb, 16)),
                       STR_ARG(str_upto(path, 200)));
    return bind(row, segments, n, arena, ret, err);
}
