#include "identity/metadata.h"

#include "base/json_text.h"
#include "identity/form.h"

enum { BODY_MAX = 32 << 10, PATH_MAX_BYTES = 512, AUDIENCE_MAX = 512 };

#define TEXT_TYPE "application/text"

struct call {
    const struct metadata_job *job;
    struct arena *arena;
    struct form query;
    struct metadata_response *out;
};

static void respond(struct call *call, unsigned status, struct str type, struct str body) {
    *call->out = (struct metadata_response){ status, type, body };
}

static void text(struct call *call, struct str body) {
    respond(call, 200, STR(TEXT_TYPE), body);
}

static void fail(struct call *call, unsigned status, const char *why) {
    respond(call, status, STR("text/plain; charset=UTF-8"), str_z(why));
}

static void unavailable(struct call *call) {
    fail(call, 503, "the token cannot be given now");
}

/* Whoever may not have it is told why; for the rest clients try again. */
static void not_given(struct call *call, const struct err *err) {
    const char *why = err->code == PERMISSION_DENIED ? str_dupz(call->arena, str_z(err->message)) : NULL;
    if (why) fail(call, 403, why);
    else unavailable(call);
}

/* Copies what was written; out of memory is a 503, which clients try again. */
static void json(struct call *call, const struct buf *body) {
    struct str copy = buf_ok(body) ? str_dup(call->arena, buf_str(body)) : (struct str){ NULL, 0 };
    if (copy.p) respond(call, 200, STR("application/json"), copy);
    else unavailable(call);
}

static struct str or_text(struct str s, struct str fallback) {
    return s.n ? s : fallback;
}

static void number(struct call *call, uint64_t n) {
    text(call, arena_printf(call->arena, "%llu", (unsigned long long)n));
}

static void answer_root(struct call *call) {
    text(call, STR("computeMetadata/\n"));
}

static void answer_v1(struct call *call) {
    text(call, STR("instance/\nproject/\nuniverse/\n"));
}

static void answer_instance(struct call *call) {
    text(call, STR("hostname\nid\nname\nservice-accounts/\nzone\n"));
}

static void answer_project_id(struct call *call) {
    text(call, call->job->project);
}

static void answer_project_number(struct call *call) {
    number(call, call->job->project_number);
}

static void answer_instance_id(struct call *call) {
    number(call, call->job->instance_id);
}

static void answer_instance_name(struct call *call) {
    text(call, or_text(call->job->instance_name, STR("linkspan-job")));
}

static void answer_hostname(struct call *call) {
    text(call, arena_printf(call->arena, "%.*s.c.%.*s.internal",
                            STR_ARG(or_text(call->job->instance_name, STR("linkspan-job"))), STR_ARG(call->job->project)));
}

static void answer_zone(struct call *call) {
    text(call, arena_printf(call->arena, "projects/%llu/zones/%.*s", (unsigned long long)call->job->project_number,
                            STR_ARG(or_text(call->job->zone, STR("local-a")))));
}

static void answer_universe(struct call *call) {
    text(call, STR("googleapis.com"));
}

static void answer_accounts(struct call *call) {
    text(call, arena_printf(call->arena, "default/\n%.*s/\n", STR_ARG(call->job->account)));
}

static void answer_email(struct call *call) {
    text(call, call->job->account);
}

static void answer_aliases(struct call *call) {
    text(call, STR("default\n"));
}

#define DEFAULT_SCOPE "https://www.googleapis.com/auth/cloud-platform"

static void answer_scopes(struct call *call) {
    text(call, STR(DEFAULT_SCOPE "\n"));
}

static void answer_account(struct call *call) {
    struct str recursive = STR("");
    (void)form_get(&call->query, "recursive", &recursive);
    if (!str_eq_nocase(recursive, STR("true"))) {
        text(call, STR("aliases\nemail\nidentity\nscopes\ntoken\n"));
        return;
    }
    DEFER(buf_free) struct buf body = BUF_INIT(BODY_MAX);
    buf_add_z(&body, "{\"aliases\":[\"default\"],\"email\":");
    json_text_string(&body, call->job->account);
    buf_add_z(&body, ",\"scopes\":[\"" DEFAULT_SCOPE "\"]}");
    json(call, &body);
}

