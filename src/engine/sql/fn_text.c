/* fn_text.c: STRING (code points) and BYTES. TEXT may hold NUL: lengths are SQLite's, never strlen's. */
#include <ctype.h>
#include <string.h>
#include <utf8proc.h>
#include "base/arena.h"
#include "base/enc.h"
#include "engine/sql/fn.h"

#define BUF_RESULT BUF_INIT(FN_MAX_RESULT)

/* The bytes of the character at the front: one for BYTES. */
static size_t char_size(struct str s, bool text) {
    size_t n = 1;
    while (text && n < s.n && ((unsigned char)s.p[n] & 0xC0) == 0x80) n++;
    return s.n < n ? s.n : n;
}

static size_t length(struct str s, bool text) {
    return text ? utf8_length(s) : s.n;
}

static size_t bytes_of(struct str s, size_t characters, bool text) {
    size_t n = 0;
    while (characters-- && n < s.n) n += char_size(str_from(s, n), text);
    return n;
}

static void concat(sqlite3_context *ctx, int n, sqlite3_value **args) {
    struct buf b = BUF_RESULT;
    for (int i = 0; i < n; i++) buf_add_str(&b, arg_str(args[i]));
    result_buf(ctx, &b, arg_is_text(args[0]));
}

static void char_length(sqlite3_context *ctx, int n, sqlite3_value **args) {
    (void)n;
    sqlite3_result_int64(ctx, (int64_t)utf8_length(arg_str(args[0])));
}

static void byte_length(sqlite3_context *ctx, int n, sqlite3_value **args) {
    (void)n;
    sqlite3_result_int64(ctx, sqlite3_value_bytes(args[0]));
}

/* Letters whose other case is more than one letter, or hangs on what stands around (Unicode's SpecialCasing.txt). */
static bool special(uint32_t c, bool upper) {
    if (!upper) return c == 0x3A3; /* final sigma */
    return c == 0x149 || c == 0x1F0 || c == 0x390 || c == 0x3B0 || c == 0x587 || (c >= 0x1E96 && c <= 0x1E9A) ||
           (c >= 0x1F50 && c <= 0x1F56 && c % 2 == 0) || (c >= 0x1F80 && c <= 0x1FFC) || (c >= 0xFB00 && c <= 0xFB17);
}

static void put(struct buf *b, uint32_t c) {
    char bytes[4];
    buf_add(b, bytes, utf8_put(c, bytes));
}

static void change_case(sqlite3_context *ctx, sqlite3_value **args, bool upper) {
    struct str rest = arg_str(args[0]);
    struct buf b = BUF_RESULT;
    uint32_t c;
    while (utf8_next(&rest, &c)) {
        if (special(c, upper)) {
            buf_free(&b);
            fail(ctx, UNIMPLEMENTED,
                 upper ? "UPPER of a letter with several upper-case letters: not supported yet"
                       : "LOWER of a Greek sigma: not supported yet");
            return;
        }
        if (upper && c == 0xDF) buf_add_z(&b, "SS");
        else if (!upper && c == 0x130) buf_add_z(&b, "i\xCC\x87");
        else put(&b, (uint32_t)(upper ? utf8proc_toupper((utf8proc_int32_t)c) : utf8proc_tolower((utf8proc_int32_t)c)));
    }
    result_buf(ctx, &b, true);
}

static void upper(sqlite3_context *ctx, int n, sqlite3_value **args) {
    (void)n;
    change_case(ctx, args, true);
}

static void lower(sqlite3_context *ctx, int n, sqlite3_value **args) {
    (void)n;
    change_case(ctx, args, false);
}

static bool in_set(struct str set, struct str character) {
    for (size_t i = 0; i < set.n;) {
        size_t n = char_size(str_from(set, i), true);
        if (n == character.n && memcmp(set.p + i, character.p, n) == 0) return true;
        i += n;
    }
    return false;
}

/* Without a set: Unicode's white space. */
static bool trimmed(struct str character, const struct str *set) {
    uint32_t c = 0;
    if (set) return in_set(*set, character);
    (void)utf8_next(&character, &c);
    return (c >= 9 && c <= 13) || c == 0x20 || c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) ||
           c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

