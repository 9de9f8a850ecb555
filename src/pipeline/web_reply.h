/* web_reply.h: what a Web activity's reply means for it. Desk; each ends the node, or its attempt. */
#pragma once
#include "pipeline/pipelines_priv.h"

struct str web_reply_header(const struct pipeline_reply *reply, struct str name);      /* any case; empty when absent */
void web_reply_fault(struct pipeline_node *node, const struct pipeline_reply *reply);  /* there is none, and why */
void web_reply_status(struct pipeline_node *node, const struct pipeline_reply *reply); /* 300 and above */
void web_reply_output(struct pipeline_node *node, const struct pipeline_reply *reply); /* below */
