/* An upstream's INFORMATION_SCHEMA becomes a catalog, or is refused: what lies, lacks or contradicts itself is not
 * believed. */
#include "far_pages.h"

#include <stdio.h>
#include <stdlib.h>

#include "googlesql/access.h"
#include "googlesql/parse.h"
#include "spanner/far_columns.h"

static const struct sql_catalog *music(void) {
    const struct sql_catalog *catalog = NULL;
    struct err err = { 0 };
    if (far_build_with(FAR_DIALECT, NULL, &catalog, &err)) fail_msg("%s", err.message);
    return catalog;
}

static const struct sql_table *table_of(const struct sql_catalog *catalog, const char *name) {
    const struct sql_table *t = sql_catalog_find(catalog, str_z(name));
    if (!t) fail_msg("no table %s", name);
    return t;
}

/* ---- what is built ---- */

static void test_tables_and_keys(void **state) {
    (void)state;
    const struct sql_catalog *c = music();
    assert_int_equal(c->n_tables, 5);
    for (size_t i = 0; i < c->n_tables; i++) assert_int_equal(c->tables[i]->id, i + 1);
    const struct sql_table *albums = table_of(c, "aLBUMS");
    assert_str(albums->name, "Albums");
    assert_int_equal(albums->n_columns, 3);
    assert_int_equal(albums->n_key, 2);
    assert_int_equal(albums->key[1].column, 1);
    assert_true(albums->key[1].desc && !albums->key[0].desc);
    assert_true(albums->columns[0].not_null && !albums->columns[2].not_null);
    const struct sql_index *index = sql_table_index(albums, STR("bytitle"));
    assert_non_null(index);
    assert_int_equal(index->n_columns, 2);
    assert_int_equal(index->columns[0], 2);
    assert_int_equal(index->desc, 1);
    assert_true(index->unique && !index->null_filtered && index->n_stored == 0);
    assert_str(albums->parent, "Singers");
    assert_str(albums->on_delete, "CASCADE");
    assert_str(table_of(c, "Songs")->on_delete, "NO ACTION");
    const struct sql_index *by_name = sql_table_index(table_of(c, "Singers"), STR("ByName"));
    assert_true(!by_name->unique && by_name->null_filtered && by_name->n_stored == 1);
    assert_int_equal(by_name->stored[0], 2);
    assert_str(by_name->state, "WRITE_ONLY");
    assert_int_equal(c->n_foreign_keys, 2);
    assert_str(c->foreign_keys[1].name, "FK_Who");
    assert_str(c->foreign_keys[1].parent->name, "Singers");
    assert_null(sql_table_index(table_of(c, "Singers"), STR("ByWords"))); /* a search index has no key to range over */
    assert_int_equal(sql_table_index(table_of(c, "Singers"), STR("ByName"))->n_columns, 1);
    far_schema_unref(c);
}

