/* terminal.h: what others wrote (names, causes, a driver's words), on the operator's terminal: it may neither draw there
 * nor begin a line of its own. Pure. */
#pragma once
#include "base/buf.h"

/* In place, from there to the end: control characters (C0, DEL, C1) and bytes that are no UTF-8 become '?', line ends and
 * tabs a blank. */
void terminal_safe(struct buf *out, size_t from);
/* One line, made safe, and its end. */
void terminal_line(struct buf *out, const char *fmt, ...) PRINTF_LIKE(2, 3);
