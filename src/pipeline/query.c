/* query.c: pages of runs and activity runs, by filter and order. The SQL is put together from this file's own words; what a
 * caller gives is bound. A continuation holds the last row's place in the order, and what query it is of. */
#include "pipeline/query.h"
#include "base/clock.h"
#include "base/enc.h"
#include "data/json.h"

enum {
    MAX_SQL_BYTES = 32 << 10,
    MAX_TOKEN_BYTES = 8 << 10,
    MAX_SORTS = RUN_QUERY_MAX_ORDERS + 1,
    READ_MAX_BYTES = 64 << 20
};

/* ---- fields ---- */

enum value_kind { VALUE_TEXT, VALUE_STATE, VALUE_TIME };
struct column {
    const char *sql;
    enum value_kind kind;
};

static const struct column run_columns[FIELD_COUNT] = {
    [FIELD_PIPELINE_NAME] = { "pipeline", VALUE_TEXT },
    [FIELD_STATUS] = { "state", VALUE_STATE },
    [FIELD_RUN_START] = { "started", VALUE_TIME },
    [FIELD_RUN_END] = { "ended", VALUE_TIME },
    [FIELD_RUN_ID] = { "id", VALUE_TEXT },
    [FIELD_RUN_GROUP_ID] = { "root", VALUE_TEXT },
};
static const struct column activity_columns[FIELD_COUNT] = {
    [FIELD_STATUS] = { "a.state", VALUE_STATE },          [FIELD_ACTIVITY_NAME] = { "a.name", VALUE_TEXT },
    [FIELD_ACTIVITY_TYPE] = { "a.type", VALUE_TEXT },     [FIELD_ACTIVITY_RUN_START] = { "a.started", VALUE_TIME },
    [FIELD_ACTIVITY_RUN_END] = { "a.ended", VALUE_TIME },
};

/* What differs between the two queries. */
struct table {
    const struct column *columns;
    const char *select, *updated, *seq;
    bool newest_first;
};
static const struct table runs_table = { run_columns, "SELECT " RUN_COLUMNS, "updated", "seq", true };
static const struct table activities_table = { activity_columns, "SELECT " ACTIVITY_COLUMNS, "a.updated", "a.seq", false };

struct bound {
    bool is_text;
    struct str text;
    int64_t number;
};

/* One query as it is put together. */
struct making {
    const struct table *table;
    const struct run_query *query;
    struct buf sql;
    struct bound bound[RUN_QUERY_MAX_FILTERS * RUN_QUERY_MAX_VALUES + 64];
    size_t n_bound;
    struct {
        const char *sql;
        bool descending, is_text;
    } sorts[MAX_SORTS];
    size_t n_sorts;
};

static void add_bound(struct making *m, struct bound bound) {
    m->bound[m->n_bound++] = bound;
    buf_add_char(&m->sql, '?');
}

static const struct column *column_of(const struct table *table, enum run_field field) {
    if ((size_t)field >= FIELD_COUNT || !table->columns[field].sql) return NULL;
    return &table->columns[field];
}

static enum code wrong(struct err *err, const char *what) {
    return err_set(err, INVALID_ARGUMENT, "%s", what);
}

static bool read_state(struct str name, int64_t *ret) {
    for (int i = RUN_QUEUED; i <= RUN_SKIPPED; i++) {
        if (!str_eq_z(name, pipeline_run_state_name((enum run_state)i))) continue;
        *ret = i;
        return true;
    }
    return false;
}

static enum code read_value(const struct column *column, struct str text, struct bound *ret, struct err *err) {
    int64_t seconds;
    int32_t nanos;
    *ret = (struct bound){ .is_text = column->kind == VALUE_TEXT, .text = text };
    if (column->kind == VALUE_STATE && !read_state(text, &ret->number))
        return wrong(err, "Status is Queued, InProgress, Succeeded, Failed, Canceling, Cancelled or Skipped");
    if (column->kind != VALUE_TIME) return OK;
    if (!clock_parse_rfc3339(text, &seconds, &nanos)) return wrong(err, "a time is RFC 3339: 2026-01-31T12:00:00Z");
    ret->number = seconds * SECOND_US + nanos / 1000;
    return OK;
}

