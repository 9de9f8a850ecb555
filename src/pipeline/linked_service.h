/* linked_service.h: the document of a linked service: its shape, and that it holds no secret. Any thread.
 *
 * {"properties": {"type", "typeProperties", "connectVia", "description", "parameters", "annotations"}}. Nothing here uses a
 * linked service yet: it is kept for the clients. Secrets are refused by name and place: SecureString, literal keys and
 * passwords, connection strings with one. A reference to a key vault's secret (AzureKeyVaultSecret) is none.
 * Source: Azure Synapse artifacts REST API 2020-12-01, LinkedServiceResource. */
#pragma once
#include "pipeline/fault.h"

enum { LINKED_SERVICE_TEXT_MAX = 1 << 20, LINKED_SERVICE_DEPTH_MAX = 32 };

/* A new reference in *ret. Errors as pipeline_read's. */
MUST_USE enum code linked_service_read(struct str text, struct faults *faults, json_t **ret, struct err *err);
MUST_USE enum code linked_service_check(const json_t *document, struct faults *faults, struct err *err);
