/* evp.h: OpenSSL's algorithms, fetched once (fetching per call costs more than most of the work). Inside crypto/ only. Any
 * thread. */
#pragma once
#include <openssl/evp.h>

const EVP_MD *evp_sha2(unsigned bits); /* 256, 384, 512; aborts when OpenSSL has none */
const EVP_CIPHER *evp_aes256_gcm(void);
