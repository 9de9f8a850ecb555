/* fingerprint.c: a statement without its values. */
#include "googlesql/lex.h"
#include "googlesql/parse.h"

static bool is_value(enum token_kind kind) {
    return kind == TOKEN_INT || kind == TOKEN_FLOAT || kind == TOKEN_STRING || kind == TOKEN_BYTES;
}

/* A hint's tokens, to its closing brace. */
static size_t skip_hint(const struct tokens *tokens, struct str text, size_t i) {
    while (tokens->items[i].kind != TOKEN_END && !str_eq(token_text(text, tokens->items[i]), STR("}"))) i++;
    return i;
}

void sql_fingerprint(struct str text, struct buf *out) {
    DEFER(arena_freep) struct arena *arena = arena_new((size_t)SQL_MAX_TEXT * 64);
    struct tokens tokens;
    if (!arena || lex(arena, text, &tokens, NULL)) {
        buf_add_z(out, "<unreadable>");
        return;
    }
    bool first = true;
    for (size_t i = 0; tokens.items[i].kind != TOKEN_END; i++) {
        struct str word = token_text(text, tokens.items[i]);
        if (str_eq(word, STR("@{"))) {
            i = skip_hint(&tokens, text, i);
            if (tokens.items[i].kind == TOKEN_END) return;
            continue;
        }
        if (!first) buf_add_char(out, ' ');
        first = false;
        if (is_value(tokens.items[i].kind)) buf_add_char(out, '?');
        else buf_add_str(out, word);
    }
}
