#include "crypto/x509.h"

#include <arpa/inet.h>
#include <openssl/bn.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "crypto/evp.h"
#include "crypto/key_priv.h"

enum { NAMES_MAX = 64, NAME_MAX_BYTES = 253, SERIAL_BITS = 127, BACKDATED_S = 3600, DAY_S = 86400 };

static void x509_freep(X509 **cert) {
    X509_free(*cert);
}

static void bio_freep(BIO **bio) {
    BIO_free_all(*bio);
}

static void names_freep(GENERAL_NAMES **names) {
    GENERAL_NAMES_free(*names);
}

static bool set_serial(X509 *cert) {
    BIGNUM *bn = BN_new();
    bool ok = bn && BN_rand(bn, SERIAL_BITS, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) == 1 &&
              BN_to_ASN1_INTEGER(bn, X509_get_serialNumber(cert)) != NULL;
    BN_free(bn);
    return ok;
}

static bool set_name(X509_NAME *name, struct str text) {
    return X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)text.p, (int)text.n, -1, 0) == 1;
}

static bool add_ext(X509 *cert, X509 *issuer, int nid, const char *value) {
    X509V3_CTX ctx;
    X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
    X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    bool ok = ext && X509_add_ext(cert, ext, -1) == 1;
    X509_EXTENSION_free(ext);
    return ok;
}

/* What every certificate has: version 3, a serial number, its time, its key. */
static X509 *begin(const struct key *key, unsigned days) {
    X509 *cert = X509_new();
    if (cert && X509_set_version(cert, X509_VERSION_3) == 1 && set_serial(cert) &&
        X509_gmtime_adj(X509_getm_notBefore(cert), -BACKDATED_S) &&
        X509_gmtime_adj(X509_getm_notAfter(cert), (long)days * DAY_S) && X509_set_pubkey(cert, key->pkey) == 1)
        return cert;
    X509_free(cert);
    return NULL;
}

static enum code finish(X509 *cert, const struct key *signer, struct buf *out, struct err *err) {
    if (X509_sign(cert, signer->pkey, evp_sha2(256)) <= 0)
        return key_openssl_err(err, INTERNAL, "cannot sign a certificate");
    DEFER(bio_freep) BIO *bio = BIO_new(BIO_s_mem());
    if (!bio || PEM_write_bio_X509(bio, cert) != 1) return key_openssl_err(err, INTERNAL, "cannot write a certificate");
    char *p = NULL;
    long n = BIO_get_mem_data(bio, &p);
    buf_add(out, p, n > 0 ? (size_t)n : 0);
    return buf_ok(out) ? OK : err_oom(err);
}

enum code x509_make_ca(const struct key *key, struct str name, unsigned days, struct buf *ret_pem, struct err *err) {
    if (!key->is_private || name.n == 0 || name.n > 64)
        return err_set(err, INVALID_ARGUMENT, "a CA needs a private key and a name");
    DEFER(x509_freep) X509 *cert = begin(key, days);
    if (!cert || !set_name(X509_get_subject_name(cert), name) ||
        X509_set_issuer_name(cert, X509_get_subject_name(cert)) != 1 ||
        !add_ext(cert, cert, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") ||
        !add_ext(cert, cert, NID_key_usage, "critical,keyCertSign,cRLSign") ||
        !add_ext(cert, cert, NID_subject_key_identifier, "hash"))
        return key_openssl_err(err, INTERNAL, "cannot make a CA");
    return finish(cert, key, ret_pem, err);
}

static bool dns_lawful(struct str name) {
    (void)str_strip_prefix(&name, STR("*."));
    if (name.n == 0 || name.n > NAME_MAX_BYTES || name.p[0] == '.' || name.p[0] == '-') return false;
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        bool alnum = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!alnum && c != '-' && c != '.' && c != '_') return false;
        if (c == '.' && i + 1 < name.n && name.p[i + 1] == '.') return false;
    }
    return true;
}

