# Checksums of what ./dev downloads beside Debian packages and tools/requirements.lock.
FLIGHTS_SHA256=d9ef2f5cf1bebca7e30b4daf69dcd7a8fd71f25b7196f5dc489879ad7e3e8a37
