/* lk, lkn, lkz: keys made within SQLite, so that a join or a predicate uses the key's index. */
#include <math.h>
#include "engine/key.h"

static bool letter_type(char letter, enum sql_type *ret) {
    static const struct {
        char letter;
        enum sql_type type;
    } letters[] = { { 'b', SQL_BOOL }, { 'i', SQL_INT64 },  { 'f', SQL_FLOAT64 }, { 't', SQL_TIMESTAMP },
                    { 'd', SQL_DATE }, { 's', SQL_STRING }, { 'y', SQL_BYTES } };
    for (size_t i = 0; i < COUNT(letters); i++)
        if (letters[i].letter == letter) {
            *ret = letters[i].type;
            return true;
        }
    return false;
}

static bool spec_part(struct str spec, int i, enum sql_type *ret_type, bool *ret_desc) {
    char direction = spec.p[2 * i + 1];
    *ret_desc = direction == '-';
    return (direction == '+' || direction == '-') && letter_type(spec.p[2 * i], ret_type);
}

/* NULL, or what is wrong. *ret_null: a part is NULL or NaN and no row can be equal to it. */
static const char *make_key(int n, sqlite3_value **args, bool nulls, struct buf *out, bool *ret_null) {
    if (n < 1 || sqlite3_value_type(args[0]) != SQLITE_TEXT) return "lk: no spec";
    struct str spec = { (const char *)sqlite3_value_text(args[0]), (size_t)sqlite3_value_bytes(args[0]) };
    if (spec.n != 2 * (size_t)(n - 1)) return "lk: the spec does not fit the arguments";
    for (int i = 0; i < n - 1; i++) {
        enum sql_type type = SQL_UNKNOWN;
        struct sql_value v;
        bool desc = false;
        if (!spec_part(spec, i, &type, &desc)) return "lk: bad spec";
        if (!value_read(args[i + 1], type, &v)) return "lk: a value is not of its type";
        if (!nulls && (v.is_null || (type == SQL_FLOAT64 && isnan(v.f64)))) *ret_null = true;
        key_encode_part(&v, desc, out);
    }
    return buf_ok(out) ? NULL : "lk: the key is too large";
}

static void give_key(sqlite3_context *ctx, int n, sqlite3_value **args, bool nulls) {
    DEFER(buf_free) struct buf out = BUF_INIT(KEY_MAX_BYTES);
    bool null = false;
    const char *fault = make_key(n, args, nulls, &out, &null);
    if (fault) sqlite3_result_error(ctx, fault, -1);
    else if (null) sqlite3_result_null(ctx);
    else sqlite3_result_blob64(ctx, out.n ? out.p : "", out.n, SQLITE_TRANSIENT);
}

static void lk(sqlite3_context *ctx, int n, sqlite3_value **args) {
    give_key(ctx, n, args, false);
}
static void lkn(sqlite3_context *ctx, int n, sqlite3_value **args) {
    give_key(ctx, n, args, true);
}

static void lkz(sqlite3_context *ctx, int n, sqlite3_value **args) {
    (void)n;
    DEFER(buf_free) struct buf out = BUF_INIT(KEY_MAX_BYTES + 1);
    bool blob = sqlite3_value_type(args[0]) == SQLITE_BLOB;
    if (blob) buf_add(&out, sqlite3_value_blob(args[0]), (size_t)sqlite3_value_bytes(args[0]));
    buf_add_char(&out, '\xff');
    if (!buf_ok(&out)) sqlite3_result_error(ctx, "lkz: the key is too large", -1);
    else if (blob) sqlite3_result_blob64(ctx, out.p, out.n, SQLITE_TRANSIENT);
    else sqlite3_result_null(ctx);
}

int key_register(sqlite3 *db) {
    static const struct {
        const char *name;
        int args;
        void (*fn)(sqlite3_context *, int, sqlite3_value **);
    } functions[] = { { "lk", -1, lk }, { "lkn", -1, lkn }, { "lkz", 1, lkz } };
    int rc = SQLITE_OK;
    for (size_t i = 0; i < COUNT(functions) && rc == SQLITE_OK; i++)
        rc = sqlite3_create_function_v2(db, functions[i].name, functions[i].args,
                                        SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS, NULL, functions[i].fn, NULL,
                                        NULL, NULL);
    return rc;
}