static size_t last_char(struct str s) {
    size_t n = 1;
    while (n < s.n && ((unsigned char)s.p[s.n - n] & 0xC0) == 0x80) n++;
    return n;
}

static void trim_sides(sqlite3_context *ctx, int n, sqlite3_value **args, bool left, bool right) {
    struct str s = arg_str(args[0]), set = n > 1 ? arg_str(args[1]) : STR("");
    const struct str *chosen = n > 1 ? &set : NULL;
    while (left && s.n && trimmed(str_upto(s, char_size(s, true)), chosen)) s = str_from(s, char_size(s, true));
    while (right && s.n && trimmed(str_from(s, s.n - last_char(s)), chosen)) s.n -= last_char(s);
    result_str(ctx, s, true);
}

static void trim(sqlite3_context *ctx, int n, sqlite3_value **args) {
    trim_sides(ctx, n, args, true, true);
}

static void ltrim(sqlite3_context *ctx, int n, sqlite3_value **args) {
    trim_sides(ctx, n, args, true, false);
}

static void rtrim(sqlite3_context *ctx, int n, sqlite3_value **args) {
    trim_sides(ctx, n, args, false, true);
}

/* From 1; 0 is 1; negative counts from the end, and before the beginning is the beginning. */
static void substr(sqlite3_context *ctx, int n, sqlite3_value **args) {
    struct str s = arg_str(args[0]);
    bool text = arg_is_text(args[0]);
    int64_t from = sqlite3_value_int64(args[1]), count = n > 2 ? sqlite3_value_int64(args[2]) : INT64_MAX;
    int64_t total = (int64_t)length(s, text);
    if (count < 0) {
        fail_range(ctx, "Third argument in SUBSTR() cannot be negative");
        return;
    }
    if (from < 0) from = from < -total ? 0 : total + from;
    else if (from > 0) from--;
    s = str_from(s, bytes_of(s, (size_t)(from > total ? total : from), text));
    result_str(ctx, str_upto(s, bytes_of(s, (size_t)(count > total ? total : count), text)), text);
}

static void strpos(sqlite3_context *ctx, int n, sqlite3_value **args) {
    struct str s = arg_str(args[0]), what = arg_str(args[1]);
    (void)n;
    ptrdiff_t at = what.n ? str_find(s, what) : 0;
    sqlite3_result_int64(ctx, at < 0 ? 0 : (int64_t)length(str_upto(s, (size_t)at), arg_is_text(args[0])) + 1);
}

static void starts_with(sqlite3_context *ctx, int n, sqlite3_value **args) {
    (void)n;
    sqlite3_result_int(ctx, str_starts(arg_str(args[0]), arg_str(args[1])));
}

static void ends_with(sqlite3_context *ctx, int n, sqlite3_value **args) {
    (void)n;
    sqlite3_result_int(ctx, str_ends(arg_str(args[0]), arg_str(args[1])));
}

static void replace(sqlite3_context *ctx, int n, sqlite3_value **args) {
    struct str s = arg_str(args[0]), what = arg_str(args[1]), with = arg_str(args[2]);
    struct buf b = BUF_RESULT;
    (void)n;
    for (ptrdiff_t at; what.n && (at = str_find(s, what)) >= 0;) {
        buf_add_str(&b, str_upto(s, (size_t)at));
        buf_add_str(&b, with);
        s = str_from(s, (size_t)at + what.n);
    }
    buf_add_str(&b, s);
    result_buf(ctx, &b, arg_is_text(args[0]));
}

static void reverse(sqlite3_context *ctx, int n, sqlite3_value **args) {
    struct str s = arg_str(args[0]);
    bool text = arg_is_text(args[0]);
    struct buf b = BUF_RESULT;
    (void)n;
    while (s.n) {
        size_t last = text ? last_char(s) : 1;
        buf_add(&b, s.p + s.n - last, last);
        s.n -= last;
    }
    result_buf(ctx, &b, text);
}

