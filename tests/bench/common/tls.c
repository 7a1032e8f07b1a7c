/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "tests/bench/common/tls.h"

#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/hmac.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/bench/common/bench.h"

enum { kKey = 32, kPiece = 128 * 1024 };

static const char kHex[] = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

static unsigned char pair_key[kKey]; /* of this client and this server */
static char identity[64];

void bench_tls_key_file(const char* path) {
  const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0 || write(fd, kHex, sizeof kHex - 1) != sizeof kHex - 1)
    bench_die("cannot write '%s'", path);
  close(fd);
}

/* HKDF with SHA-256 and one block, as in openssl_context.cc. */
static void derive(const char* client, const char* server, unsigned char* out) {
  static const char kSalt[] = "ha psk v1";
  unsigned char key[kKey];
  unsigned char extracted[kKey];
  unsigned char info[64];
  unsigned int size = 0;
  for (int i = 0; i < kKey; ++i) key[i] = (unsigned char)i;
  HMAC(EVP_sha256(), kSalt, sizeof kSalt - 1, key, sizeof key, extracted, &size);
  const int n = snprintf((char*)info, sizeof info, "bench%c%s%c%s%c", 0, client, 0, server, 1);
  HMAC(EVP_sha256(), extracted, sizeof extracted, info, (size_t)n, out, &size);
}

static void make_key(void) {
  unsigned char name[kKey];
  derive("name", "", name);
  derive("slave", "master", pair_key);
  snprintf(identity, sizeof identity, "1:%02x%02x%02x%02x:bench/slave>master", name[0], name[1],
           name[2], name[3]);
}

static SSL_SESSION* session(SSL* ssl) {
  static const unsigned char kSuite[] = {0x13, 0x01}; /* TLS_AES_128_GCM_SHA256 */
  SSL_SESSION* one = SSL_SESSION_new();
  SSL_SESSION_set1_master_key(one, pair_key, sizeof pair_key);
  SSL_SESSION_set_cipher(one, SSL_CIPHER_find(ssl, kSuite));
  SSL_SESSION_set_protocol_version(one, TLS1_3_VERSION);
  return one;
}

static int use_key(SSL* ssl, const EVP_MD* md, const unsigned char** id, size_t* size,
                   SSL_SESSION** out) {
  (void)md;
  *id = (const unsigned char*)identity;
  *size = strlen(identity);
  *out = session(ssl);
  return 1;
}

static int find_key(SSL* ssl, const unsigned char* id, size_t size, SSL_SESSION** out) {
  const int ours = size == strlen(identity) && memcmp(id, identity, size) == 0;
  *out = ours ? session(ssl) : NULL;
  return 1;
}

static SSL_CTX* context;

static void make_context(void) {
  context = SSL_CTX_new(TLS_method());
  SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION);
  SSL_CTX_set_ciphersuites(context, "TLS_AES_128_GCM_SHA256");
  SSL_CTX_set_num_tickets(context, 0);
  SSL_CTX_set_read_ahead(context, 1);
  SSL_CTX_set_default_read_buffer_len(context, kPiece);
}

void bench_tls_certificates(const char* cert, const char* key, const char* ca) {
  make_context();
  if (SSL_CTX_use_certificate_chain_file(context, cert) != 1 ||
      SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) != 1 ||
      SSL_CTX_load_verify_locations(context, ca, NULL) != 1)
    bench_die("TLS: '%s': %s", cert, ERR_reason_error_string(ERR_get_error()));
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
}

struct ssl_st* bench_tls(int fd, int server) {
  if (context == NULL) {
    make_key();
    make_context();
    SSL_CTX_set_psk_use_session_callback(context, use_key);
    SSL_CTX_set_psk_find_session_callback(context, find_key);
  }
  SSL* ssl = SSL_new(context);
  SSL_set_fd(ssl, fd);
  if ((server ? SSL_accept(ssl) : SSL_connect(ssl)) != 1)
    bench_die("TLS handshake: %s", ERR_reason_error_string(ERR_get_error()));
  return ssl;
}

void bench_tls_write(struct ssl_st* ssl, const void* data, size_t size) {
  size_t written = 0;
  if (SSL_write_ex(ssl, data, size, &written) != 1 || written != size) bench_die("TLS: write");
}

double bench_tls_discard(struct ssl_st* ssl, int64_t bytes) {
  static char nothing[kPiece];
  const int64_t begin = bench_now_ns();
  while (bytes > 0) {
    size_t got = 0;
    const size_t most = bytes < kPiece ? (size_t)bytes : kPiece;
    if (SSL_read_ex(ssl, nothing, most, &got) != 1)
      bench_die("TLS: read: %lld bytes are missing", (long long)bytes);
    bytes -= (int64_t)got;
  }
  return (double)(bench_now_ns() - begin) / 1e9;
}

void bench_tls_end(struct ssl_st* ssl) { SSL_free(ssl); }
