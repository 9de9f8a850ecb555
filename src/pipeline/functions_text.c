/* Strings. Source: Microsoft Learn, "Expression and functions …", string functions. */
#include "data/json.h"
#include "pipeline/expr_internal.h"
#include "pipeline/expr_utf16.h"

static enum code run_concat(struct expr_call *call, json_t **ret) {
    DEFER(buf_free) struct buf out = BUF_INIT(EXPR_RESULT_MAX);
    for (size_t i = 0; i < call->n; i++) {
        enum code rc = expr_add_text(call->run, call->node->args[i]->column, call->args[i], &out);
        if (rc) return rc;
    }
    return expr_give_buf(call, &out, ret);
}

/* Both without case: .NET folds by the character, so that units keep their places. */
struct folded {
    struct buf text, what;
};

static void folded_free(struct folded *f) {
    buf_free(&f->text);
    buf_free(&f->what);
}

static enum code fold(struct expr_call *call, struct folded *f) {
    f->text.max = f->what.max = 2 * EXPR_RESULT_MAX; /* a character may take more bytes in the other case */
    utf8_lower(expr_arg(call, 0), &f->text);
    utf8_lower(expr_arg(call, 1), &f->what);
    if (!buf_ok(&f->text) || !buf_ok(&f->what)) return err_oom(call->run->err);
    return expr_charge(call->run, call->node->column, f->text.n + f->what.n);
}

static enum code run_starts_with(struct expr_call *call, json_t **ret) {
    DEFER(folded_free) struct folded f = { 0 };
    enum code rc = fold(call, &f);
    return rc ? rc : expr_give_bool(call, str_starts(buf_str(&f.text), buf_str(&f.what)), ret);
}

static enum code run_ends_with(struct expr_call *call, json_t **ret) {
    DEFER(folded_free) struct folded f = { 0 };
    enum code rc = fold(call, &f);
    return rc ? rc : expr_give_bool(call, str_ends(buf_str(&f.text), buf_str(&f.what)), ret);
}

/* The last place, or -1. Charged for each place that is looked at: an unlucky text makes many. */
static enum code find_last(struct expr_call *call, struct str text, struct str what, ptrdiff_t *ret) {
    *ret = what.n == 0 ? (ptrdiff_t)text.n : -1;
    if (what.n == 0 || what.n > text.n) return OK;
    for (size_t at = text.n - what.n + 1; at-- > 0;) {
        if (text.p[at] != what.p[0]) continue;
        enum code rc = expr_charge(call->run, call->node->column, 1 + what.n);
        if (rc) return rc;
        if (!str_starts(str_from(text, at), what)) continue;
        *ret = (ptrdiff_t)at;
        return OK;
    }
    return OK;
}

static enum code give_index(struct expr_call *call, const struct folded *f, ptrdiff_t at, json_t **ret) {
    return expr_give_int(call, at < 0 ? -1 : (int64_t)utf16_length(str_upto(buf_str(&f->text), (size_t)at)), ret);
}

static enum code run_index_of(struct expr_call *call, json_t **ret) {
    DEFER(folded_free) struct folded f = { 0 };
    enum code rc = fold(call, &f);
    return rc ? rc : give_index(call, &f, f.what.n ? str_find(buf_str(&f.text), buf_str(&f.what)) : 0, ret);
}

static enum code run_last_index_of(struct expr_call *call, json_t **ret) {
    DEFER(folded_free) struct folded f = { 0 };
    enum code rc = fold(call, &f);
    ptrdiff_t at;
    if (rc == OK) rc = find_last(call, buf_str(&f.text), buf_str(&f.what), &at);
    return rc ? rc : give_index(call, &f, at, ret);
}

static enum code run_replace(struct expr_call *call, json_t **ret) {
    DEFER(buf_free) struct buf out = BUF_INIT(EXPR_RESULT_MAX);
    struct str rest = expr_arg(call, 0), from = expr_arg(call, 1), to = expr_arg(call, 2);
    if (from.n == 0) return expr_refuse(call, INVALID_ARGUMENT, "the text to replace is empty");
    for (ptrdiff_t at; (at = str_find(rest, from)) >= 0; rest = str_from(rest, (size_t)at + from.n)) {
        buf_add_str(&out, str_upto(rest, (size_t)at));
        buf_add_str(&out, to);
    }
    buf_add_str(&out, rest);
    return expr_give_buf(call, &out, ret);
}

