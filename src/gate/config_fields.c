/* config_fields.c: what the configuration may hold: `linkspan check --reference` prints these tables. */
#include "gate/config_priv.h"
#include "net/address.h"
#include "synapse/synapse.h"

enum { CLUSTER_MAX = 52, WORKSPACE_MAX = 50 };

static const char *bad_address(struct str text) {
    struct net_address address;
    struct err err;
    return net_address_parse(text, &address, &err) ? "is no address such as 127.0.0.1:8443" : NULL;
}

/* What it tells is nobody else's business, and it is not encrypted. */
static const char *bad_admin(struct str text) {
    struct net_address address;
    struct err err;
    bool ok = net_address_parse(text, &address, &err) == OK && net_address_is_loopback(&address);
    return ok ? NULL
              : "must be a loopback address such as 127.0.0.1:8444, as it answers anyone, in plaintext: a collector on "
                "another machine needs an agent on this one";
}

static const char *bad_url(struct str text) {
    return str_starts(text, STR("https://")) && !str_ends(text, STR("/")) ? NULL
                                                                          : "must begin with https:// and not end with /";
}

static const char *bad_id(struct str text) {
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.' || c == ':'))
            return "may hold a-z, 0-9, '-', '_', '.' and ':' only";
    }
    return NULL;
}

/* As the engine names its folders. */
static const char *bad_instance(struct str text) {
    bool ok = text.n && text.p[0] >= 'a' && text.p[0] <= 'z' && text.p[text.n - 1] != '-' && text.p[text.n - 1] != '_';
    for (size_t i = 0; ok && i < text.n; i++) {
        char c = text.p[i];
        ok = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
    }
    return ok ? NULL : "must be a-z, then a-z, 0-9, '-' and '_', not ending in '-' or '_'";
}

/* As Dataproc takes them. */
const char *config_bad_cluster(struct str name) {
    bool ok = true;
    for (size_t i = 0; ok && i < name.n; i++) {
        char c = name.p[i];
        ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
    }
    return ok ? NULL : "is no name of a Dataproc cluster: it may hold A-Z, a-z, 0-9, '_' and '-' only";
}