static enum code add_filter(struct making *m, const struct run_filter *f, struct err *err) {
    const struct column *column = column_of(m->table, f->field);
    bool one = f->op == FILTER_EQUALS || f->op == FILTER_NOT_EQUALS,
         negative = f->op == FILTER_NOT_EQUALS || f->op == FILTER_NOT_IN;
    if (!column) return wrong(err, "this operand is of another query");
    if (f->n_values == 0 || f->n_values > (one ? 1 : RUN_QUERY_MAX_VALUES))
        return wrong(err, "Equals and NotEquals take one value, In and NotIn 1 to 100");
    buf_printf(&m->sql, " AND %s %sIN (", column->sql, negative ? "NOT " : "");
    for (size_t i = 0; i < f->n_values; i++) {
        struct bound bound;
        enum code rc = read_value(column, f->values[i], &bound, err);
        if (rc) return rc;
        if (i) buf_add_char(&m->sql, ',');
        add_bound(m, bound);
    }
    buf_add_char(&m->sql, ')');
    return OK;
}

static enum code add_filters(struct making *m, struct err *err) {
    const struct run_query *q = m->query;
    enum code rc = OK;
    if (q->n_filters > RUN_QUERY_MAX_FILTERS) return wrong(err, "more than 16 filters");
    for (size_t i = 0; i < q->n_filters && !rc; i++) rc = add_filter(m, &q->filters[i], err);
    if (q->updated_after_us) {
        buf_printf(&m->sql, " AND %s>=", m->table->updated);
        add_bound(m, (struct bound){ .number = q->updated_after_us });
    }
    if (q->updated_before_us) {
        buf_printf(&m->sql, " AND %s<=", m->table->updated);
        add_bound(m, (struct bound){ .number = q->updated_before_us });
    }
    return rc;
}

static enum code read_orders(struct making *m, struct err *err) {
    const struct run_query *q = m->query;
    if (q->n_orders > RUN_QUERY_MAX_ORDERS) return wrong(err, "more than 3 orders");
    for (size_t i = 0; i < q->n_orders; i++) {
        const struct column *column = column_of(m->table, q->orders[i].field);
        if (!column) return wrong(err, "orderBy names a field of another query");
        m->sorts[i].sql = column->sql;
        m->sorts[i].descending = q->orders[i].descending;
        m->sorts[i].is_text = column->kind == VALUE_TEXT;
    }
    m->sorts[q->n_orders].sql = m->table->seq;
    m->sorts[q->n_orders].descending = q->n_orders ? q->orders[q->n_orders - 1].descending : m->table->newest_first;
    m->n_sorts = q->n_orders + 1;
    return OK;
}

/* ---- continuation ---- */

/* What the token is bound to: the query's words and values. */
static uint64_t fingerprint(const struct making *m) {
    DEFER(buf_free) struct buf text = BUF_INIT(4 << 20);
    const struct run_query *q = m->query;
    buf_printf(&text, "%s|%lld|%lld|", m->table->seq, (long long)q->updated_after_us, (long long)q->updated_before_us);
    for (size_t i = 0; i < m->n_sorts; i++) buf_printf(&text, "%s %d|", m->sorts[i].sql, m->sorts[i].descending);
    for (size_t i = 0; i < q->n_filters; i++) {
        buf_printf(&text, "%d %d|", (int)q->filters[i].field, (int)q->filters[i].op);
        for (size_t j = 0; j < q->filters[i].n_values; j++)
            buf_add_str(&text, q->filters[i].values[j]), buf_add_char(&text, '|');
    }
    buf_add_str(&text, q->run);
    return str_hash(buf_str(&text)) >> 1;
}

static enum code read_token(const struct making *m, struct arena *arena, json_t **ret, struct err *err) {
    struct str text;
    struct err ignored;
    json_t *json = NULL;
    bool ok = m->query->continuation.n <= MAX_TOKEN_BYTES && dec_base64url(arena, m->query->continuation, &text) &&
              !json_read(text, MAX_TOKEN_BYTES, 2, &json, &ignored) && json_array_size(json) == m->n_sorts + 1 &&
              (uint64_t)json_integer_value(json_array_get(json, 0)) == fingerprint(m);
    for (size_t i = 0; i < m->n_sorts && ok; i++) {
        const json_t *value = json_array_get(json, i + 1);
        ok = m->sorts[i].is_text ? json_is_string(value) : json_is_integer(value);
    }
    if (ok) {
        *ret = json;
        return OK;
    }
    json_decref(json);
    return wrong(err, "continuationToken is none that this query gave");
}

