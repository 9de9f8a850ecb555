#include "cli/statements.h"

static struct str skip_line(struct str s) {
    (void)str_cut(&s, '\n');
    return s;
}

static struct str skip_block(struct str s) {
    ptrdiff_t end = str_find(s, STR("*/"));
    return end < 0 ? str_from(s, s.n) : str_from(s, (size_t)end + 2);
}

/* What follows the comment at the start, or the same. */
static struct str skip_comment(struct str s) {
    if (str_starts(s, STR("#")) || str_starts(s, STR("--"))) return skip_line(s);
    if (str_starts(s, STR("/*"))) return skip_block(str_from(s, 2));
    return s;
}

static struct str skip_blank(struct str s) {
    for (size_t before = s.n + 1; s.n < before;) {
        before = s.n;
        while (s.n && (s.p[0] == ' ' || (s.p[0] >= '\t' && s.p[0] <= '\r'))) s = str_from(s, 1);
        s = skip_comment(s);
    }
    return s;
}

/* A quoted text, from its quote on; a backslash takes the next character with it, in raw strings as well. */
static struct str skip_quoted(struct str s) {
    static const struct str triples[] = { STR_INIT("\"\"\""), STR_INIT("'''") };
    struct str quote = str_upto(s, 1);
    for (size_t i = 0; i < COUNT(triples); i++)
        if (str_starts(s, triples[i])) quote = triples[i];
    s = str_from(s, quote.n);
    while (s.n && !str_starts(s, quote)) s = str_from(s, s.p[0] == '\\' ? 2 : 1);
    return str_from(s, quote.n);
}

static struct str skip_piece(struct str s) {
    if (s.p[0] == '"' || s.p[0] == '\'' || s.p[0] == '`') return skip_quoted(s);
    struct str after = skip_comment(s);
    return after.n < s.n ? after : str_from(s, 1);
}

bool statements_next(struct str *rest, struct str *ret) {
    struct str at = skip_blank(*rest);
    while (at.n && at.p[0] == ';') at = skip_blank(str_from(at, 1));
    const struct str start = at;
    while (at.n && at.p[0] != ';') at = skip_piece(at);
    *ret = str_trim(str_upto(start, start.n - at.n));
    *rest = str_from(at, 1);
    return ret->n > 0;
}

bool statement_is_ddl(struct str statement) {
    static const struct str words[] = { STR_INIT("CREATE"), STR_INIT("ALTER"),   STR_INIT("DROP"),  STR_INIT("GRANT"),
                                        STR_INIT("REVOKE"), STR_INIT("ANALYZE"), STR_INIT("RENAME") };
    struct str s = skip_blank(statement);
    size_t n = 0;
    while (n < s.n && ((s.p[n] | 0x20) >= 'a' && (s.p[n] | 0x20) <= 'z')) n++;
    for (size_t i = 0; i < COUNT(words); i++)
        if (str_eq_nocase(str_upto(s, n), words[i])) return true;
    return false;
}
