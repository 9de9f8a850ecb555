/* admin.h: the admin listener: GET /metrics and GET /healthz in plaintext, on a loopback address, and nothing else.
 *
 * It lives on the first worker's loop; the text is made beside it. A request that names another host is refused, so that no
 * page in a browser on this machine can be led here. Bounds: 32 connections, 4 answers of at most 16 MiB at once, and who
 * takes none of its answer for 10 s is cut. */
#pragma once
#include "gate/observe.h"

struct admin;

/* Listens on config->admin. Before the loops turn, as gate->observe is there. */
MUST_USE enum code admin_open(struct gate *gate, struct admin **ret, struct err *err);
/* Once nothing else turns the loop; before it is freed. NULL is fine. */
void admin_close(struct admin *admin);
