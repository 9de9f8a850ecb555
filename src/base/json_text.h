/* json_text.h: writing JSON text straight into a buffer. (Reading is data/json.h.) RFC 8259 §7. */
#pragma once
#include "base/buf.h"

/* A quoted string. Bytes that are not UTF-8 become U+FFFD; control characters, '<', '>' and U+2028/9 are escaped, so the
 * text may stand in a page or a terminal. */
void json_text_string(struct buf *out, struct str s);
