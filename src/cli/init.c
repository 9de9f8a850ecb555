/* init.c: makes a place to run a server from: configuration, certificates, keys, data directory, a policy to start from. */
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/file.h"
#include "cli/commands.h"
#include "cli/init_text.h"
#include "crypto/x509.h"
#include "gate/data_dir.h"
#include "net/address.h"

enum { CA_DAYS = 3650, SERVER_DAYS = 825, RULES_DAYS = 90, TEXT_BYTES = 64 << 10 };

struct maker {
    struct init_site site;
    const struct args *args;
    struct err *err;
    char data[PATH_MAX];
};

/* What is made, in its order; `development`: only there. */
enum what { CONFIG, POLICY, CA_CERT, CA_KEY, SERVER_CERT, SERVER_KEY, DEVELOPER };
static const struct {
    const char *path;
    unsigned mode;
    bool development;
} made[] = {
    [CONFIG] = { "linkspan.yaml", 0600, false },       [POLICY] = { "policy/demo.policy", 0600, false },
    [CA_CERT] = { "tls/ca.pem", 0600, false },         [CA_KEY] = { "tls/ca.key", 0600, false },
    [SERVER_CERT] = { "tls/server.pem", 0600, false }, [SERVER_KEY] = { "tls/server.key", 0600, false },
    [DEVELOPER] = { "developer.json", 0600, true },
};

static enum code path_of(const struct maker *m, const char *name, char out[PATH_MAX]) {
    int n = snprintf(out, PATH_MAX, "%s/%s", m->site.dir, name);
    return n > 0 && n < PATH_MAX ? OK : err_set(m->err, INVALID_ARGUMENT, "the path is too long: %.64s…", m->site.dir);
}

static enum code refuse_existing(const struct maker *m) {
    char path[PATH_MAX];
    for (size_t i = 0; i < COUNT(made); i++) {
        enum code rc = path_of(m, made[i].path, path);
        if (rc) return rc;
        if (access(path, F_OK) == 0)
            return err_set(m->err, ALREADY_EXISTS, "%s is there already, and init overwrites nothing: name a new folder",
                           path);
    }
    static const enum data_path keys[] = { DATA_AUDIT_KEY, DATA_TOKEN_KEY, DATA_WORKSPACE_KEY };
    for (size_t i = 0; i < COUNT(keys); i++) {
        enum code rc = data_path(m->data, keys[i], path, m->err);
        if (rc) return rc;
        if (access(path, F_OK) == 0)
            return err_set(m->err, ALREADY_EXISTS, "%s is there already, and init overwrites nothing: name a new folder",
                           path);
    }
    return OK;
}

static enum code write_file(const struct maker *m, enum what what, const struct buf *text) {
    char path[PATH_MAX];
    enum code rc = path_of(m, made[what].path, path);
    if (!rc && !buf_ok(text)) rc = err_oom(m->err);
    return rc ? rc : file_write_durable(path, buf_str(text), made[what].mode, m->err);
}

static enum code store_key(const struct maker *m, enum what what, const struct key *key) {
    char path[PATH_MAX];
    enum code rc = path_of(m, made[what].path, path);
    return rc ? rc : key_store(key, path, m->err);
}

/* The names that the certificate is for: localhost and loopback, the URL's host, and what was asked for. */
static enum code collect_names(const struct maker *m, struct str *names, size_t max, size_t *ret_n) {
    struct str host = str_z(m->site.url);
    if (!str_strip_prefix(&host, STR("https://")) || str_find_char(host, '/') >= 0 || host.n == 0)
        return err_set(m->err, INVALID_ARGUMENT, "--url must look like https://localhost:8443, without a path");
    struct str authority = host;
    names[0] = STR("localhost");
    names[1] = STR("127.0.0.1");
    size_t n = 2;
    host = str_strip_prefix(&authority, STR("[")) ? str_cut(&authority, ']') : str_cut(&authority, ':');
    if (!str_eq(host, names[0]) && !str_eq(host, names[1])) names[n++] = host;
    for (const char *const *name = args_list(m->args, "name"); *name && n < max; name++) names[n++] = str_z(*name);
    *ret_n = n;
    return OK;
}

static enum code make_server_certificate(const struct maker *m, const struct key *ca_key, const struct buf *ca) {
    DEFER(key_unrefp) struct key *key = NULL;
    DEFER(buf_free) struct buf chain = BUF_INIT(TEXT_BYTES);
    struct str names[64];
    struct x509_names list = { .names = names };
    enum code rc = collect_names(m, names, COUNT(names), &list.n);
    if (!rc) rc = key_generate(KEY_P256, &key, m->err);
    if (!rc) rc = x509_issue_server(ca_key, buf_str(ca), key, &list, SERVER_DAYS, &chain, m->err);
    buf_add_str(&chain, buf_str(ca));
    if (!rc) rc = store_key(m, SERVER_KEY, key);
    return rc ? rc : write_file(m, SERVER_CERT, &chain);
}

static enum code make_certificates(const struct maker *m) {
    DEFER(key_unrefp) struct key *key = NULL;
    DEFER(buf_free) struct buf ca = BUF_INIT(TEXT_BYTES);
    enum code rc = key_generate(KEY_P256, &key, m->err);
    if (!rc) rc = x509_make_ca(key, STR("Linkspan local authority"), CA_DAYS, &ca, m->err);
    if (!rc) rc = store_key(m, CA_KEY, key);
    if (!rc) rc = write_file(m, CA_CERT, &ca);
    return rc ? rc : make_server_certificate(m, key, &ca);
}

