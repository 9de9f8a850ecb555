#include "cli/init_text.h"
#include "base/json_text.h"

#define DEV_TENANT "00000000-0000-4000-8000-00000000de0e"

static const char dev_issuers[] =
    "issuers:\n"
    "  # Tokens shaped like Entra's, from `linkspan dev-issuer serve`. Anybody on this machine can get one.\n"
    "  dev:\n"
    "    preset: entra\n"
    "    tenant: " DEV_TENANT "\n"
    "    jwks_uri: http://127.0.0.1:8444/keys\n"
    "    audiences: [\"api://linkspan\"]\n";

static const char issuers[] = "# Whose tokens are believed. Nobody can prove who they are until there is one; for example\n"
                              "issuers: {}\n"
                              "#  entra: { preset: entra, tenant: 00000000-…, audiences: [\"api://linkspan\"] }\n"
                              "#  corp:  { preset: discovery, issuer: https://id.corp.example, audiences: [linkspan] }\n"
                              "#  google: { preset: google, audiences: [https://linkspan.corp.example] }\n";

void init_text_config(const struct init_site *site, struct buf *out) {
    buf_printf(
        out,
        "# Linkspan's configuration. `linkspan check --config THIS` finds its faults, `linkspan check --reference` tells\n"
        "# what it may hold. Paths are relative to this file. No secret is written here.\n"
        "environment: %s%s\n\n",
        site->development ? "development" : "production",
        site->development ? "" : "  # development would allow the development issuer and http on loopback");
    buf_printf(out, "listen: { public: \"%s\" }\nurl: %s  # how clients reach us: in our tokens, so it must stay\n",
               site->listen, site->url);
    buf_add_z(out, "tls: { certificate: tls/server.pem, key: tls/server.key, ca: tls/ca.pem }\n"
                   "data: data\n"
                   "policy: policy\n\n");
    buf_add_z(out, site->development ? dev_issuers : issuers);
    buf_add_z(out, "\n# What is behind us. In the policy, `spanner demo/NAME` is database NAME of connection demo.\n"
                   "connections:\n"
                   "  demo:\n"
                   "    spanner: { back: embedded, project: demo, instance: demo }\n"
                   "    # dataproc: { back: embedded, project: demo, region: local, code: [./jobs] }\n");
}

void init_text_policy(const struct init_site *site, struct buf *out) {
    buf_add_z(out, "# Who may do what. Everything is denied that no rule allows; `linkspan policy explain ID` tells which "
                   "rule a refused\n"
                   "# request lacks. After a change: linkspan check, then SIGHUP to the server.\n"
                   "domain demo covers spanner demo/* owner admin\n\n");
    if (!site->development) {
        buf_printf(out,
                   "# identity analyst is oidc corp where \"analysts\" in groups\n"
                   "# bi: allow analyst to read Flights(carrier, dep_delay) in spanner demo/flights\n"
                   "#     owner admin until %s\n",
                   site->until);
        return;
    }
    buf_printf(
        out,
        "identity developer is oidc dev where oid = \"developer\"\n\n"
        "setup: allow developer to administer spanner demo/*\n    owner admin until %s\n"
        "work:  allow developer to read, insert, update, delete every table and change schema every table and read schema\n"
        "    in spanner demo/*\n    owner admin until %s\n",
        site->until, site->until);
}

void init_text_credentials(const struct init_site *site, struct buf *out) {
    buf_add_z(out, "{\n  \"type\": \"external_account\",\n"
                   "  \"audience\": "
                   "\"//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/linkspan/providers/dev\",\n"
                   "  \"subject_token_type\": \"urn:ietf:params:oauth:token-type:jwt\",\n  \"token_url\": ");
    DEFER(buf_free) struct buf url = BUF_INIT(1024);
    buf_printf(&url, "%s/v1/token", site->url);
    json_text_string(out, buf_str(&url));
    buf_add_z(out, ",\n  \"credential_source\": {\n"
                   "    \"url\": \"http://127.0.0.1:8444/token?shape=entra&tenant=" DEV_TENANT
                   "&sub=developer&aud=api%3A%2F%2Flinkspan\",\n"
                   "    \"format\": { \"type\": \"json\", \"subject_token_field_name\": \"access_token\" }\n  }\n}\n");
}
