/* expr_utf16.h: places in a string, counted as .NET counts them, and text without case. Any thread; valid UTF-8 only. */
#pragma once
#include "base/buf.h"

size_t utf16_length(struct str s);
/* The byte where that unit begins. False: past the end, or in the middle of a character of two units. */
bool utf16_offset(struct str s, uint64_t units, size_t *ret_byte);
void utf8_lower(struct str s, struct buf *out); /* character by character, as .NET's invariant culture */
void utf8_upper(struct str s, struct buf *out);
struct str utf8_trim(struct str s); /* Unicode's white space at both ends */