static enum code make_key(const struct maker *m, enum key_kind kind, enum data_path private, struct key **ret) {
    char path[DATA_PATH_MAX];
    enum code rc = key_generate(kind, ret, m->err);
    if (!rc) rc = data_path(m->data, private, path, m->err);
    return rc ? rc : key_store(*ret, path, m->err);
}

static enum code make_data(const struct maker *m) {
    DEFER(key_unrefp) struct key *audit = NULL, *token = NULL, *workspace = NULL;
    DEFER(buf_free) struct buf public = BUF_INIT(TEXT_BYTES);
    char path[DATA_PATH_MAX];
    enum code rc = data_make(m->data, m->err);
    if (!rc) rc = make_key(m, KEY_ED25519, DATA_AUDIT_KEY, &audit);
    if (!rc) rc = key_public_pem(audit, &public, m->err);
    if (!rc) rc = data_path(m->data, DATA_AUDIT_PUBLIC, path, m->err);
    if (!rc) rc = file_write_durable(path, buf_str(&public), 0600, m->err);
    if (!rc) rc = make_key(m, KEY_P256, DATA_TOKEN_KEY, &token);
    return rc ? rc : make_key(m, KEY_RSA, DATA_WORKSPACE_KEY, &workspace);
}

static enum code make_text(const struct maker *m, enum what what, void (*write)(const struct init_site *, struct buf *)) {
    DEFER(buf_free) struct buf text = BUF_INIT(TEXT_BYTES);
    write(&m->site, &text);
    return write_file(m, what, &text);
}

static enum code make_folders(const struct maker *m) {
    static const char *const folders[] = { "tls", "policy", "data" };
    char path[PATH_MAX];
    for (size_t i = 0; i < COUNT(folders); i++) {
        enum code rc = path_of(m, folders[i], path);
        if (!rc) rc = file_make_dirs(path, 0700, m->err);
        if (rc) return rc;
    }
    return OK;
}

/* The configuration comes last: what has one is whole. */
static enum code make_all(const struct maker *m) {
    enum code rc = refuse_existing(m);
    if (!rc) rc = make_folders(m);
    if (!rc) rc = make_certificates(m);
    if (!rc) rc = make_data(m);
    if (!rc) rc = make_text(m, POLICY, init_text_policy);
    if (!rc && m->site.development) rc = make_text(m, DEVELOPER, init_text_credentials);
    return rc ? rc : make_text(m, CONFIG, init_text_config);
}

static enum code prepare(struct maker *m) {
    struct net_address address;
    enum code rc = net_address_parse(str_z(m->site.listen), &address, m->err);
    if (rc) return err_wrap(m->err, "--listen");
    int64_t year;
    unsigned month, day;
    clock_civil_from_days(clock_wall_s() / 86400 + RULES_DAYS, &year, &month, &day);
    (void)snprintf(m->site.until, sizeof m->site.until, "%04d-%02u-%02u", (int)(year % 10000), month % 100, day % 100);
    return path_of(m, "data", m->data);
}

static int run(struct args *args) {
    struct err err;
    struct maker m = { .args = args, .err = &err };
    m.site = (struct init_site){ .url = args_text(args, "url"),
                                 .listen = args_text(args, "listen"),
                                 .dir = args->operands[0],
                                 .development = args_has(args, "development") };
    enum code rc = prepare(&m);
    if (!rc) rc = make_all(&m);
    if (rc) return complain(args, &err);
    const char *dir = m.site.dir;
    DEFER(buf_free) struct buf out = BUF_INIT(TEXT_BYTES);
    buf_printf(&out, "Made %s. Next:\n", dir);
    if (!m.site.development)
        buf_printf(&out, "  write an issuer into %s/linkspan.yaml and rules into %s/policy\n", dir, dir);
    buf_printf(&out, "  linkspan check --config %s/linkspan.yaml\n  linkspan serve --config %s/linkspan.yaml\n", dir, dir);
    if (m.site.development)
        buf_printf(
            &out,
            "  linkspan dev-issuer serve --config %s/linkspan.yaml\n"
            "  linkspan sql demo/demo/first --create --server %s --ca %s/tls/ca.pem --credentials %s/developer.json\n",
            dir, m.site.url, dir, dir);
    buf_printf(&out, "Clients trust %s/tls/ca.pem. An auditor needs %s/data/keys/audit.pub.\n", dir, dir);
    return print_out(&out);
}

static const struct option options[] = {
    { .name = "url", .value = "URL", .fallback = "https://localhost:8443", .doc = "How clients reach the server." },
    { .name = "listen", .value = "ADDRESS", .fallback = "127.0.0.1:8443", .doc = "Where it listens." },
    { .name = "name", .value = "NAME", .repeated = true, .doc = "A further name or address for its certificate." },
    { .name = "development", .doc = "With the development issuer and an identity to try things with." },
    { 0 },
};
const struct command command_init = {
    .name = "init",
    .line = "Makes a folder to run a server from: configuration, certificates, keys, data, policy",
    .operands = "DIR",
    .min_operands = 1,
    .max_operands = 1,
    .options = options,
    .about =
        "Files are readable by their owner only. Nothing is overwritten: when one of them is there, it exits with 73.\n\n"
        "  linkspan init site --development\n"
        "  linkspan init site --url https://linkspan.corp.example:8443 --listen 0.0.0.0:8443",
    .run = run,
};
