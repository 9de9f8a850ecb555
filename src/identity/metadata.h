/* metadata.h: the GCE metadata server of one job, as a pure function of a request. Which listener it came in by says which
 * job it is; nothing in the request does. Facts: docs/identity.md. Any thread. */
#pragma once
#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

enum { METADATA_MIN_LEFT_S = 600, METADATA_QUERY_MAX = 4096 };

struct metadata_request {
    struct str method, path, query; /* path as received, still encoded; query without '?' */
    void *ctx;
    /* How often the header occurs, and its last value. Names are lower case. */
    unsigned (*header)(void *ctx, struct str name, struct str *ret_value);
};

struct metadata_token {
    struct str text; /* in the arena */
    int64_t expires_s;
};

struct metadata_job {
    struct str account, project, zone, instance_name; /* zone "local-a"; "" = a stand-in */
    uint64_t project_number, instance_id;
    struct str host; /* the listener's own "ip:port", also allowed as Host */
    int64_t now_s;
    void *ctx;
    /* A token of the account with at least METADATA_MIN_LEFT_S left; scopes separated by spaces, "" = the default.
     * PERMISSION_DENIED is answered with 403 and err's message, other errors with 503. */
    enum code (*access_token)(void *ctx, struct str account, struct str scopes, struct arena *arena,
                              struct metadata_token *ret, struct err *err);
    enum code (*id_token)(void *ctx, struct str account, struct str audience, struct arena *arena,
                          struct metadata_token *ret, struct err *err);
};

struct metadata_response {
    unsigned status;
    struct str content_type,
        body; /* body in the arena. Send "Metadata-Flavor: Google" and "Server: Metadata Server for VM" always */
};

void metadata_answer(const struct metadata_job *job, const struct metadata_request *request, struct arena *arena,
                     struct metadata_response *ret);
