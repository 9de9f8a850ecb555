/* log.h: the program's own log on standard error: one JSON object a line in Cloud Logging's field names, or plain text.
 *
 * Only the outer layers (gate, cli) log; libraries return errors. Never a token, a row's value or a secret. Any thread.
 * Without a writer (base/log_writer.h) whoever logs waits for standard error; a server has one. */
#pragma once
#include "base/attr.h"
#include "base/str.h"

struct log_writer;

enum log_severity { LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERROR };
enum log_format { LOG_JSON, LOG_TEXT };

/* Set at start, before other threads log; the writer also at the end, after they have. NULL: none. */
void log_set_level(enum log_severity least);
void log_set_format(enum log_format format);
void log_set_writer(struct log_writer *writer);

enum log_format log_format(void);
const char *log_severity_name(enum log_severity severity); /* "WARNING" */
void log_line(enum log_severity severity, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* A whole line, with its end, in the format that is set: of who has more to tell than a message. */
void log_put(struct str line);
