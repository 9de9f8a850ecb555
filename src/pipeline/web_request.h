/* web_request.h: a Web activity's request, evaluated. Desk. */
#pragma once
#include "pipeline/pipelines_priv.h"

/* Evaluates method, URL, headers, body and audience into the exchange's arena, and shows them as the activity's input.
 * False: the node has failed, and says why. */
MUST_USE bool web_request_fill(struct pipeline_node *node, struct web_exchange *exchange);
/* A poll of node->location. */
MUST_USE bool web_request_poll(struct pipeline_node *node, struct web_exchange *exchange);