static void test_types(void **state) {
    (void)state;
    static const struct {
        const char *text;
        enum sql_type type;
        int64_t length;
    } cases[] = {
        { "BOOL", SQL_BOOL, 0 },
        { "INT64", SQL_INT64, 0 },
        { "FLOAT64", SQL_FLOAT64, 0 },
        { "TIMESTAMP", SQL_TIMESTAMP, 0 },
        { "DATE", SQL_DATE, 0 },
        { "STRING(MAX)", SQL_STRING, INT64_MAX },
        { "STRING(36)", SQL_STRING, 36 },
        { "BYTES(1024)", SQL_BYTES, 1024 },
        { "FLOAT32", SQL_UNKNOWN, 0 },
        { "NUMERIC", SQL_UNKNOWN, 0 },
        { "JSON", SQL_UNKNOWN, 0 },
        { "UUID", SQL_UNKNOWN, 0 },
        { "INTERVAL", SQL_UNKNOWN, 0 },
        { "TOKENLIST", SQL_UNKNOWN, 0 },
        { "ARRAY<INT64>", SQL_UNKNOWN, 0 },
        { "ARRAY<FLOAT32>(vector_length=>128)", SQL_UNKNOWN, 0 },
        { "PROTO<a.b.C>", SQL_UNKNOWN, 0 },
        { "ENUM<a.b.E>", SQL_UNKNOWN, 0 },
        { "STRING", SQL_UNKNOWN, 0 },
        { "STRING()", SQL_UNKNOWN, 0 },
        { "STRING(-1)", SQL_UNKNOWN, 0 },
        { "STRING(99999999999)", SQL_UNKNOWN, 0 },
        { "string(max)", SQL_UNKNOWN, 0 },
        { "INT64 ", SQL_UNKNOWN, 0 },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char rows[200];
        struct err err = { 0 };
        const struct sql_catalog *c = NULL;
        (void)snprintf(rows, sizeof rows, "|Albums|SingerId|1|INT64|NO\n|Albums|AlbumId|2|INT64|NO\n|Albums|Title|3|%s|YES",
                       cases[i].text);
        DEFER(arena_freep) struct arena *arena = arena_new(1 << 20);
        DEFER(far_build_freep) struct far_build *b = NULL;
        assert_int_equal(far_build_new(&b, &err), OK);
        const char *pages[] = { "GOOGLE_STANDARD_SQL", "|Albums|BASE TABLE|~|~", rows };
        for (unsigned q = 0; q < COUNT(pages); q++) {
            struct spanner_ResultSet page = far_page(arena, pages[q]);
            if (far_build_page(b, (enum far_query)q, &page, &err)) fail_msg("%s: %s", cases[i].text, err.message);
        }
        assert_int_equal(far_build_end(b, &c, &err), OK);
        const struct sql_column *column = &table_of(c, "Albums")->columns[2];
        bool other = cases[i].type == SQL_UNKNOWN;
        if (column->type != cases[i].type || column->max_length != cases[i].length || (column->other_type.n > 0) != other)
            fail_msg("%s", cases[i].text);
        far_schema_unref(c);
    }
}

static void test_whose_rows_go_with_it(void **state) {
    (void)state;
    const struct sql_catalog *c = music();
    DEFER(arena_freep) struct arena *arena = arena_new(1 << 20);
    const struct sql_table *const *found;
    size_t n;
    assert_true(sql_table_cascade(arena, table_of(c, "Singers"), &found, &n));
    assert_int_equal(n, 2); /* Albums (interleaved), Tours (foreign key); Songs would refuse */
    assert_str(found[0]->name, "Tours");
    assert_str(found[1]->name, "Albums");
    assert_true(sql_table_cascade(arena, table_of(c, "Albums"), &found, &n));
    assert_int_equal(n, 0);
    far_schema_unref(c);
}

#define TAIL "|CASCADE||fk||pk|YES"
#define RING "|Tours||Singers" TAIL "\n|Singers||Tours" TAIL "\n|Songs||Albums" TAIL

static void test_a_ring_of_cascades_ends(void **state) {
    (void)state;
    const struct sql_catalog *c = NULL;
    struct err err = { 0 };
    DEFER(arena_freep) struct arena *arena = arena_new(1 << 20);
    const struct sql_table *const *found;
    size_t n;
    assert_int_equal(far_build_with(FAR_FOREIGN_KEYS, RING, &c, &err), OK);
    assert_true(sql_table_cascade(arena, table_of(c, "Singers"), &found, &n));
    assert_int_equal(n, 3); /* each once, and not itself */
    far_schema_unref(c);
}

/* ---- what a statement reads ---- */

static enum code analyse(struct arena *arena, const struct sql_catalog *c, const char *sql, struct sql_analysis *ret,
                         struct str *ret_reads, struct err *err) {
    struct sql_query *query;
    struct sql_access_list access;
    enum code rc = sql_parse_query(arena, str_z(sql), &query, err);
    if (!rc) rc = sql_analyse(arena, str_z(sql), query, c, NULL, 0, ret, err);
    if (!rc) rc = sql_access(arena, ret, &access, err);
    if (rc) return rc;
    struct buf text = BUF_INIT(4096);
    for (size_t i = 0; i < access.n_tables; i++) {
        buf_printf(&text, "%s%.*s(", i ? " " : "", STR_ARG(access.tables[i].table->name));
        for (size_t k = 0; k < access.tables[i].n_columns; k++)
            buf_printf(&text, "%s%.*s", k ? " " : "", STR_ARG(access.tables[i].columns[k]));
        buf_add_char(&text, ')');
    }
    *ret_reads = str_dup(arena, buf_str(&text));
    buf_free(&text);
    return OK;
}

