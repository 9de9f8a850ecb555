/* decimal.h: numbers as decimal text without printf, which costs more than the row that it prints. Any thread; no NUL. */
#pragma once
#include <stddef.h>
#include <stdint.h>

enum { DECIMAL_MAX = 20 }; /* "-9223372036854775808", "18446744073709551615" */

size_t decimal_u64(uint64_t v, char *out); /* room for DECIMAL_MAX bytes; returns the length */
size_t decimal_i64(int64_t v, char *out);
/* The last `digits` digits, with zeros in front: 7 as "007". Writes exactly that many bytes. */
void decimal_fixed(uint64_t v, unsigned digits, char *out);
