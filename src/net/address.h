/* address.h: an IP address and a port, by value. IPv4 is held as an IPv4-mapped IPv6 address. Any thread. */
#pragma once
#include <netinet/in.h>
#include <sys/socket.h>
#include "base/err.h"

struct net_address {
    struct in6_addr ip;
    uint16_t port; /* host order */
};

enum { NET_ADDRESS_MAX = 64 }; /* "[::ffff:…]:65535" with its NUL */

/* "127.0.0.1:8080", "[::1]:0", ":8080" and "*:8080" (every address). Numbers only: no name is looked up. */
MUST_USE enum code net_address_parse(struct str text, struct net_address *ret, struct err *err);
bool net_address_from(const struct sockaddr *sa, struct net_address *ret);           /* false: not IPv4 or IPv6 */
socklen_t net_address_to(const struct net_address *a, struct sockaddr_storage *ret); /* AF_INET for mapped addresses */
size_t net_address_print(const struct net_address *a, char out[NET_ADDRESS_MAX]);    /* returns the length */
bool net_address_is_v4(const struct net_address *a);
bool net_address_is_loopback(const struct net_address *a);   /* 127/8, ::1 */
bool net_address_is_link_local(const struct net_address *a); /* 169.254/16 (metadata servers), fe80::/10 */
