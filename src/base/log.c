#include "base/log.h"
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/clock.h"
#include "base/json_text.h"
#include "base/log_writer.h"

static const char *const names[] = { "DEBUG", "INFO", "WARNING", "ERROR" };
static _Atomic int level = LOG_INFO, format = LOG_JSON; /* set once at start */
static _Atomic(struct log_writer *) writer;

void log_set_level(enum log_severity least) {
    level = (int)least;
}

void log_set_format(enum log_format wanted) {
    format = (int)wanted;
}

void log_set_writer(struct log_writer *wanted) {
    atomic_store(&writer, wanted);
}

enum log_format log_format(void) {
    return (enum log_format)format;
}

const char *log_severity_name(enum log_severity severity) {
    return names[severity];
}

void log_put(struct str line) {
    struct log_writer *w = atomic_load(&writer);
    if (w) {
        log_writer_put(w, line);
        return;
    }
    ssize_t n = write(STDERR_FILENO, line.p, line.n); /* one write: lines of threads do not mix */
    (void)n;
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
    bool json = log_format() == LOG_JSON;
    buf_printf(&line, json ? "{\"time\":\"%s\",\"severity\":\"%s\",\"message\":" : "%s %s ", time, names[severity]);
    json_text_string(&line, str_z(text));
    buf_add_z(&line, json ? "}\n" : "\n");
    if (buf_ok(&line)) log_put(buf_str(&line));
}