static struct bound bound_of(const json_t *value) {
    return (
        struct bound){ .is_text = json_is_string(value), .text = json_text_of(value), .number = json_integer_value(value) };
}

/* Behind the place (v1, v2, …): k1 past v1, or k1 = v1 and k2 past v2, or … */
static void add_place(struct making *m, const json_t *token) {
    buf_add_z(&m->sql, " AND (0");
    for (size_t i = 0; i < m->n_sorts; i++) {
        buf_add_z(&m->sql, " OR (1");
        for (size_t j = 0; j < i; j++) {
            buf_printf(&m->sql, " AND %s=", m->sorts[j].sql);
            add_bound(m, bound_of(json_array_get(token, j + 1)));
        }
        buf_printf(&m->sql, " AND %s%c", m->sorts[i].sql, m->sorts[i].descending ? '<' : '>');
        add_bound(m, bound_of(json_array_get(token, i + 1)));
        buf_add_char(&m->sql, ')');
    }
    buf_add_char(&m->sql, ')');
}

/* The sort keys are the statement's last columns. */
static enum code write_token(const struct making *m, sqlite3_stmt *stmt, struct arena *arena, struct str *ret,
                             struct err *err) {
    DEFER(json_freep) json_t *json = json_pack("[I]", (json_int_t)fingerprint(m));
    DEFER(buf_free) struct buf text = BUF_INIT(MAX_TOKEN_BYTES), encoded = BUF_INIT(2 * MAX_TOKEN_BYTES);
    int at = sqlite3_column_count(stmt) - (int)m->n_sorts;
    for (size_t i = 0; i < m->n_sorts; i++, at++) {
        json_t *value = m->sorts[i].is_text ? json_string((const char *)sqlite3_column_text(stmt, at))
                                            : json_integer(sqlite3_column_int64(stmt, at));
        if (json_array_append_new(json, value)) return err_oom(err);
    }
    if (!json_write(json, &text)) return err_oom(err);
    enc_base64url(&encoded, buf_str(&text));
    *ret = str_dup(arena, buf_str(&encoded));
    return ret->p ? OK : err_oom(err);
}

/* ---- the statement ---- */

static void add_order(struct making *m) {
    buf_add_z(&m->sql, " ORDER BY ");
    for (size_t i = 0; i < m->n_sorts; i++)
        buf_printf(&m->sql, "%s%s%s", i ? ", " : "", m->sorts[i].sql, m->sorts[i].descending ? " DESC" : "");
}

static enum code make_sql(struct making *m, const char *from, struct bound fixed, struct arena *arena, struct err *err) {
    DEFER(json_freep) json_t *token = NULL;
    enum code rc = read_orders(m, err);
    if (rc) return rc;
    if (m->query->continuation.n) rc = read_token(m, arena, &token, err);
    if (rc) return rc;
    buf_add_z(&m->sql, m->table->select);
    for (size_t i = 0; i < m->n_sorts; i++) buf_printf(&m->sql, ", %s", m->sorts[i].sql);
    buf_add_z(&m->sql, from);
    add_bound(m, fixed);
    rc = add_filters(m, err);
    if (rc) return rc;
    if (token) add_place(m, token);
    add_order(m);
    /* what is bound must outlive the token's tree */
    for (size_t i = 0; i < m->n_bound; i++) {
        if (!m->bound[i].is_text) continue;
        m->bound[i].text = str_dup(arena, m->bound[i].text);
        if (!m->bound[i].text.p) return err_oom(err);
    }
    return buf_ok(&m->sql) ? OK : err_oom(err);
}

static enum code prepare(struct pipelines *p, struct making *m, sqlite3_stmt **ret, struct err *err) {
    enum code rc = store_prepare(p->store, buf_str(&m->sql), ret, err);
    if (rc) return rc;
    for (size_t i = 0; i < m->n_bound; i++) {
        const struct bound *b = &m->bound[i];
        if (b->is_text) pipeline_rows_bind(*ret, (int)i + 1, b->text);
        else (void)sqlite3_bind_int64(*ret, (int)i + 1, b->number);
    }
    return OK;
}