static void test_statements(void **state) {
    (void)state;
    static const struct {
        const char *sql, *reads; /* reads: "!" and a part of the refusal */
    } cases[] = {
        { "SELECT Title FROM Albums", "Albums(Title)" },
        { "SELECT Id FROM sales.Orders", "sales.Orders(Id)" },
        { "SELECT o.Id FROM SALES.orders AS o", "sales.Orders(Id)" },
        { "SELECT Orders.Id FROM sales.Orders", "sales.Orders(Id)" },
        { "SELECT Id FROM Orders", "!Table not found: Orders" },
        { "SELECT Id FROM sales.Albums", "!Table not found: sales.Albums" },
        { "SELECT Name FROM Loud", "!Loud is a view: not supported yet" },
        { "SELECT COUNT(*) FROM Loud", "!Loud is a view" },
        /* a generated column is what it is computed of, and what that is computed of */
        { "SELECT Card FROM Singers", "Singers(Name Phone Card)" },
        { "SELECT 1 FROM Singers WHERE Search = 'x'", "Singers(Name Phone Card Search)" },
        { "SELECT COUNT(*) FROM Singers", "Singers()" },
        /* what a name would mean to who sees a column less is read as well */
        { "SELECT ((SELECT c FROM (SELECT '5' AS c, '' AS Phone) AS d) ORDER BY Phone LIMIT 1) FROM Singers",
          "Singers(Phone)" },
        { "SELECT 1 FROM Singers WHERE EXISTS (SELECT 1 FROM (SELECT 'x' AS Phone) AS s WHERE Phone = 'x')",
          "Singers(Phone)" },
        { "SELECT 1 FROM Singers AS s WHERE EXISTS (SELECT 1 FROM (SELECT 'x' AS Phone) AS s WHERE s.Phone = 'x')",
          "Singers(Phone)" },
        { "SELECT 1 FROM (SELECT s.* FROM (SELECT 'x' AS Phone) AS s, Singers ORDER BY Phone LIMIT 1)", "Singers(Phone)" },
        { "SELECT 1 FROM Singers WHERE EXISTS (SELECT 1 FROM Singers AS t WHERE t.Name = 'x')", "Singers(Name)" },
        /* nor is a schema's name another's */
        { "SELECT (SELECT COUNT(*) FROM sales.Orders) FROM Singers AS sales", "!sales as a schema and as" },
        { "SELECT 1 FROM Singers AS Sales CROSS JOIN sales.Orders", "!Sales as a schema and as" },
        { "SELECT 1 FROM (SELECT 1 AS sales) CROSS JOIN sales.Orders", "!sales as a schema and as" },
        { "SELECT sales.Id FROM sales.Orders AS sales", "sales.Orders(Id)" },
        /* another type refuses its uses, not the table */
        { "SELECT Extra FROM Singers", "!Column Singers.Extra of type JSON" },
        { "SELECT * FROM Singers", "!Column Singers.Extra of type JSON" },
        { "SELECT * EXCEPT (Extra, Tags) FROM Singers", "Singers(SingerId Name Phone Card Search)" },
        { "SELECT 1 FROM Singers WHERE Tags IS NULL", "!Column Singers.Tags of type ARRAY<STRING(20)>" },
        { "SELECT COUNT(*) FROM (SELECT * FROM Singers)", "!Column Singers.Extra" },
        { "SELECT 1 FROM Singers s JOIN Singers t USING (Extra)", "!Column Singers.Extra" },
        { "SELECT Name FROM Singers ORDER BY Extra", "!Column Singers.Extra" },
        { "WITH w AS (SELECT Extra AS e FROM Singers) SELECT 1 FROM w", "!Column Singers.Extra" },
    };
    const struct sql_catalog *c = music();
    for (size_t i = 0; i < COUNT(cases); i++) {
        DEFER(arena_freep) struct arena *arena = arena_new(4 << 20);
        struct sql_analysis analysis;
        struct err err = { 0 };
        struct str reads = { 0 };
        enum code rc = analyse(arena, c, cases[i].sql, &analysis, &reads, &err);
        bool refused = cases[i].reads[0] == '!';
        bool as_due = refused ? rc && str_find(str_z(err.message), str_z(cases[i].reads + 1)) >= 0
                              : !rc && str_eq_z(reads, cases[i].reads);
        if (!as_due) fail_msg("%s: \"%.*s\" %s", cases[i].sql, STR_ARG(reads), err.message);
    }
    far_schema_unref(c);
}