static enum code run_split(struct expr_call *call, json_t **ret) {
    struct str rest = expr_arg(call, 0), by = expr_arg(call, 1);
    DEFER(json_freep) json_t *list = json_array();
    if (by.n == 0) return expr_refuse(call, INVALID_ARGUMENT, "the delimiter is empty");
    for (bool more = true; more;) {
        ptrdiff_t at = str_find(rest, by);
        struct str part = at < 0 ? rest : str_upto(rest, (size_t)at);
        more = at >= 0;
        enum code rc = expr_charge(call->run, call->node->column, 16 + part.n);
        if (rc) return rc;
        if (json_array_append_new(list, json_stringn_nocheck(part.n ? part.p : "", part.n))) return err_oom(call->run->err);
        if (more) rest = str_from(rest, (size_t)at + by.n);
    }
    return expr_give(call, TAKE(list), ret);
}

static enum code run_join(struct expr_call *call, json_t **ret) {
    DEFER(buf_free) struct buf out = BUF_INIT(EXPR_RESULT_MAX);
    for (size_t i = 0; i < json_array_size(call->args[0]); i++) {
        if (i) buf_add_str(&out, expr_arg(call, 1));
        enum code rc = expr_add_text(call->run, call->node->column, json_array_get(call->args[0], i), &out);
        if (rc) return rc;
    }
    return expr_give_buf(call, &out, ret);
}

static enum code run_substring(struct expr_call *call, json_t **ret) {
    struct str text = expr_arg(call, 0);
    int64_t start = json_integer_value(call->args[1]), length = (int64_t)utf16_length(text);
    int64_t n = call->n > 2 ? json_integer_value(call->args[2]) : length - start;
    size_t from, to;
    if (start < 0 || n < 0 || start > length || n > length - start)
        return expr_refuse(call, OUT_OF_RANGE, "the part reaches beyond the text, which has %lld characters",
                           (long long)length);
    if (!utf16_offset(text, (uint64_t)start, &from) || !utf16_offset(text, (uint64_t)(start + n), &to))
        return expr_refuse(call, INVALID_ARGUMENT, "the part would cut a character in two");
    return expr_give_str(call, (struct str){ text.p + from, to - from }, ret);
}

static enum code run_lower(struct expr_call *call, json_t **ret) {
    DEFER(buf_free) struct buf out = BUF_INIT(EXPR_RESULT_MAX);
    utf8_lower(expr_arg(call, 0), &out);
    return expr_give_buf(call, &out, ret);
}

static enum code run_upper(struct expr_call *call, json_t **ret) {
    DEFER(buf_free) struct buf out = BUF_INIT(EXPR_RESULT_MAX);
    utf8_upper(expr_arg(call, 0), &out);
    return expr_give_buf(call, &out, ret);
}

static enum code run_trim(struct expr_call *call, json_t **ret) {
    return expr_give_str(call, utf8_trim(expr_arg(call, 0)), ret);
}

/* D: with hyphens; N: without; B and P: in braces and parentheses. */
static enum code run_guid(struct expr_call *call, json_t **ret) {
    DEFER(buf_free) struct buf out = BUF_INIT(64);
    char guid[EXPR_GUID_SIZE];
    struct str format = call->n ? expr_arg(call, 0) : STR("D");
    char kind = format.n == 1 ? (char)(format.p[0] & ~0x20) : '\0';
    if (kind != 'D' && kind != 'N' && kind != 'B' && kind != 'P')
        return expr_refuse(call, INVALID_ARGUMENT, "the format is none of D, N, B and P");
    if (!call->run->context->guid || !call->run->context->guid(call->run->context->user, guid))
        return expr_refuse(call, INTERNAL, "no randomness");
    if (kind == 'B' || kind == 'P') buf_add_char(&out, kind == 'B' ? '{' : '(');
    for (const char *c = guid; *c; c++)
        if (kind != 'N' || *c != '-') buf_add_char(&out, *c);
    if (kind == 'B' || kind == 'P') buf_add_char(&out, kind == 'B' ? '}' : ')');
    return expr_give_buf(call, &out, ret);
}

const struct expr_function expr_functions_text[] = {
    { "concat", "*", 1, EXPR_ARGUMENTS_MAX, run_concat, false, 0 },
    { "startsWith", "s", 2, 2, run_starts_with, false, 0 },
    { "endsWith", "s", 2, 2, run_ends_with, false, 0 },
    { "indexOf", "s", 2, 2, run_index_of, false, 0 },
    { "lastIndexOf", "s", 2, 2, run_last_index_of, false, 0 },
    { "replace", "s", 3, 3, run_replace, false, 0 },
    { "split", "s", 2, 2, run_split, true, 0 },
    { "join", "as", 2, 2, run_join, false, 0 },
    { "substring", "sii", 2, 3, run_substring, false, 0 },
    { "toLower", "s", 1, 1, run_lower, false, 0 },
    { "toUpper", "s", 1, 1, run_upper, false, 0 },
    { "trim", "s", 1, 1, run_trim, false, 0 },
    { "guid", "s", 0, 1, run_guid, false, 0 },
    { 0 },
};