static void repeat(sqlite3_context *ctx, int n, sqlite3_value **args) {
    struct str s = arg_str(args[0]);
    int64_t times = sqlite3_value_int64(args[1]);
    struct buf b = BUF_RESULT;
    (void)n;
    if (times < 0) {
        fail_range(ctx, "Second argument (repeat count) for REPEAT cannot be negative");
        return;
    }
    for (int64_t i = 0; s.n && i < times && buf_ok(&b); i++) buf_add_str(&b, s);
    result_buf(ctx, &b, arg_is_text(args[0]));
}

static void pad(sqlite3_context *ctx, int n, sqlite3_value **args, bool left) {
    struct str s = arg_str(args[0]), with = n > 2 ? arg_str(args[2]) : STR(" ");
    int64_t want = sqlite3_value_int64(args[1]), have = (int64_t)utf8_length(s);
    struct buf b = BUF_RESULT;
    if (want < 0 || with.n == 0) {
        fail_range(ctx, want < 0 ? "Second argument (output size) for LPAD/RPAD cannot be negative"
                                 : "Third argument (pad pattern) for LPAD/RPAD cannot be empty");
        return;
    }
    if (want > FN_MAX_RESULT) want = FN_MAX_RESULT + 1; /* fails below */
    if (!left) buf_add_str(&b, str_upto(s, bytes_of(s, (size_t)want, true)));
    struct str rest = with;
    for (int64_t i = have; i < want && buf_ok(&b); i++) {
        if (!rest.n) rest = with;
        buf_add_str(&b, str_upto(rest, char_size(rest, true)));
        rest = str_from(rest, char_size(rest, true));
    }
    if (left) buf_add_str(&b, str_upto(s, bytes_of(s, (size_t)want, true)));
    result_buf(ctx, &b, true);
}

static void lpad(sqlite3_context *ctx, int n, sqlite3_value **args) {
    pad(ctx, n, args, true);
}

static void rpad(sqlite3_context *ctx, int n, sqlite3_value **args) {
    pad(ctx, n, args, false);
}

/* One element of a pattern. */
struct element {
    struct str literal; /* empty for % and _ */
    bool any, one;
};

static bool next_element(struct str *pattern, bool text, struct element *e) {
    *e = (struct element){ .any = pattern->p[0] == '%', .one = pattern->p[0] == '_' };
    if (pattern->p[0] == '\\') {
        if (pattern->n == 1) return false;
        *pattern = str_from(*pattern, 1);
        e->any = e->one = false;
    }
    size_t n = char_size(*pattern, text);
    if (!e->any && !e->one) e->literal = str_upto(*pattern, n);
    *pattern = str_from(*pattern, n);
    return true;
}

static bool match_one(struct str *s, const struct element *e, bool text) {
    if (s->n == 0) return false;
    size_t n = char_size(*s, text);
    if (!e->one && (n != e->literal.n || memcmp(s->p, e->literal.p, n) != 0)) return false;
    *s = str_from(*s, n);
    return true;
}

/* Greedy with one point of return, the last %: linear in memory, quadratic at worst. */
static bool like_match(struct str s, struct str pattern, bool text) {
    struct str back_s = s, back_pattern = { 0 };
    bool back = false;
    for (;;) {
        struct element e;
        struct str after = pattern;
        if (pattern.n && next_element(&after, text, &e)) {
            if (e.any) {
                pattern = back_pattern = after;
                back_s = s;
                back = true;
                continue;
            }
            if (match_one(&s, &e, text)) {
                pattern = after;
                continue;
            }
        } else if (s.n == 0) {
            return true;
        }
        if (!back || back_s.n == 0) return false;
        back_s = str_from(back_s, char_size(back_s, text));
        s = back_s;
        pattern = back_pattern;
    }
}

static void like(sqlite3_context *ctx, int n, sqlite3_value **args) {
    struct str pattern = arg_str(args[1]);
    bool text = arg_is_text(args[0]);
    (void)n;
    struct element e;
    for (struct str p = pattern; p.n;)
        if (!next_element(&p, text, &e)) {
            fail_range(ctx, "LIKE pattern ends with a backslash");
            return;
        }
    sqlite3_result_int(ctx, like_match(arg_str(args[0]), pattern, text));
}

