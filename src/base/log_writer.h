/* log_writer.h: lines on their way to a descriptor that may be slow, written by a thread of its own.
 *
 * Who puts a line never waits for the descriptor: what does not fit beside the lines that wait is dropped and counted, and
 * a line of the log says how many were. Any thread. */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"
#include "base/str.h"

struct log_writer;

/* At most max_bytes wait, and as much again is being written. The descriptor stays the caller's. */
MUST_USE enum code log_writer_new(int fd, size_t max_bytes, struct log_writer **ret, struct err *err);
/* Nobody puts any more. What waits is written, for patience_ms at most: a descriptor that takes nothing is left, with the
 * thread that waits for it and its memory, to the end of the process. NULL is fine. */
void log_writer_free(struct log_writer *writer, unsigned patience_ms);

void log_writer_put(struct log_writer *writer, struct str line); /* a whole line, with its end; copied */
uint64_t log_writer_dropped(struct log_writer *writer);          /* lines, since the start */
