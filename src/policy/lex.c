#include "policy/lex.h"
#include <string.h>
#include "base/enc.h"

enum { MAX_FAULTS = 1000 };

bool policy_fault_add(struct policy_faults *faults, struct arena *arena, struct policy_fault fault) {
    if (!fault.warning) faults->n_errors++;
    if (faults->n >= MAX_FAULTS) return true;
    if (!fault.text.p) return false;
    if (!arena_grow(arena, &faults->items, &faults->cap, faults->n + 1, sizeof fault)) return false;
    faults->items[faults->n++] = fault;
    return true;
}

void lex_fault(struct lexer *lexer, unsigned line, unsigned column, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    struct str text = arena_vprintf(lexer->arena, fmt, args);
    va_end(args);
    struct policy_fault fault = { .file = lexer->file, .line = line, .column = column, .text = text };
    if (!policy_fault_add(lexer->faults, lexer->arena, fault)) lexer->oom = true;
}

/* What reorders text on a screen: a rule must mean what it looks like. */
static bool is_bidi(uint32_t c) {
    return c == 0x61c || c == 0x200e || c == 0x200f || (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
}

static bool is_control(uint32_t c) {
    return (c < 0x20 && c != '\n' && c != '\t' && c != '\r') || (c >= 0x7f && c < 0xa0) || c == 0x2028 || c == 0x2029;
}

bool lex_scan(struct lexer *lexer) {
    struct str rest = lexer->text;
    unsigned line = 1, column = 1;
    uint32_t c;
    while (rest.n) {
        if (!utf8_next(&rest, &c)) {
            lex_fault(lexer, line, column, "is not UTF-8");
            return false;
        }
        if (is_bidi(c))
            lex_fault(lexer, line, column, "bidirectional control U+%04X is refused, in strings and comments too", c);
        else if (is_control(c)) lex_fault(lexer, line, column, "control character U+%04X is refused", c);
        column = c == '\n' ? 1 : column + 1;
        line += c == '\n';
    }
    return true;
}

static int peek(const struct lexer *lexer) {
    return lexer->at < lexer->text.n ? (unsigned char)lexer->text.p[lexer->at] : -1;
}

static void step(struct lexer *lexer) {
    unsigned char c = (unsigned char)lexer->text.p[lexer->at++];
    if (c == '\n') {
        lexer->line++;
        lexer->column = 1;
        unsigned char next = lexer->at < lexer->text.n ? (unsigned char)lexer->text.p[lexer->at] : 'x';
        if (next == '\n' || next == '\r') lexer->blank = true;
        return;
    }
    if ((c & 0xc0) != 0x80) lexer->column++; /* columns count characters */
}

static void comment(struct lexer *lexer) {
    size_t begin = lexer->at;
    struct name note = { .line = lexer->line, .column = lexer->column };
    while (peek(lexer) >= 0 && peek(lexer) != '\n') step(lexer);
    note.text = (struct str){ lexer->text.p + begin, lexer->at - begin };
    while (note.text.n && strchr(" \t\r", note.text.p[note.text.n - 1])) note.text.n--;
    struct names *all = &lexer->comments;
    if (!arena_grow(lexer->arena, &all->items, &all->cap, all->n + 1, sizeof note)) lexer->oom = true;
    else all->items[all->n++] = note;
}

static bool skip_space(struct lexer *lexer) {
    size_t begin = lexer->at;
    for (int c; (c = peek(lexer)) >= 0;) {
        if (c == '#') comment(lexer);
        else if (c == ' ' || c == '\t' || c == '\r' || c == '\n') step(lexer);
        else break;
    }
    return lexer->at > begin;
}

static bool is_letter(int c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_digit(int c) {
    return c >= '0' && c <= '9';
}

static bool is_word(int c) {
    return is_letter(c) || is_digit(c) || c == '-';
}

static bool is_value(int c) {
    return is_word(c) || c == ':' || c == '+';
}

static void take_while(struct lexer *lexer, struct token *token, bool (*belongs)(int)) {
    size_t begin = lexer->at;
    while (belongs(peek(lexer))) step(lexer);
    token->text = (struct str){ lexer->text.p + begin, lexer->at - begin };
}

/* "…" with \" and \\ as the only escapes; `…` with none. A line's end ends neither. */
static void quoted(struct lexer *lexer, struct token *token, int quote) {
    size_t begin = lexer->at + 1, end = begin, n = 0;
    while (end < lexer->text.n && lexer->text.p[end] != (char)quote && lexer->text.p[end] != '\n')
        end += lexer->text.p[end] == '\\' && quote == '"' && end + 1 < lexer->text.n && lexer->text.p[end + 1] != '\n' ? 2
                                                                                                                       : 1;
    char *out = arena_alloc(lexer->arena, end - begin + 1);
    if (!out) lexer->oom = true;
    step(lexer);
    while (peek(lexer) >= 0 && peek(lexer) != quote && peek(lexer) != '\n') {
        if (peek(lexer) == '\\' && quote == '"') {
            unsigned line = lexer->line, column = lexer->column;
            step(lexer);
            if (peek(lexer) != '"' && peek(lexer) != '\\') {
                lex_fault(lexer, line, column, "only \\\" and \\\\ are escapes");
                token->kind = TOKEN_BAD;
                if (peek(lexer) < 0 || peek(lexer) == '\n') break;
            }
        }
        if (out) out[n++] = lexer->text.p[lexer->at];
        step(lexer);
    }
    token->text = (struct str){ out, n };
    if (peek(lexer) == quote) {
        step(lexer);
        return;
    }
    lex_fault(lexer, token->line, token->column, "is not closed on its line");
    token->kind = TOKEN_BAD;
}

static void punctuation(struct lexer *lexer, struct token *token, int c) {
    token->text = (struct str){ lexer->text.p + lexer->at, 1 };
    token->kind = TOKEN_PUNCT;
    if (c == '!' && lexer->at + 1 < lexer->text.n && token->text.p[1] == '=') {
        token->text.n = 2;
        step(lexer);
    } else if (c == 0 || !strchr(":,()./*=", c)) {
        token->kind = TOKEN_BAD;
        if (c >= 0x80) lex_fault(lexer, token->line, token->column, "only ASCII outside strings and comments");
        else if (c >= 0x20) lex_fault(lexer, token->line, token->column, "\"%c\" has no meaning here", c);
        else lex_fault(lexer, token->line, token->column, "a control character has no meaning here");
    }
    step(lexer);
}

void lex_next(struct lexer *lexer, struct token *ret) {
    bool spaced = skip_space(lexer);
    int c = peek(lexer);
    *ret = (struct token){ .line = lexer->line, .column = lexer->column, .glued = !spaced };
    if (c < 0) return;
    if (is_letter(c)) {
        ret->kind = TOKEN_WORD;
        take_while(lexer, ret, is_word);
    } else if (is_digit(c)) {
        ret->kind = TOKEN_VALUE;
        take_while(lexer, ret, is_value);
    } else if (c == '"' || c == '`') {
        ret->kind = c == '"' ? TOKEN_STRING : TOKEN_QUOTED;
        quoted(lexer, ret, c);
    } else punctuation(lexer, ret, c);
}

void lex_resume(struct lexer *lexer, struct token *ret) {
    for (;;) {
        while (peek(lexer) >= 0 && peek(lexer) != '\n') {
            if (peek(lexer) == '#') comment(lexer);
            else step(lexer);
        }
        skip_space(lexer);
        if (peek(lexer) < 0 || lexer->column == 1) break;
    }
    lex_next(lexer, ret);
}
