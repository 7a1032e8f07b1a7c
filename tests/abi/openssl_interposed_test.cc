// SPDX-License-Identifier: Apache-2.0
// A host that brings an OpenSSL of its own and exports it (linked statically with -rdynamic, say).
// The dynamic linker would look in the program first, for libssl.so.3 too. The plugin and the
// OpenSSL that it loads must not come to run the host's functions.
#include <gtest/gtest.h>

#include <atomic>
#include <cstddef>

#include "test_node.h"

namespace {

std::atomic<int> calls_of_the_host{0};

}  // namespace

// What the plugin calls, and what libssl calls of libcrypto. They take any arguments, and do
// nothing.
#define HOSTS_OWN(name)     \
  extern "C" void* name() { \
    ++calls_of_the_host;    \
    return nullptr;         \
  }
HOSTS_OWN(SSL_CTX_new)
HOSTS_OWN(SSL_new)
HOSTS_OWN(SSL_read_ex)
HOSTS_OWN(SSL_write_ex)
HOSTS_OWN(TLS_method)
HOSTS_OWN(HMAC)
HOSTS_OWN(BIO_new)
HOSTS_OWN(BIO_meth_new)
HOSTS_OWN(ERR_clear_error)
HOSTS_OWN(ERR_get_error)
HOSTS_OWN(ERR_new)
HOSTS_OWN(EVP_sha256)
HOSTS_OWN(EVP_MD_CTX_new)
HOSTS_OWN(EVP_CIPHER_CTX_new)
HOSTS_OWN(EVP_PKEY_new)
HOSTS_OWN(OPENSSL_init_crypto)
HOSTS_OWN(OPENSSL_init_ssl)
HOSTS_OWN(CRYPTO_malloc)
HOSTS_OWN(CRYPTO_zalloc)
HOSTS_OWN(RAND_bytes_ex)

namespace ha::test {
namespace {

TEST(OpensslHost, ItsExportedFunctionsAreNotCalled) {
  Pair pair(under_tls("a"), under_tls("b"));
  const std::int64_t end = pair.master.produce("x\n");
  EXPECT_EQ(pair.master.instance.wait_blocking({.end = end, .acks = 2}), HA_OK);
  EXPECT_EQ(calls_of_the_host, 0);
}

}  // namespace
}  // namespace ha::test