/* Entra prints them in lower case, and claims are compared byte for byte. */
static const char *bad_guid(struct str text) {
    bool ok = text.n == 36;
    for (size_t i = 0; ok && i < text.n; i++) {
        char c = text.p[i];
        ok = i == 8 || i == 13 || i == 18 || i == 23 ? c == '-' : (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
    }
    return ok ? NULL : "must be a GUID in lower case, such as 72f988bf-86f1-41af-91ab-2d7cd011db47";
}

/* Azure's own rule for workspaces; the name becomes a part of an account's. */
static const char *bad_workspace(struct str text) {
    bool ok = text.n && text.p[0] != '-' && text.p[text.n - 1] != '-' && !str_ends(text, STR("-ondemand"));
    for (size_t i = 0; ok && i < text.n; i++) {
        char c = text.p[i];
        ok = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
    }
    return ok ? NULL : "may hold a-z, 0-9 and '-' only, no '-' at either end, and not end with -ondemand";
}

/* Every workspace of the world has this audience: a token for it may be one that somebody else was shown. */
static const char *bad_audience(struct str text) {
    (void)str_strip_suffix(&text, STR("/"));
    if (str_eq(text, STR(SYNAPSE_AUDIENCE)))
        return "belongs to all Synapse workspaces: Synapse's own methods take it anyway, and no others may";
    for (size_t i = 0; i < text.n; i++)
        if ((unsigned char)text.p[i] <= 0x20 || (unsigned char)text.p[i] >= 0x7f)
            return "may not hold blanks, control characters or letters beyond ASCII";
    return text.n <= ISSUER_AUDIENCE_BYTES ? NULL : "is longer than 256 bytes";
}

static const char *const environments[] = { "development", "production", NULL };
static const char *const presets[] = { "plain", "discovery", "entra", "google", NULL };
static const char *const logged_requests[] = { "none", "refusals", "all", NULL };
static const char *const log_formats[] = { "json", "text", NULL };
static const char *const backs[] = { "embedded", "upstream", NULL };
static const char *const records[] = { "prompt", "enforced", NULL };
static const char *const role_words[] = { "none", "generated", NULL };

const struct field config_listen[] = {
    { .key = "public",
      .type = FIELD_TEXT,
      .required = true,
      .check = bad_address,
      .doc = "Where clients connect, with TLS." },
    { .key = "admin",
      .type = FIELD_TEXT,
      .check = bad_admin,
      .doc = "Where /metrics and /healthz are, in plaintext: a loopback address. Default: nowhere." },
    { 0 },
};
const struct field config_tls[] = {
    { .key = "certificate", .type = FIELD_TEXT, .fallback = "tls/server.pem", .doc = "PEM, with its chain." },
    { .key = "key", .type = FIELD_TEXT, .fallback = "tls/server.key", .doc = "PEM, readable by its owner only." },
    { .key = "ca", .type = FIELD_TEXT, .fallback = "tls/ca.pem", .doc = "The authority that clients trust." },
    { 0 },
};
const struct field config_issuer[] = {
    { .key = "preset", .type = FIELD_ENUM, .words = presets, .fallback = "plain", .doc = "What kind of issuer it is." },
    { .key = "issuer", .type = FIELD_TEXT, .max = 512, .doc = "`iss`, byte for byte (plain, discovery)." },
    { .key = "tenant",
      .type = FIELD_TEXT,
      .max = 64,
      .doc = "Entra's tenant id: `tid` must be it, with other presets too." },
    { .key = "audiences",
      .type = FIELD_TEXT_LIST,
      .required = true,
      .min = 1,
      .max = ISSUER_AUDIENCES_MAX,
      .check = bad_audience,
      .doc = "Whom its tokens must be for." },
    { .key = "jwks", .type = FIELD_TEXT, .doc = "A file with its key set." },
    { .key = "jwks_uri", .type = FIELD_TEXT, .max = 1024, .doc = "Where its key set is, if not where the preset says." },
    { .key = "max_life",
      .type = FIELD_DURATION_MS,
      .fallback = "24h",
      .min = 60000,
      .max = 172800000,
      .doc = "The longest life of a token that is taken." },
    { 0 },
};
const struct field config_spanner_fields[] = {
    { .key = "back",
      .type = FIELD_ENUM,
      .words = backs,
      .required = true,
      .doc = "embedded: served here. upstream: requests go on." },
    { .key = "project",
      .type = FIELD_TEXT,
      .required = true,
      .min = 1,
      .max = 63,
      .check = bad_id,
      .doc = "The project in resource names." },
    { .key = "instance",
      .type = FIELD_TEXT,
      .required = true,
      .min = 2,
      .max = 64,
      .check = bad_instance,
      .doc = "The instance in resource names." },
    { .key = "endpoint", .type = FIELD_TEXT, .max = 512, .doc = "upstream: its address [https://spanner.googleapis.com]." },
    { .key = "exchange", .type = FIELD_TEXT, .max = 63, .doc = "upstream: where callers' tokens for it come from." },
    { .key = "schema_exchange",
      .type = FIELD_TEXT,
      .max = 63,
      .doc = "upstream: where the token comes from with which its schema is read [exchange]." },
    { .key = "schema_age",
      .type = FIELD_DURATION_MS,
      .fallback = "60s",
      .min = 1000,
      .max = 3600000,
      .doc = "upstream: a schema that is older is read again." },
    { .key = "timeout",
      .type = FIELD_DURATION_MS,
      .fallback = "1h",
      .min = 10,
      .max = 86400000,
      .doc = "upstream: how long a call may take for which its caller set no deadline." },
    { .key = "roles",
      .type = FIELD_ENUM,
      .words = role_words,
      .fallback = "none",
      .doc = "upstream: generated: sessions have a database role made from the caller's rules." },
    { 0 },
};
const struct field config_exchange_fields[] = {
    { .key = "file",
      .type = FIELD_TEXT,
      .required = true,
      .max = 1024,
      .doc = "Google's external_account file: the STS, and the account to impersonate. It holds no secret." },
    { 0 },
};
const struct field config_dataproc_fields[] = {
    { .key = "back",
      .type = FIELD_ENUM,
      .words = backs,
      .required = true,
      .doc = "embedded: a local Apache Spark. upstream: requests go on." },
    { .key = "project",
      .type = FIELD_TEXT,
      .required = true,
      .min = 1,
      .max = 63,
      .check = bad_id,
      .doc = "The project in resource names." },
    { .key = "region",
      .type = FIELD_TEXT,
      .required = true,
      .min = 1,
      .max = 63,
      .check = bad_id,
      .doc = "The region in resource names." },
    { .key = "endpoint",
      .type = FIELD_TEXT,
      .max = 512,
      .doc = "upstream: its address [https://REGION-dataproc.googleapis.com]." },
    { .key = "exchange", .type = FIELD_TEXT, .max = 63, .doc = "upstream: where callers' tokens for it come from." },
    { .key = "timeout",
      .type = FIELD_DURATION_MS,
      .fallback = "1h",
      .min = 10,
      .max = 86400000,
      .doc = "upstream: how long a call may take for which its caller set no deadline." },
    { .key = "accounts",
      .type = FIELD_TEXT_MAP,
      .doc = "upstream, required: its clusters, each with the e-mail of the account as which its jobs run." },
    { .key = "master",
      .type = FIELD_TEXT,
      .fallback = "local[*]",
      .doc = "embedded: Spark's master for clusters that name none." },
    { .key = "code",
      .type = FIELD_TEXT_LIST,
      .min = 1,
      .max = CONFIG_MAX_FOLDERS,
      .doc = "embedded, required: folders whose files jobs may use. upstream: places (gs://BUCKET/…/) whose files may go "
             "with a job that the policy names; any other file makes it free code." },
    { .key = "properties",
      .type = FIELD_TEXT_LIST,
      .max = CONFIG_MAX_FOLDERS,
      .doc = "Prefixes of Spark properties that jobs may set, beside the built-in ones." },
    { .key = "python",
      .type = FIELD_TEXT,
      .fallback = "/usr/bin/python3",
      .doc = "embedded: the interpreter whose environment holds PySpark." },
    { .key = "memory",
      .type = FIELD_SIZE,
      .fallback = "2GiB",
      .min = 512 << 20,
      .max = INT64_C(1) << 40,
      .doc = "embedded: memory of a driver." },
    { .key = "max_jobs",
      .type = FIELD_INT,
      .fallback = "4",
      .min = 1,
      .max = 1000,
      .doc = "embedded: jobs at once; more wait." },
    { 0 },
};
const struct field config_pool_fields[] = {
    { .key = "cluster",
      .type = FIELD_TEXT,
      .required = true,
      .min = 1,
      .max = CLUSTER_MAX,
      .check = config_bad_cluster,
      .doc = "The cluster of the same connection that its jobs run on." },
    { 0 },
};
const struct field config_synapse_fields[] = {
    { .key = "back", .type = FIELD_ENUM, .words = backs, .required = true, .doc = "embedded: served here." },
    { .key = "workspace",
      .type = FIELD_TEXT,
      .required = true,
      .min = 1,
      .max = WORKSPACE_MAX,
      .check = bad_workspace,
      .doc = "The workspace's name. In the policy its identity is account WORKSPACE@CONNECTION.synapse." },
    { .key = "tenant",
      .type = FIELD_TEXT,
      .required = true,
      .check = bad_guid,
      .doc = "`tid` of the workspace's identity; its issuer is URL/azure/TENANT/." },
    { .key = "principal", .type = FIELD_TEXT, .required = true, .check = bad_guid, .doc = "Its `oid` and `sub`." },
    { .key = "client", .type = FIELD_TEXT, .required = true, .check = bad_guid, .doc = "Its `appid`." },
    { .key = "audiences",
      .type = FIELD_TEXT_LIST,
      .min = 1,
      .max = ISSUER_AUDIENCES_MAX,
      .check = bad_audience,
      .doc = "What its tokens must be for to be taken here; default: our url." },
    { .key = "pools",
      .type = FIELD_MAP_OF,
      .fields = config_pool_fields,
      .max = CONFIG_MAX_POOLS,
      .doc = "Apache Spark pools, by name." },
    { 0 },
};
const struct field config_livy_fields[] = {
    { .key = "cluster",
      .type = FIELD_TEXT,
      .required = true,
      .min = 1,
      .max = CLUSTER_MAX,
      .check = config_bad_cluster,
      .doc = "The cluster of the same connection that its jobs run on." },
    { 0 },
};
const struct field config_service_fields[] = {
    { .key = "back", .type = FIELD_ENUM, .words = backs, .required = true, .doc = "upstream: requests go on." },
    { .key = "hosts",
      .type = FIELD_TEXT_LIST,
      .required = true,
      .min = 1,
      .max = CONFIG_MAX_HOSTS,
      .doc = "Requests for these hosts are for it, whatever their path." },
    { .key = "endpoint", .type = FIELD_TEXT, .required = true, .max = 512, .doc = "Its address: scheme, host and port." },
    { .key = "exchange",
      .type = FIELD_TEXT,
      .max = 63,
      .doc = "Where callers' tokens for it come from; without: it gets none." },
    { .key = "scopes",
      .type = FIELD_TEXT_LIST,
      .max = UPSTREAM_SCOPES,
      .doc = "Of these tokens [Google's cloud-platform]." },
    { .key = "audience",
      .type = FIELD_TEXT,
      .fallback = "",
      .max = 256,
      .doc = "What rules call its audience: `call \"ENDPOINT/*\" with audience \"…\"`." },
    { .key = "headers",
      .type = FIELD_TEXT_LIST,
      .max = CONFIG_MAX_HEADERS,
      .doc = "Names of header fields of requests that pass, beside the built-in ones." },
    { .key = "record",
      .type = FIELD_ENUM,
      .words = records,
      .fallback = "prompt",
      .doc = "enforced: the intention is durable in the audit log before the request goes on." },
    { .key = "timeout",
      .type = FIELD_DURATION_MS,
      .fallback = "60s",
      .min = 10,
      .max = 3600000,
      .doc = "HTTP: how long the service may take for each next step before its answer begins. gRPC has deadlines." },
    { 0 },
};
static const struct field connection_fields[] = {
    { .key = "spanner", .type = FIELD_MAP, .fields = config_spanner_fields, .doc = "A Spanner instance." },
    { .key = "dataproc", .type = FIELD_MAP, .fields = config_dataproc_fields, .doc = "A Dataproc region." },
    { .key = "synapse", .type = FIELD_MAP, .fields = config_synapse_fields, .doc = "An Azure Synapse workspace." },
    { .key = "livy", .type = FIELD_MAP, .fields = config_livy_fields, .doc = "Apache Livy's own API." },
    { .key = "service", .type = FIELD_MAP, .fields = config_service_fields, .doc = "Any HTTP or gRPC service." },
    { 0 },
};
const struct field config_audit[] = {
    { .key = "origin",
      .type = FIELD_TEXT,
      .fallback = "linkspan.local/audit",
      .min = 1,
      .max = 200,
      .doc = "The log's name in its checkpoints." },
    { 0 },
};
const struct field config_per_account[] = {
    { .key = "at_once",
      .type = FIELD_INT,
      .fallback = "0",
      .max = 1000000000,
      .doc = "Requests under way; 0: as many as it likes." },
    { .key = "per_second",
      .type = FIELD_INT,
      .fallback = "0",
      .max = 1000000000,
      .doc = "Requests a second, in bursts of one second's worth; 0: as many as it likes." },
    { 0 },
};
const struct field config_limits[] = {
    { .key = "per_account",
      .type = FIELD_MAP,
      .fields = config_per_account,
      .doc = "Of each caller by itself, whatever the policy's limits say besides." },
    { .key = "memory",
      .type = FIELD_SIZE,
      .fallback = "2GiB",
      .min = 64 << 20,
      .max = INT64_C(1) << 40,
      .doc = "What all requests under way may take together in decoded form; one of them 64 MiB, a large commit 512 MiB. "
             "Beyond it they end with RESOURCE_EXHAUSTED." },
    { 0 },
};
const struct field config_log[] = {
    { .key = "requests",
      .type = FIELD_ENUM,
      .words = logged_requests,
      .fallback = "none",
      .doc = "Which requests have a line of their own." },
    { .key = "format",
      .type = FIELD_ENUM,
      .words = log_formats,
      .fallback = "json",
      .doc = "json: as Cloud Logging reads it; text: for people." },
    { 0 },
};
const struct field config_root[] = {
    { .key = "environment",
      .type = FIELD_ENUM,
      .words = environments,
      .fallback = "production",
      .doc = "development allows the development issuer and http on loopback." },
    { .key = "data", .type = FIELD_TEXT, .fallback = "data", .doc = "The data directory." },
    { .key = "policy", .type = FIELD_TEXT, .fallback = "policy", .doc = "The directory of *.policy files." },
    { .key = "listen", .type = FIELD_MAP, .required = true, .fields = config_listen, .doc = "Addresses." },
    { .key = "url",
      .type = FIELD_TEXT,
      .required = true,
      .check = bad_url,
      .max = 512,
      .doc = "How clients reach us: also our name as an issuer." },
    { .key = "tls", .type = FIELD_MAP, .fields = config_tls, .doc = "Certificate and key." },
    { .key = "issuers",
      .type = FIELD_MAP_OF,
      .fields = config_issuer,
      .max = CONFIG_MAX_ISSUERS,
      .doc = "Whose tokens are believed." },
    { .key = "exchanges",
      .type = FIELD_MAP_OF,
      .fields = config_exchange_fields,
      .max = CONFIG_MAX_EXCHANGES,
      .doc = "Where tokens for upstreams come from." },
    { .key = "connections",
      .type = FIELD_MAP_OF,
      .fields = connection_fields,
      .max = CONFIG_MAX_CONNECTIONS,
      .doc = "What is behind us." },
    { .key = "audit", .type = FIELD_MAP, .fields = config_audit, .doc = "The audit log." },
    { .key = "limits", .type = FIELD_MAP, .fields = config_limits, .doc = "What callers may ask of us." },
    { .key = "log", .type = FIELD_MAP, .fields = config_log, .doc = "The program's log, on standard error." },
    { .key = "workers", .type = FIELD_INT, .fallback = "2", .min = 1, .max = 64, .doc = "Event loops." },
    { .key = "drain",
      .type = FIELD_DURATION_MS,
      .fallback = "10s",
      .max = 600000,
      .doc = "How long requests may finish after SIGTERM." },
    { 0 },
};