/* ---- the fence ---- */

static void test_columns_of_the_answer(void **state) {
    (void)state;
    enum { NAME = 6, INT = 2, JSON = 11, ARRAY = 8 };
    static const struct {
        const char *what;
        struct {
            const char *name;
            int32_t type;
        } columns[3];
        size_t n;
        bool same;
    } cases[] = {
        { "as analysed", { { "t", NAME }, { "", INT } }, 2, true },
        { "another case", { { "T", NAME }, { "", INT } }, 2, true },
        { "another name", { { "u", NAME }, { "", INT } }, 2, false },
        { "a name more", { { "t", NAME }, { "x", INT } }, 2, false },
        { "another type", { { "t", JSON }, { "", INT } }, 2, false },
        { "an array", { { "t", ARRAY }, { "", INT } }, 2, false },
        { "one column less", { { "t", NAME } }, 1, false },
        { "one column more", { { "t", NAME }, { "", INT }, { "", INT } }, 3, false },
        { "no type", { { "t", 0 }, { "", INT } }, 2, false },
        { "none", { { 0 } }, 0, false },
    };
    const struct sql_catalog *c = music();
    DEFER(arena_freep) struct arena *arena = arena_new(4 << 20);
    struct sql_analysis analysis;
    struct str reads;
    struct err err = { 0 };
    assert_int_equal(analyse(arena, c, "SELECT Title AS t, 1 + 1 FROM Albums", &analysis, &reads, &err), OK);
    const struct far_columns columns = { .analysis = &analysis };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct spanner_Type types[3] = { 0 };
        struct spanner_StructType_Field fields[3] = { 0 };
        for (size_t k = 0; k < cases[i].n; k++) {
            types[k].code = cases[i].columns[k].type;
            fields[k] = (struct spanner_StructType_Field){ str_z(cases[i].columns[k].name), &types[k] };
        }
        struct spanner_StructType row = { .fields = { fields, cases[i].n } };
        struct spanner_ResultSetMetadata metadata = { .row_type = &row };
        if ((far_columns_check(&columns, &metadata, &err) == OK) != cases[i].same) fail_msg("%s", cases[i].what);
    }
    struct spanner_Type text = { .code = NAME }, number = { .code = INT, .type_annotation = 2 };
    struct spanner_StructType_Field fields[] = { { STR("t"), &text }, { STR(""), &number } };
    struct spanner_StructType row = { .fields = { fields, 2 } };
    struct spanner_ResultSetMetadata metadata = { .row_type = &row };
    static const struct spanner_ResultSetMetadata nothing;
    assert_int_equal(far_columns_check(&columns, &metadata, &err), FAILED_PRECONDITION); /* PG.NUMERIC is another type */
    assert_int_equal(far_columns_check(&columns, NULL, &err), FAILED_PRECONDITION);
    assert_int_equal(far_columns_check(&columns, &nothing, &err), FAILED_PRECONDITION);
    far_schema_unref(c);
}

/* ---- what is not believed ---- */