/* The address's bytes: 4 or 16; 0 when it is none. */
static int address_of(struct str name, unsigned char out[16]) {
    char text[INET6_ADDRSTRLEN] = "";
    if (name.n >= sizeof text) return 0;
    for (size_t i = 0; i < name.n; i++) text[i] = name.p[i];
    if (inet_pton(AF_INET, text, out) == 1) return 4;
    return inet_pton(AF_INET6, text, out) == 1 ? 16 : 0;
}

static bool add_name(GENERAL_NAMES *names, struct str name) {
    unsigned char address[16];
    int n = address_of(name, address);
    GENERAL_NAME *general = GENERAL_NAME_new();
    ASN1_STRING *value = n ? ASN1_OCTET_STRING_new() : ASN1_IA5STRING_new();
    bool ok = general && value && ASN1_STRING_set(value, n ? (const void *)address : name.p, n ? n : (int)name.n) == 1;
    if (ok) {
        GENERAL_NAME_set0_value(general, n ? GEN_IPADD : GEN_DNS, value);
        value = NULL;
        ok = sk_GENERAL_NAME_push(names, general) > 0;
        if (ok) general = NULL;
    }
    ASN1_STRING_free(value);
    GENERAL_NAME_free(general);
    return ok;
}

static enum code make_names(const struct x509_names *names, GENERAL_NAMES **ret, struct err *err) {
    unsigned char unused[16];
    if (names->n == 0 || names->n > NAMES_MAX)
        return err_set(err, INVALID_ARGUMENT, "a certificate needs 1 to %d names", NAMES_MAX);
    DEFER(names_freep) GENERAL_NAMES *list = GENERAL_NAMES_new();
    if (!list) return err_oom(err);
    for (size_t i = 0; i < names->n; i++) {
        struct str name = names->names[i];
        if (!address_of(name, unused) && !dns_lawful(name))
            return err_set(err, INVALID_ARGUMENT, "neither a host's name nor an address: %.*s",
                           STR_ARG(str_upto(name, 100)));
        if (!add_name(list, name)) return err_oom(err);
    }
    *ret = TAKE(list);
    return OK;
}

static bool fill_server(X509 *cert, X509 *ca, GENERAL_NAMES *names) {
    return set_name(X509_get_subject_name(cert), STR("linkspan")) &&
           X509_set_issuer_name(cert, X509_get_subject_name(ca)) == 1 &&
           add_ext(cert, ca, NID_basic_constraints, "critical,CA:FALSE") &&
           add_ext(cert, ca, NID_key_usage, "critical,digitalSignature") &&
           add_ext(cert, ca, NID_ext_key_usage, "serverAuth") && add_ext(cert, ca, NID_subject_key_identifier, "hash") &&
           add_ext(cert, ca, NID_authority_key_identifier, "keyid:always") &&
           X509_add1_ext_i2d(cert, NID_subject_alt_name, names, 0, X509V3_ADD_DEFAULT) == 1;
}

enum code x509_issue_server(const struct key *ca_key, struct str ca_pem, const struct key *key,
                            const struct x509_names *names, unsigned days, struct buf *ret_pem, struct err *err) {
    DEFER(bio_freep) BIO *bio = BIO_new_mem_buf(ca_pem.p, (int)ca_pem.n);
    DEFER(x509_freep) X509 *ca = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
    if (!ca) return key_openssl_err(err, INVALID_ARGUMENT, "the CA's certificate cannot be read");
    if (X509_check_private_key(ca, ca_key->pkey) != 1)
        return key_openssl_err(err, INVALID_ARGUMENT, "the CA's key is not its certificate's");
    DEFER(names_freep) GENERAL_NAMES *list = NULL;
    enum code rc = make_names(names, &list, err);
    if (rc) return rc;
    DEFER(x509_freep) X509 *cert = begin(key, days);
    if (!cert || !fill_server(cert, ca, list)) return key_openssl_err(err, INTERNAL, "cannot make a certificate");
    return finish(cert, ca_key, ret_pem, err);
}
