/* far_pages.h: what an upstream's INFORMATION_SCHEMA answers, as text: a row a line, cells between '|', "~" is NULL. */
#pragma once
#include "../test.h"
#include "base/arena.h"
#include "base/err.h"
#include "spanner/far_schema_build.h"
#include "wire/pb/spanner.pb.h"
#include "wire/pb/wkt.pb.h"

static inline struct str far_line(struct str *rest, char sep) {
    return str_cut(rest, sep);
}

static inline struct spanner_ResultSet far_page(struct arena *arena, const char *text) {
    struct spanner_ResultSet set = { 0 };
    size_t cap = 0;
    for (struct str rest = str_z(text); rest.n;) {
        struct str line = far_line(&rest, '\n');
        struct pb_ListValue row = { 0 };
        row.values.p = ARENA_ARRAY(arena, struct pb_Value, 16);
        assert_non_null(row.values.p);
        for (bool more = true; more;) {
            struct str cell = far_line(&line, '|');
            more = line.p != NULL;
            struct pb_Value v = { .kind_case = pb_Value_kind_string_value, .string_value = cell };
            if (str_eq_z(cell, "~")) v = (struct pb_Value){ .kind_case = pb_Value_kind_null_value };
            if (str_eq_z(cell, "#")) v = (struct pb_Value){ .kind_case = pb_Value_kind_number_value, .number_value = 1 };
            row.values.p[row.values.n++] = v;
        }
        assert_true(arena_grow(arena, &set.rows.p, &cap, set.rows.n + 1, sizeof row));
        set.rows.p[set.rows.n++] = row;
    }
    return set;
}

static const char *const far_music[FAR_QUERIES] = {
    [FAR_DIALECT] = "GOOGLE_STANDARD_SQL",
    [FAR_TABLES] = "|Albums|BASE TABLE|Singers|CASCADE\n"
                   "|Loud|VIEW|~|~\n"
                   "|Singers|BASE TABLE|~|~\n"
                   "|Songs|BASE TABLE|Albums|NO ACTION\n"
                   "|Tours|BASE TABLE|~|~\n"
                   "sales|Orders|BASE TABLE|~|~",
    [FAR_COLUMNS] = "|Albums|SingerId|1|INT64|NO\n"
                    "|Albums|AlbumId|2|INT64|NO\n"
                    "|Albums|Title|3|STRING(MAX)|YES\n"
                    "|Loud|Name|1|STRING(0)|YES\n"
                    "|Singers|SingerId|1|INT64|NO\n"
                    "|Singers|Name|2|STRING(40)|YES\n"
                    "|Singers|Phone|4|STRING(MAX)|YES\n"
                    "|Singers|Card|5|STRING(MAX)|YES\n"
                    "|Singers|Search|6|STRING(MAX)|YES\n"
                    "|Singers|Extra|7|JSON|YES\n"
                    "|Singers|Tags|8|ARRAY<STRING(20)>|YES\n"
                    "|Songs|SingerId|1|INT64|NO\n"
                    "|Tours|Id|1|BYTES(16)|NO\n"
                    "|Tours|SingerId|2|INT64|YES\n"
                    "sales|Orders|Id|1|INT64|YES",
    [FAR_KEYS] = "|Albums|ByTitle|INDEX|Title|1|DESC\n"
                 "|Albums|ByTitle|INDEX|AlbumId|2|ASC\n"
                 "|Albums|PRIMARY_KEY|PRIMARY_KEY|SingerId|1|ASC\n"
                 "|Albums|PRIMARY_KEY|PRIMARY_KEY|AlbumId|2|DESC\n"
                 "|Singers|ByName|INDEX|Phone|~|~\n"
                 "|Singers|ByName|INDEX|Name|1|ASC\n"
                 "|Singers|ByWords|SEARCH|Words|1|ASC\n"
                 "|Singers|PRIMARY_KEY|PRIMARY_KEY|SingerId|1|ASC\n"
                 "|Songs|PRIMARY_KEY|PRIMARY_KEY|SingerId|1|ASC\n"
                 "|Tours|PRIMARY_KEY|PRIMARY_KEY|Id|1|ASC\n"
                 "sales|Orders|PRIMARY_KEY|PRIMARY_KEY|Id|1|ASC",
    [FAR_SOURCES] = "|Singers|Card|Search\n"
                    "|Singers|Name|Card\n"
                    "|Singers|Phone|Card",
    [FAR_FOREIGN_KEYS] = "|Songs||Tours|NO ACTION||FK_SongTour||PK_Tours|YES\n"
                         "|Tours||Singers|CASCADE||FK_Who||PK_Singers|YES",
    [FAR_INDEXES] = "|Albums|ByTitle|INDEX||true|false|READ_WRITE|false\n"
                    "|Singers|ByName|INDEX|~|false|true|WRITE_ONLY|false",
};

/* Builds of the music, with the page of one query replaced by `text` (NULL: none). */
static inline enum code far_build_with(enum far_query query, const char *text, const struct sql_catalog **ret,
                                       struct err *err) {
    DEFER(arena_freep) struct arena *arena = arena_new(64 << 20);
    DEFER(far_build_freep) struct far_build *build = NULL;
    assert_non_null(arena);
    enum code rc = far_build_new(&build, err);
    for (unsigned i = 0; !rc && i < FAR_QUERIES; i++) {
        struct spanner_ResultSet page = far_page(arena, text && i == (unsigned)query ? text : far_music[i]);
        rc = far_build_page(build, (enum far_query)i, &page, err);
    }
    return rc ? rc : far_build_end(build, ret, err);
}
