#include "base/log.h"
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/clock.h"
#include "base/json_text.h"

static const char *const names[] = { "DEBUG", "INFO", "WARNING", "ERROR" };
static _Atomic int level = LOG_INFO; /* set once at start */

void log_set_level(enum log_severity least) {
    level = (int)least;
}

void log_line(enum log_severity severity, const char *fmt, ...) {
    if ((int)severity < level) return;
    char text[2048], time[CLOCK_RFC3339_MAX];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    (void)clock_rfc3339(clock_wall_us(), time);
    DEFER(buf_free) struct buf line = BUF_INIT(16384);
    buf_printf(&line, "{\"time\":\"%s\",\"severity\":\"%s\",\"message\":", time, names[severity]);
    json_text_string(&line, str_z(text));
    buf_add_z(&line, "}\n");
    if (!buf_ok(&line)) return;
    ssize_t n = write(STDERR_FILENO, line.p, line.n); /* one write: lines of threads do not mix */
    (void)n;
}