/* "a,b" → "a b". */
static bool scopes_of(struct call *call, struct str *ret) {
    struct str scopes = STR("");
    (void)form_get(&call->query, "scopes", &scopes);
    char *copy = arena_alloc(call->arena, scopes.n + 1);
    if (!copy) return false;
    for (size_t i = 0; i < scopes.n; i++) copy[i] = scopes.p[i] == ',' ? ' ' : scopes.p[i];
    *ret = (struct str){ copy, scopes.n };
    return true;
}

static void answer_token(struct call *call) {
    struct err err = { 0 };
    struct metadata_token token;
    struct str scopes;
    const struct metadata_job *job = call->job;
    if (!scopes_of(call, &scopes) || job->access_token(job->ctx, job->account, scopes, call->arena, &token, &err) ||
        token.expires_s <= job->now_s) {
        not_given(call, &err);
        return;
    }
    DEFER(buf_wipe) struct buf body = BUF_INIT(BODY_MAX);
    buf_add_z(&body, "{\"access_token\":");
    json_text_string(&body, token.text);
    buf_printf(&body, ",\"expires_in\":%lld,\"token_type\":\"Bearer\"}", (long long)(token.expires_s - job->now_s));
    json(call, &body);
}

static void answer_identity(struct call *call) {
    struct err err = { 0 };
    struct metadata_token token;
    struct str audience = STR(""), format = STR("standard");
    const struct metadata_job *job = call->job;
    (void)form_get(&call->query, "audience", &audience);
    (void)form_get(&call->query, "format", &format);
    if (audience.n == 0 || audience.n > AUDIENCE_MAX) fail(call, 400, "non-empty audience parameter required");
    else if (!str_eq_z(format, "standard") && !str_eq_z(format, "full")) fail(call, 400, "format must be standard or full");
    else if (job->id_token(job->ctx, job->account, audience, call->arena, &token, &err)) not_given(call, &err);
    else text(call, token.text);
}

static const char *const no_query[] = { "alt", "recursive", NULL };
static const char *const token_query[] = { "scopes", NULL };
static const char *const identity_query[] = { "audience", "format", "licenses", NULL };

/* The paths; below an account's folder in the second table. What a row does not list in its query is refused: Node sends an
 * audience unencoded, and its tail must not become parameters of ours. */
static const struct row {
    const char *path;
    void (*answer)(struct call *call);
    const char *const *query;
} rows[] = {
    { "", answer_v1, no_query },
    { "instance", answer_instance, no_query },
    { "instance/id", answer_instance_id, no_query },
    { "instance/name", answer_instance_name, no_query },
    { "instance/hostname", answer_hostname, no_query },
    { "instance/zone", answer_zone, no_query },
    { "instance/service-accounts", answer_accounts, no_query },
    { "project/project-id", answer_project_id, no_query },
    { "project/numeric-project-id", answer_project_number, no_query },
    { "universe/universe-domain", answer_universe, no_query },
    { "universe/universe_domain", answer_universe, no_query },
}, account_rows[] = {
    { "", answer_account, no_query },
    { "email", answer_email, no_query },
    { "aliases", answer_aliases, no_query },
    { "scopes", answer_scopes, no_query },
    { "token", answer_token, token_query },
    { "identity", answer_identity, identity_query },
};

static const struct row *find(const struct row *table, size_t n, struct str path) {
    (void)str_strip_suffix(&path, STR("/"));
    for (size_t i = 0; i < n; i++)
        if (str_eq_z(path, table[i].path)) return &table[i];
    return NULL;
}

