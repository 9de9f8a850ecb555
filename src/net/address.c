#include "net/address.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

static const struct in6_addr mapped_prefix = { .s6_addr = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff } };

static bool parse_ip(struct str host, struct in6_addr *ret) {
    char text[INET6_ADDRSTRLEN + 1];
    if (host.n == 0 || str_eq_z(host, "*")) {
        *ret = in6addr_any;
        return true;
    }
    if (host.n >= sizeof text) return false;
    memcpy(text, host.p, host.n);
    text[host.n] = 0;
    if (inet_pton(AF_INET6, text, ret) == 1) return true;
    *ret = mapped_prefix;
    return inet_pton(AF_INET, text, &ret->s6_addr[12]) == 1;
}

enum code net_address_parse(struct str text, struct net_address *ret, struct err *err) {
    ptrdiff_t colon = -1;
    for (size_t i = 0; i < text.n; i++)
        if (text.p[i] == ':') colon = (ptrdiff_t)i;
    uint64_t port = 0;
    struct net_address a;
    if (colon < 0 || !str_u64(str_from(text, (size_t)colon + 1), &port) || port > 65535)
        return err_set(err, INVALID_ARGUMENT, "not an address and port: \"%.*s\"", STR_ARG(text));
    struct str host = str_upto(text, (size_t)colon);
    bool bracketed = host.n >= 2 && host.p[0] == '[' && host.p[host.n - 1] == ']';
    if (bracketed) host = (struct str){ host.p + 1, host.n - 2 };
    else if (str_find_char(host, ':') >= 0) host = STR("?"); /* IPv6 needs its brackets */
    if (!parse_ip(host, &a.ip)) return err_set(err, INVALID_ARGUMENT, "not an IP address: \"%.*s\"", STR_ARG(text));
    a.port = (uint16_t)port;
    *ret = a;
    return OK;
}

bool net_address_from(const struct sockaddr *sa, struct net_address *ret) {
    if (sa->sa_family == AF_INET6) {
        struct sockaddr_in6 in6;
        memcpy(&in6, sa, sizeof in6);
        *ret = (struct net_address){ in6.sin6_addr, ntohs(in6.sin6_port) };
        return true;
    }
    if (sa->sa_family != AF_INET) return false;
    struct sockaddr_in in4;
    memcpy(&in4, sa, sizeof in4);
    *ret = (struct net_address){ mapped_prefix, ntohs(in4.sin_port) };
    memcpy(&ret->ip.s6_addr[12], &in4.sin_addr, 4);
    return true;
}

bool net_address_is_v4(const struct net_address *a) {
    return memcmp(&a->ip, &mapped_prefix, 12) == 0;
}

socklen_t net_address_to(const struct net_address *a, struct sockaddr_storage *ret) {
    *ret = (struct sockaddr_storage){ 0 };
    if (net_address_is_v4(a)) {
        struct sockaddr_in in4 = { .sin_family = AF_INET, .sin_port = htons(a->port) };
        memcpy(&in4.sin_addr, &a->ip.s6_addr[12], 4);
        memcpy(ret, &in4, sizeof in4);
        return sizeof in4;
    }
    struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(a->port), .sin6_addr = a->ip };
    memcpy(ret, &in6, sizeof in6);
    return sizeof in6;
}

size_t net_address_print(const struct net_address *a, char out[NET_ADDRESS_MAX]) {
    char ip[INET6_ADDRSTRLEN] = "";
    bool v4 = net_address_is_v4(a);
    inet_ntop(v4 ? AF_INET : AF_INET6, v4 ? (const void *)&a->ip.s6_addr[12] : (const void *)&a->ip, ip, sizeof ip);
    int n = snprintf(out, NET_ADDRESS_MAX, v4 ? "%s:%u" : "[%s]:%u", ip, a->port);
    return n > 0 ? (size_t)n : 0;
}

bool net_address_is_loopback(const struct net_address *a) {
    return net_address_is_v4(a) ? a->ip.s6_addr[12] == 127 : IN6_IS_ADDR_LOOPBACK(&a->ip);
}

bool net_address_is_link_local(const struct net_address *a) {
    return net_address_is_v4(a) ? a->ip.s6_addr[12] == 169 && a->ip.s6_addr[13] == 254 : IN6_IS_ADDR_LINKLOCAL(&a->ip);
}
