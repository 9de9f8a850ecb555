#include "net/judge.h"

#include <string.h>

/* What a range means. From RFC 6890 and its registries; metadata services from the clouds' own documentation. */
struct range {
    uint8_t prefix[16];
    unsigned bits;
    const char *why;
};

static const char unspecified[] = "is no host's address (unspecified)",
                  link_local[] = "is link-local, where metadata services are", metadata[] = "is a cloud's metadata service",
                  multicast[] = "is a multicast or broadcast address", reserved[] = "is in a reserved range",
                  loopback[] = "is loopback, which only a rule that names it may allow",
                  carries[] = "carries another address inside, which may not be dialled",
                  tunnel[] = "is in a range that stands for other addresses";

static const struct range ranges4[] = {
    { { 0 }, 8, unspecified },
    { { 127 }, 8, loopback },
    { { 169, 254 }, 16, link_local },
    { { 100, 100, 100, 200 }, 32, metadata }, /* Alibaba */
    { { 168, 63, 129, 16 }, 32, metadata },   /* Azure's wire server */
    { { 192, 0, 0, 192 }, 32, metadata },     /* Oracle */
    { { 192, 88, 99 }, 24, tunnel },          /* 6to4 relays */
    { { 224 }, 4, multicast },
    { { 255, 255, 255, 255 }, 32, multicast },
    { { 240 }, 4, reserved },
};

static const struct range ranges6[] = {
    { { [15] = 0 }, 128, unspecified },
    { { [15] = 1 }, 128, loopback },
    { { 0 }, 96, tunnel }, /* IPv4-compatible: nobody has one */
    { { 0xfe, 0x80 }, 10, link_local },
    { { 0xfe, 0xc0 }, 10, reserved }, /* site-local, given up */
    { { 0xff }, 8, multicast },
    { { 0xfd, 0x00, 0x0e, 0xc2 }, 32, metadata },                            /* Amazon: ::254 and its neighbours */
    { { 0xfd, 0x20, 0x00, 0xce, [15] = 0x54, [14] = 0x02 }, 128, metadata }, /* Google: fd20:ce::254 */
    { { 0x00, 0x64, 0xff, 0x9b, 0x00, 0x01 }, 48, tunnel }, /* NAT64 of a site: where the IPv4 part is, varies */
    { { 0x20, 0x01, 0x00, 0x00 }, 32, tunnel },             /* Teredo */
    { { 0x01, 0x00 }, 64, reserved },                       /* discard */
};

/* Forms whose IPv4 part is judged as itself; a loopback inside is never what a rule meant. */
static const struct {
    struct range range;
    unsigned at; /* the byte at which the IPv4 address begins */
} carriers[] = {
    { { { 0x20, 0x02 }, 16, NULL }, 2 },              /* 6to4 */
    { { { 0x00, 0x64, 0xff, 0x9b }, 96, NULL }, 12 }, /* NAT64 */
    { { { [8] = 0xff, [9] = 0xff }, 96, NULL }, 12 }, /* translated, ::ffff:0:a.b.c.d */
};

static bool is_in(const uint8_t *bytes, const struct range *range) {
    unsigned whole = range->bits / 8, rest = range->bits % 8;
    if (memcmp(bytes, range->prefix, whole) != 0) return false;
    return rest == 0 || (bytes[whole] ^ range->prefix[whole]) >> (8 - rest) == 0;
}

static const char *find(const struct range *ranges, size_t n, const uint8_t *bytes) {
    for (size_t i = 0; i < n; i++)
        if (is_in(bytes, &ranges[i])) return ranges[i].why;
    return NULL;
}

static const char *judge4(const uint8_t *bytes) {
    return find(ranges4, COUNT(ranges4), bytes);
}

/* Interface identifiers of ISATAP, behind any prefix: RFC 5214. */
static bool is_isatap(const uint8_t *bytes) {
    return (bytes[8] & 0xfd) == 0 && bytes[9] == 0 && bytes[10] == 0x5e && bytes[11] == 0xfe;
}

static const char *judge6(const uint8_t *bytes) {
    const char *why = find(ranges6, COUNT(ranges6), bytes);
    for (size_t i = 0; !why && i < COUNT(carriers); i++)
        if (is_in(bytes, &carriers[i].range) && judge4(bytes + carriers[i].at)) why = carries;
    if (!why && is_isatap(bytes) && judge4(bytes + 12)) why = carries;
    return why;
}

const char *net_judge(const struct net_address *address, bool may_loopback) {
    const uint8_t *bytes = address->ip.s6_addr;
    const char *why = net_address_is_v4(address) ? judge4(bytes + 12) : judge6(bytes);
    return why == loopback && may_loopback ? NULL : why;
}