struct page {
    struct making *m;
    struct arena *arena;
    size_t taken, arena_at_start;
    run_visit *visit_run;
    activity_visit *visit_activity;
    void *ctx;
};

static enum code visit_row(struct page *page, sqlite3_stmt *stmt, struct err *err) {
    struct run_info run;
    struct activity_info activity;
    enum code rc;
    if (page->visit_run) rc = query_read_run(stmt, page->arena, &run, err);
    else rc = query_read_activity(stmt, page->arena, &activity, err);
    if (rc) return rc;
    if (page->visit_run ? page->visit_run(page->ctx, &run) : page->visit_activity(page->ctx, &activity)) page->taken++;
    return OK;
}

static bool is_full(const struct page *page) {
    return page->taken >= PIPELINES_PAGE_RUNS || arena_used(page->arena) - page->arena_at_start > PIPELINES_PAGE_BYTES;
}

/* The token is made of the page's last row, once a row behind it shows that there are more. */
static enum code read_page(struct pipelines *p, struct page *page, struct str *ret_continuation, struct err *err) {
    DEFER(store_donep) sqlite3_stmt *stmt = NULL;
    struct str token = { 0 };
    enum code rc = prepare(p, page->m, &stmt, err);
    if (rc) return rc;
    page->arena_at_start = arena_used(page->arena);
    *ret_continuation = (struct str){ 0 };
    for (int step; (step = sqlite3_step(stmt)) != SQLITE_DONE;) {
        if (step != SQLITE_ROW) return store_error(store_sqlite(p->store), step, err);
        if (token.n) {
            *ret_continuation = token;
            return OK;
        }
        rc = visit_row(page, stmt, err);
        if (!rc && is_full(page)) rc = write_token(page->m, stmt, page->arena, &token, err);
        if (rc) return rc;
    }
    return OK;
}

enum code pipelines_query_runs(struct pipelines *p, const struct run_query *query, struct arena *arena, run_visit *visit,
                               void *ctx, struct str *ret_continuation, struct err *err) {
    struct making *m = ARENA_NEW(arena, struct making);
    if (!m) return err_oom(err);
    *m = (struct making){ .table = &runs_table, .query = query, .sql = BUF_INIT(MAX_SQL_BYTES) };
    struct page page = { .m = m, .arena = arena, .visit_run = visit, .ctx = ctx };
    enum code rc = make_sql(m, " FROM run WHERE seq>", (struct bound){ .number = 0 }, arena, err);
    if (!rc) rc = read_page(p, &page, ret_continuation, err);
    buf_free(&m->sql);
    return rc;
}

static enum code seq_of(struct pipelines *p, struct str id, int64_t *ret, struct err *err) {
    DEFER(store_donep) sqlite3_stmt *stmt = NULL;
    enum code rc = store_prepare(p->store, STR("SELECT seq FROM run WHERE id=?"), &stmt, err);
    if (rc) return rc;
    pipeline_rows_bind(stmt, 1, id);
    rc = pipeline_rows_step(p, stmt, "pipeline run", id, err);
    if (!rc) *ret = sqlite3_column_int64(stmt, 0);
    return rc;
}

enum code pipelines_query_activities(struct pipelines *p, const struct run_query *query, struct arena *arena,
                                     activity_visit *visit, void *ctx, struct str *ret_continuation, struct err *err) {
    int64_t seq = 0;
    struct making *m = ARENA_NEW(arena, struct making);
    if (!m) return err_oom(err);
    *m = (struct making){ .table = &activities_table, .query = query, .sql = BUF_INIT(MAX_SQL_BYTES) };
    struct page page = { .m = m, .arena = arena, .visit_activity = visit, .ctx = ctx };
    enum code rc = seq_of(p, query->run, &seq, err);
    if (!rc)
        rc = make_sql(m, " FROM activity a JOIN run r ON r.seq=a.run WHERE a.run=", (struct bound){ .number = seq }, arena,
                      err);
    if (!rc) rc = read_page(p, &page, ret_continuation, err);
    buf_free(&m->sql);
    return rc;
}