static void to_hex(sqlite3_context *ctx, int n, sqlite3_value **args) {
    struct buf b = BUF_RESULT;
    (void)n;
    enc_hex(&b, arg_str(args[0]));
    result_buf(ctx, &b, true);
}

static void to_base64(sqlite3_context *ctx, int n, sqlite3_value **args) {
    struct buf b = BUF_RESULT;
    (void)n;
    enc_base64(&b, arg_str(args[0]));
    result_buf(ctx, &b, true);
}

static void decode(sqlite3_context *ctx, struct str s, bool (*decoder)(struct arena *, struct str, struct str *),
                   const char *message) {
    DEFER(arena_freep) struct arena *arena = arena_new(FN_MAX_RESULT + 65536);
    struct str bytes;
    if (!arena || !decoder(arena, s, &bytes)) fail_range(ctx, message);
    else result_str(ctx, bytes, false);
}

/* An odd number of digits gets a zero in front. */
static void from_hex(sqlite3_context *ctx, int n, sqlite3_value **args) {
    struct str s = arg_str(args[0]);
    struct buf b = BUF_RESULT;
    (void)n;
    if (s.n % 2) buf_add_char(&b, '0');
    buf_add_str(&b, s);
    decode(ctx, buf_str(&b), dec_hex, "Failed to decode invalid hexadecimal string");
    buf_free(&b);
}

static void from_base64(sqlite3_context *ctx, int n, sqlite3_value **args) {
    (void)n;
    decode(ctx, arg_str(args[0]), dec_base64, "Failed to decode invalid base64 string");
}

static int compare(sqlite3_value *a, sqlite3_value *b) {
    if (sqlite3_value_type(a) != SQLITE_INTEGER) return str_cmp(arg_str(a), arg_str(b));
    int64_t x = sqlite3_value_int64(a), y = sqlite3_value_int64(b);
    return (x > y) - (x < y);
}

static void greatest(sqlite3_context *ctx, int n, sqlite3_value **args) {
    int best = 0;
    for (int i = 1; i < n; i++)
        if (compare(args[i], args[best]) > 0) best = i;
    sqlite3_result_value(ctx, args[best]);
}

static void least(sqlite3_context *ctx, int n, sqlite3_value **args) {
    int best = 0;
    for (int i = 1; i < n; i++)
        if (compare(args[i], args[best]) < 0) best = i;
    sqlite3_result_value(ctx, args[best]);
}

struct fn_list fn_text(void) {
    static const struct fn rows[] = {
        { .name = "g_concat", .args = -1, .run = concat },
        { .name = "g_char_length", .args = 1, .run = char_length },
        { .name = "g_byte_length", .args = 1, .run = byte_length },
        { .name = "g_upper", .args = 1, .run = upper },
        { .name = "g_lower", .args = 1, .run = lower },
        { .name = "g_trim", .args = -1, .run = trim },
        { .name = "g_ltrim", .args = -1, .run = ltrim },
        { .name = "g_rtrim", .args = -1, .run = rtrim },
        { .name = "g_substr", .args = -1, .run = substr },
        { .name = "g_strpos", .args = 2, .run = strpos },
        { .name = "g_starts_with", .args = 2, .run = starts_with },
        { .name = "g_ends_with", .args = 2, .run = ends_with },
        { .name = "g_replace", .args = 3, .run = replace },
        { .name = "g_reverse", .args = 1, .run = reverse },
        { .name = "g_repeat", .args = 2, .run = repeat },
        { .name = "g_lpad", .args = -1, .run = lpad },
        { .name = "g_rpad", .args = -1, .run = rpad },
        { .name = "g_like", .args = 2, .run = like },
        { .name = "g_to_hex", .args = 1, .run = to_hex },
        { .name = "g_from_hex", .args = 1, .run = from_hex },
        { .name = "g_to_base64", .args = 1, .run = to_base64 },
        { .name = "g_from_base64", .args = 1, .run = from_base64 },
        { .name = "g_greatest", .args = -1, .run = greatest },
        { .name = "g_least", .args = -1, .run = least },
    };
    return (struct fn_list){ rows, COUNT(rows) };
}
