/* statements.h: cutting SQL text into statements at `;`, as GoogleSQL's lexer sees it: not inside quotes, triple quotes,
 * raw strings, back-quotes or comments. Sans-I/O; any thread. */
#pragma once
#include "base/str.h"

/* The next statement without its `;` and the white space around; false at the end. A statement may be unterminated: the
 * server says what is wrong with it. Comments alone are no statement. */
bool statements_next(struct str *rest, struct str *ret);
/* Does it belong to UpdateDatabaseDdl? By its first word. */
bool statement_is_ddl(struct str statement);
