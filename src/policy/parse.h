/* parse.h: from text to statements. Internal. Syntax faults and "is not enforced yet" are kept apart, as the printer minds
 * only the former. Functions return false when the statement cannot be read on; the fault is then reported. */
#pragma once
#include "policy/lex.h"

struct parser {
    struct lexer lexer;
    struct token tok;  /* TOKEN_END at the end of the statement */
    struct token next; /* the first token of the statement that follows */
    struct policy_faults *later;
    struct stmt *stmt;
};

/* Reads all of the file, whatever its faults. False: memory is short. */
MUST_USE bool policy_parse(struct policy_source source, struct arena *arena, struct file_ast *ret,
                           struct policy_faults *faults, struct policy_faults *later);

bool parse_body(struct parser *p); /* the statement after its label */

void p_next(struct parser *p);
bool p_is(const struct parser *p, const char *word);
bool p_take(struct parser *p, const char *word);
bool p_expect(struct parser *p, const char *words); /* one or more, separated by a space */
bool p_is_punct(const struct parser *p, const char *punct);
bool p_take_punct(struct parser *p, const char *punct);
bool p_expect_punct(struct parser *p, const char *punct);
bool p_fail(struct parser *p, const char *expected); /* "expected X, found Y" */
void p_later(struct parser *p, struct token at, const char *what);
void p_fault_at(struct parser *p, struct name at, const char *what);
bool p_push(struct parser *p, struct names *names, struct name name);
struct name p_here(const struct parser *p);

bool p_name(struct parser *p, struct name *ret);
bool p_names(struct parser *p, struct names *ret);
bool p_string(struct parser *p, struct name *ret);
bool p_strings(struct parser *p, struct names *ret);
bool p_value(struct parser *p, const char *what, struct name *ret);
bool p_path(struct parser *p, struct name *ret);
void p_url(struct parser *p, struct act *act); /* reads act->named: what may be called */
bool p_job(struct parser *p, struct name *ret);
bool p_jobs(struct parser *p, struct names *ret);
bool p_tables(struct parser *p, struct table_refs *ret);
bool p_who(struct parser *p, struct who *ret);
bool p_acts(struct parser *p);
bool p_clauses(struct parser *p);

/* Must a table or column of this name stand in back-quotes? */
bool is_reserved(struct str word);
