# Checksums of what ./dev downloads beside Debian packages and tools/requirements.lock.
CONNECTOR_SHA256=unset
FLIGHTS_SHA256=unset