static void test_lies(void **state) {
    (void)state;
    static const struct {
        const char *what;
        enum far_query query;
        const char *rows;
        enum code code;
    } cases[] = {
        { "no dialect", FAR_DIALECT, "", INTERNAL },
        { "another dialect", FAR_DIALECT, "POSTGRESQL", UNIMPLEMENTED },
        { "two dialects", FAR_DIALECT, "GOOGLE_STANDARD_SQL\nGOOGLE_STANDARD_SQL", INTERNAL },
        { "a table twice", FAR_TABLES, "|Albums|BASE TABLE|~|~\n|ALBUMS|BASE TABLE|~|~", INTERNAL },
        { "a short row", FAR_TABLES, "|Albums|BASE TABLE", INTERNAL },
        { "a long row", FAR_TABLES, "|Albums|BASE TABLE|~|~|~", INTERNAL },
        { "no name", FAR_TABLES, "||BASE TABLE|~|~", INTERNAL },
        { "a NULL name", FAR_TABLES, "|~|BASE TABLE|~|~", INTERNAL },
        { "a NULL kind", FAR_TABLES, "|Albums|~|~|~", INTERNAL },
        { "a number for a name", FAR_TABLES, "|#|BASE TABLE|~|~", INTERNAL },
        { "a name with a dot", FAR_TABLES, "|a.b|BASE TABLE|~|~", INTERNAL },
        { "a name with a blank", FAR_TABLES, "|a b|BASE TABLE|~|~", INTERNAL },
        { "a schema's name with a quote", FAR_TABLES, "a`|b|BASE TABLE|~|~", INTERNAL },
        { "a parent that is not there", FAR_TABLES, "|Albums|BASE TABLE|Nobody|CASCADE", INTERNAL },
        { "a parent in another schema", FAR_TABLES, "s|Albums|BASE TABLE|Singers|CASCADE\n|Singers|BASE TABLE|~|~",
          INTERNAL },
        { "a parent that is a view", FAR_TABLES, "|Albums|BASE TABLE|Loud|CASCADE\n|Loud|VIEW|~|~", INTERNAL },
        { "cascading from nobody", FAR_TABLES, "|Albums|BASE TABLE|~|CASCADE", INTERNAL },
        { "a column twice", FAR_COLUMNS, "|Albums|Title|1|INT64|NO\n|Albums|TITLE|2|INT64|NO", INTERNAL },
        { "an ordinal twice", FAR_COLUMNS, "|Albums|a|1|INT64|NO\n|Albums|b|1|INT64|NO", INTERNAL },
        { "an ordinal that falls", FAR_COLUMNS, "|Albums|a|9|INT64|NO\n|Albums|b|8|INT64|NO", INTERNAL },
        { "an ordinal of nothing", FAR_COLUMNS, "|Albums|a|0|INT64|NO", INTERNAL },
        { "an ordinal below nothing", FAR_COLUMNS, "|Albums|a|-3|INT64|NO", INTERNAL },
        { "an ordinal beyond all numbers", FAR_COLUMNS, "|Albums|a|92233720368547758080|INT64|NO", INTERNAL },
        { "an ordinal in words", FAR_COLUMNS, "|Albums|a|one|INT64|NO", INTERNAL },
        { "a NULL ordinal", FAR_COLUMNS, "|Albums|a|~|INT64|NO", INTERNAL },
        { "no type", FAR_COLUMNS, "|Albums|a|1||NO", INTERNAL },
        { "a NULL type", FAR_COLUMNS, "|Albums|a|1|~|NO", INTERNAL },
        { "a column with a bad name", FAR_COLUMNS, "|Albums|a-b|1|INT64|NO", INTERNAL },
        { "a key of a missing column", FAR_KEYS, "|Albums|PRIMARY_KEY|PRIMARY_KEY|Nix|1|ASC", INTERNAL },
        { "a key with a gap", FAR_KEYS, "|Albums|PRIMARY_KEY|PRIMARY_KEY|SingerId|2|ASC", INTERNAL },
        { "an index of a missing column", FAR_KEYS, "|Albums|i|INDEX|Nix|1|ASC", INTERNAL },
        { "an index in two places", FAR_KEYS,
          "|Albums|i|INDEX|Title|1|ASC\n|Albums|j|INDEX|Title|1|ASC\n|Albums|i|INDEX|AlbumId|2|ASC", INTERNAL },
        { "computed of a missing column", FAR_SOURCES, "|Singers|Nix|Card", INTERNAL },
        { "a missing column computed", FAR_SOURCES, "|Singers|Name|Nix", INTERNAL },
        { "computed of it twice", FAR_SOURCES, "|Singers|Name|Card\n|Singers|Name|Card", INTERNAL },
        { "a foreign key of a missing table", FAR_FOREIGN_KEYS, "|Nix||Singers" TAIL, INTERNAL },
        { "a foreign key to a missing table", FAR_FOREIGN_KEYS, "|Tours||Nix" TAIL, INTERNAL },
        { "a foreign key to a view", FAR_FOREIGN_KEYS, "|Tours||Loud" TAIL, INTERNAL },
        { "a foreign key of which half is not there", FAR_FOREIGN_KEYS, "|Tours|~|~" TAIL, INTERNAL },
        { "a foreign key of which the other half is not there", FAR_FOREIGN_KEYS, "~|~||Singers|CASCADE||fk||pk|~",
          INTERNAL },
        { "a foreign key of an unknown rule", FAR_FOREIGN_KEYS, "|Tours||Nix|SET NULL||fk||pk|YES", INTERNAL },
        { "a foreign key without a rule", FAR_FOREIGN_KEYS, "|Tours||Nix|~||fk||pk|YES", INTERNAL },
        { "an index without a key", FAR_INDEXES, "|Albums|Nix|INDEX|~|true|false|READ_WRITE|false", INTERNAL },
        { "an index of no kind", FAR_INDEXES, "|Albums|ByTitle|~|~|true|false|READ_WRITE|false", INTERNAL },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct sql_catalog *c = NULL;
        struct err err = { 0 };
        enum code rc = far_build_with(cases[i].query, cases[i].rows, &c, &err);
        if (rc != cases[i].code || err.code != rc) fail_msg("%s: %s %s", cases[i].what, code_name(rc), err.message);
        assert_null(c);
    }
}

