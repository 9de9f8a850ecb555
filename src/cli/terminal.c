#include "cli/terminal.h"
#include <stdarg.h>
#include <string.h>
#include "base/enc.h"

static char harmless(uint32_t c) {
    return c == '\n' || c == '\r' || c == '\t' ? ' ' : '?';
}

void terminal_safe(struct buf *out, size_t from) {
    struct str rest = str_from(buf_str(out), from);
    while (rest.n) {
        char *at = out->p + (out->n - rest.n);
        size_t before = rest.n;
        uint32_t c;
        bool read = utf8_next(&rest, &c);
        if (!read) rest = str_from((struct str){ at, before }, 1);
        if (!read || c < 0x20 || (c >= 0x7f && c < 0xa0)) memset(at, read ? harmless(c) : '?', before - rest.n);
    }
}

void terminal_line(struct buf *out, const char *fmt, ...) {
    size_t from = out->n;
    va_list args;
    va_start(args, fmt);
    buf_vprintf(out, fmt, args);
    va_end(args);
    terminal_safe(out, from);
    buf_add_char(out, '\n');
}
