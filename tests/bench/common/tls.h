// SPDX-License-Identifier: Apache-2.0
/* TLS 1.3 on a connected socket by OpenSSL alone, with a key file as ha_plugin's or with
 * certificates: the two ends are the nodes "slave" (client) and "master" (server) of the cluster
 * "bench".
 *
 * Errors end the process, as in bench.h.
 */
#ifndef TESTS_BENCH_COMMON_TLS_H
#define TESTS_BENCH_COMMON_TLS_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct ssl_st; /* OpenSSL's SSL */

/* Writes the key file, mode 0600. */
void bench_tls_key_file(const char* path);

/* PEM files for what follows, instead of the key file; before the first bench_tls. */
void bench_tls_certificates(const char* cert, const char* key, const char* ca);

/* The whole handshake, blocking. */
struct ssl_st* bench_tls(int fd, int server);
void bench_tls_write(struct ssl_st* ssl, const void* data, size_t size);
/* bench_discard under TLS. */
double bench_tls_discard(struct ssl_st* ssl, int64_t bytes);
void bench_tls_end(struct ssl_st* ssl);

#ifdef __cplusplus
}
#endif

#endif