static void test_what_belongs_to_nobody_is_left_out(void **state) {
    (void)state;
    const struct sql_catalog *c = NULL;
    struct err err = { 0 };
    assert_int_equal(far_build_with(FAR_SOURCES, "|Nix|a|b\n|Loud|Name|Other", &c, &err), OK);
    far_schema_unref(c);
}

/* The rest of the schema is as good as ever. */
static void test_a_key_that_carries_no_delete_on_may_lack_a_table(void **state) {
    (void)state;
    static const struct {
        const char *what, *row;
    } cases[] = {
        { "its child is not there", "|Nix||Singers|NO ACTION||fk||pk|YES" },
        { "what it refers to is not there", "|Tours||Nix|NO ACTION||fk||pk|YES" },
        { "it refers to a view", "|Tours||Loud|NO ACTION||fk||pk|YES" },
        { "the child's half is not there", "~|~||Singers|NO ACTION||fk||pk|~" },
        { "the other half is not there", "|Tours|~|~|NO ACTION||fk||pk|YES" },
        { "a name without its schema", "|Tours|~|Singers|NO ACTION||fk||pk|YES" },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct sql_catalog *c = NULL;
        struct err err = { 0 };
        char rows[300];
        (void)snprintf(rows, sizeof rows, "%s\n%s", cases[i].row, far_music[FAR_FOREIGN_KEYS]);
        if (far_build_with(FAR_FOREIGN_KEYS, rows, &c, &err)) fail_msg("%s: %s", cases[i].what, err.message);
        if (c->n_tables != 5 || c->n_foreign_keys != 2 || table_of(c, "Singers")->n_cascades != 2)
            fail_msg("%s", cases[i].what);
        far_schema_unref(c);
    }
}

/* ---- limits ---- */

static enum code columns_of(unsigned n_tables, unsigned n_columns, struct err *err) {
    DEFER(arena_freep) struct arena *arena = arena_new(512 << 20);
    DEFER(far_build_freep) struct far_build *b = NULL;
    const struct sql_catalog *c = NULL;
    enum code rc = far_build_new(&b, err);
    struct spanner_ResultSet page = far_page(arena, "GOOGLE_STANDARD_SQL");
    if (!rc) rc = far_build_page(b, FAR_DIALECT, &page, err);
    for (unsigned t = 0; !rc && t < n_tables; t++) {
        page = far_page(arena, arena_printf(arena, "|T%u|BASE TABLE|~|~", t).p);
        rc = far_build_page(b, FAR_TABLES, &page, err);
    }
    for (unsigned t = 0; !rc && t < n_tables; t++)
        for (unsigned i = 0; !rc && i < n_columns; i++) {
            page = far_page(arena, arena_printf(arena, "|T%u|c%u|%u|INT64|NO", t, i, i + 1).p);
            rc = far_build_page(b, FAR_COLUMNS, &page, err);
        }
    if (!rc) rc = far_build_end(b, &c, err);
    far_schema_unref(c);
    return rc;
}

