/* init_text.h: the texts of the files that `linkspan init` makes. */
#pragma once
#include "base/buf.h"

struct init_site {
    const char *url, *listen, *dir; /* dir: as given */
    bool development;
    char until[16]; /* "2027-03-31": when the starter rules end */
};
void init_text_config(const struct init_site *site, struct buf *out);
void init_text_policy(const struct init_site *site, struct buf *out);
void init_text_credentials(const struct init_site *site, struct buf *out); /* development only */