static bool is_account(const struct metadata_job *job, struct str name) {
    struct str account = job->account, user = str_cut(&account, '@');
    if (str_eq_z(name, "default") || str_eq(name, job->account)) return true;
    /* The one encoding that clients use in paths. */
    return str_strip_prefix(&name, user) && str_strip_prefix(&name, STR("%40")) && str_eq(name, account);
}

static const struct row *route(const struct metadata_job *job, struct str path) {
    if (!str_strip_prefix(&path, STR("instance/service-accounts/"))) return find(rows, COUNT(rows), path);
    if (path.n == 0) return find(rows, COUNT(rows), STR("instance/service-accounts"));
    if (!is_account(job, str_cut(&path, '/'))) return NULL;
    return find(account_rows, COUNT(account_rows), path);
}

/* A browser, a proxy or another page's script sends one of these; a metadata client never does. */
static const char *const foreign_headers[] = {
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-real-ip",
    "forwarded",
    "via",
    "origin",
    "referer",
    "sec-fetch-site",
    "sec-fetch-mode",
    "sec-fetch-dest",
    "upgrade",
    "transfer-encoding",
};

/* DNS rebinding brings a foreign Host to our address. */
static bool host_allowed(const struct metadata_job *job, struct str host) {
    static const char *const names[] = { "169.254.169.254",           "169.254.169.254:80",
                                         "metadata.google.internal",  "metadata.google.internal:80",
                                         "metadata.google.internal.", "metadata" };
    for (size_t i = 0; i < COUNT(names); i++)
        if (str_eq_nocase(host, str_z(names[i]))) return true;
    return job->host.n && str_eq_nocase(host, job->host);
}

static bool headers_allowed(struct call *call, const struct metadata_request *request) {
    struct str value = STR("");
    if (!str_eq_z(request->method, "GET")) {
        fail(call, 405, "only GET is served");
        return false;
    }
    for (size_t i = 0; i < COUNT(foreign_headers); i++) {
        if (request->header(request->ctx, str_z(foreign_headers[i]), &value) == 0) continue;
        fail(call, 403, "a forwarded request, or a browser's, is not served");
        return false;
    }
    if (request->header(request->ctx, STR("host"), &value) != 1 || !host_allowed(call->job, value)) {
        fail(call, 403, "this host is not served");
        return false;
    }
    if (request->header(request->ctx, STR("content-length"), &value) == 0 || str_eq_z(value, "0")) return true;
    fail(call, 400, "a body is not taken");
    return false;
}

static bool flavor_given(const struct metadata_request *request) {
    struct str value = STR("");
    return request->header(request->ctx, STR("metadata-flavor"), &value) == 1 && str_eq_z(value, "Google");
}

static void serve(struct call *call, const struct metadata_request *request) {
    struct str path = request->path;
    if (!headers_allowed(call, request)) return;
    if (str_eq_z(path, "/") && request->query.n == 0) {
        answer_root(call);
        return;
    }
    bool v1 = str_strip_prefix(&path, STR("/computeMetadata/v1/")) || str_eq_z(path, "/computeMetadata/v1");
    if (!v1 || path.n > PATH_MAX_BYTES) {
        fail(call, 404, "not found");
        return;
    }
    if (!flavor_given(request)) {
        fail(call, 403, "Missing required header: Metadata-Flavor");
        return;
    }
    const struct row *row = str_starts(path, STR("/computeMetadata")) ? &rows[0] : route(call->job, path);
    if (!row) fail(call, 404, "not found");
    else if (request->query.n > METADATA_QUERY_MAX || !form_parse(request->query, call->arena, &call->query))
        fail(call, 400, "the query cannot be read, or holds a name twice");
    else if (form_unknown(&call->query, row->query).p)
        fail(call, 400, "the query holds a parameter that is not supported here");
    else row->answer(call);
}

void metadata_answer(const struct metadata_job *job, const struct metadata_request *request, struct arena *arena,
                     struct metadata_response *ret) {
    struct call call = { .job = job, .arena = arena, .out = ret };
    serve(&call, request);
    if (ret->body.n == 0 && ret->status == 200) unavailable(&call); /* the arena was full */
}