static void test_limits(void **state) {
    (void)state;
    struct err err = { 0 };
    assert_int_equal(columns_of(1, 1024, &err), OK);
    assert_int_equal(columns_of(1, 1025, &err), RESOURCE_EXHAUSTED);
    assert_int_equal(columns_of(50, 1000, &err), OK);
    assert_int_equal(columns_of(51, 1000, &err), RESOURCE_EXHAUSTED);
    assert_int_equal(columns_of(10001, 0, &err), RESOURCE_EXHAUSTED);
}

static void test_a_key_has_sixteen_parts(void **state) {
    (void)state;
    for (unsigned n = 16; n <= 17; n++) {
        struct buf rows = BUF_INIT(1 << 16), keys = BUF_INIT(1 << 16);
        DEFER(arena_freep) struct arena *arena = arena_new(16 << 20);
        DEFER(far_build_freep) struct far_build *b = NULL;
        struct err err = { 0 };
        assert_int_equal(far_build_new(&b, &err), OK);
        for (unsigned i = 1; i <= n; i++) {
            buf_printf(&rows, "%s|T|c%u|%u|INT64|NO", i > 1 ? "\n" : "", i, i);
            buf_printf(&keys, "%s|T|PRIMARY_KEY|PRIMARY_KEY|c%u|%u|ASC", i > 1 ? "\n" : "", i, i);
        }
        buf_add_char(&rows, 0);
        buf_add_char(&keys, 0);
        const char *pages[] = { "GOOGLE_STANDARD_SQL", "|T|BASE TABLE|~|~", rows.p, keys.p };
        enum code rc = OK;
        for (unsigned q = 0; !rc && q < COUNT(pages); q++) {
            struct spanner_ResultSet page = far_page(arena, pages[q]);
            rc = far_build_page(b, (enum far_query)q, &page, &err);
        }
        assert_int_equal(rc, n == 16 ? OK : INTERNAL);
        buf_free(&rows);
        buf_free(&keys);
    }
}

static void test_a_page_that_is_too_long(void **state) {
    (void)state;
    static struct pb_ListValue rows[FAR_PAGE_ROWS + 1];
    DEFER(far_build_freep) struct far_build *b = NULL;
    struct err err = { 0 };
    struct spanner_ResultSet page = { .rows = { rows, COUNT(rows) } };
    assert_int_equal(far_build_new(&b, &err), OK);
    assert_int_equal(far_build_page(b, FAR_TABLES, &page, &err), INTERNAL);
}

static void test_memory_runs_out(void **state) {
    (void)state;
    bool whole = false;
    for (unsigned n = 1; !whole; n++) {
        DEFER(arena_freep) struct arena *arena = arena_new(1 << 20);
        DEFER(far_build_freep) struct far_build *b = NULL;
        struct spanner_ResultSet pages[FAR_QUERIES];
        const struct sql_catalog *c = NULL;
        struct err err = { 0 };
        for (unsigned q = 0; q < FAR_QUERIES; q++) pages[q] = far_page(arena, far_music[q]);
        arena_fail_after(n);
        enum code rc = far_build_new(&b, &err);
        for (unsigned q = 0; !rc && q < FAR_QUERIES; q++) rc = far_build_page(b, (enum far_query)q, &pages[q], &err);
        if (!rc) rc = far_build_end(b, &c, &err);
        arena_fail_after(0);
        whole = rc == OK;
        if (!whole) assert_int_equal(rc, RESOURCE_EXHAUSTED);
        far_schema_unref(c);
        assert_true(n < 10000);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tables_and_keys),
        cmocka_unit_test(test_types),
        cmocka_unit_test(test_whose_rows_go_with_it),
        cmocka_unit_test(test_a_ring_of_cascades_ends),
        cmocka_unit_test(test_statements),
        cmocka_unit_test(test_columns_of_the_answer),
        cmocka_unit_test(test_lies),
        cmocka_unit_test(test_what_belongs_to_nobody_is_left_out),
        cmocka_unit_test(test_a_key_that_carries_no_delete_on_may_lack_a_table),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_a_key_has_sixteen_parts),
        cmocka_unit_test(test_a_page_that_is_too_long),
        cmocka_unit_test(test_memory_runs_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
