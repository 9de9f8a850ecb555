/* enc.h: base64 (RFC 4648 §4), base64url without padding (§5), hex, UTF-8. Any thread; no allocation beyond the arena. */
#pragma once
#include "base/buf.h"
#include "base/str.h"

void enc_base64(struct buf *out, struct str bytes);    /* with padding */
void enc_base64url(struct buf *out, struct str bytes); /* without */
void enc_hex(struct buf *out, struct str bytes);       /* lower case */

/* Strict: the alphabet only, canonical trailing bits, padding required (base64) or refused (base64url). False = refused;
 * also when the arena is full. */
bool dec_base64(struct arena *arena, struct str text, struct str *ret);
bool dec_base64url(struct arena *arena, struct str text, struct str *ret);
/* What protobuf's JSON mapping must take: either alphabet, padding or none. */
bool dec_base64_any(struct arena *arena, struct str text, struct str *ret);
bool dec_hex(struct arena *arena, struct str text, struct str *ret);

bool utf8_valid(struct str s);                             /* no surrogates, no overlong forms, up to U+10FFFF */
bool utf8_next(struct str *rest, uint32_t *ret_codepoint); /* false at the end or at a bad sequence */
size_t utf8_put(uint32_t codepoint, char out[4]);          /* 0 for what is no scalar value */
size_t utf8_length(struct str s);                          /* code points of a valid string */
