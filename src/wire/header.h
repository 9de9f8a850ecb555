/* header.h: a header field, and what both versions of HTTP say about its name and value. Any thread. RFC 9110 §5. */
#pragma once
#include "base/str.h"

struct http_header {
    struct str name; /* lower case once parsed, in HTTP/1 as well */
    struct str value;
};

bool http_is_token(struct str s);       /* RFC 9110 §5.6.2, not empty */
bool http_is_field_value(struct str s); /* no control characters but HTAB; no white space at the ends */
/* The first field of this name (lower case), or NULL; http_header_count says whether there are several. */
const struct http_header *http_header_find(const struct http_header *headers, size_t n, struct str name);
size_t http_header_count(const struct http_header *headers, size_t n, struct str name);
struct str http_header_value(const struct http_header *headers, size_t n, struct str name); /* {NULL, 0} when absent */
