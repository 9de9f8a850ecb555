/* judge.h: which addresses this server may dial. One table for every outgoing connection (docs/outbound.md). Any thread.
 *
 * Never: unspecified, link-local, multicast, broadcast, reserved ranges, the clouds' metadata services, and any IPv6 form
 * that carries one of these or a loopback IPv4 address inside. Loopback itself only where the caller may. Private networks
 * (10/8, fd00::/8, …) may be dialled: whether they are is the policy's decision. */
#pragma once
#include "net/address.h"

/* Why it may not be dialled: "is link-local: …", a text to follow the address. NULL: it may. */
const char *net_judge(const struct net_address *address, bool may_loopback);
