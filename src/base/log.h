/* log.h: the program's own log: one JSON object a line on standard error, in Cloud Logging's field names.
 *
 * Only the outer layers (gate, cli) log; libraries return errors. Never a token, a row's value or a secret. Any thread. */
#pragma once
#include "base/attr.h"
#include "base/str.h"

enum log_severity { LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERROR };

void log_set_level(enum log_severity least);
void log_line(enum log_severity severity, const char *fmt, ...) PRINTF_LIKE(2, 3);
