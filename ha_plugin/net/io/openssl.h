// SPDX-License-Identifier: Apache-2.0
// OpenSSL 3, loaded when TLS is switched on and not before.
//
// The plugin is a guest: a host that does not use TLS must neither map libssl nor need it. So
// nothing is linked; the functions are looked up by name in the libraries that load() opens, and
// stand here under their own names. A class that derives from OpenSsl calls SSL_new(...) as anybody
// would: names are found in the class first, also those that OpenSSL's own macros call.
//
// Both libraries stay mapped until the process ends, as they ask for themselves (DF_1_NODELETE);
// what the plugin made with them must be gone before it is unloaded.
#pragma once

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <memory>
#include <string>

namespace ha::net {

#define HA_OPENSSL_SSL(X)                  \
  X(SSL_CIPHER_find)                       \
  X(SSL_CTX_check_private_key)             \
  X(SSL_CTX_ctrl)                          \
  X(SSL_CTX_free)                          \
  X(SSL_CTX_get_cert_store)                \
  X(SSL_CTX_new)                           \
  X(SSL_CTX_set_alpn_protos)               \
  X(SSL_CTX_set_alpn_select_cb)            \
  X(SSL_CTX_set_ciphersuites)              \
  X(SSL_CTX_set_num_tickets)               \
  X(SSL_CTX_set_options)                   \
  X(SSL_CTX_set_psk_find_session_callback) \
  X(SSL_CTX_set_psk_use_session_callback)  \
  X(SSL_CTX_set_verify)                    \
  X(SSL_CTX_use_PrivateKey)                \
  X(SSL_CTX_use_certificate)               \
  X(SSL_SESSION_free)                      \
  X(SSL_SESSION_new)                       \
  X(SSL_SESSION_set1_master_key)           \
  X(SSL_SESSION_set_cipher)                \
  X(SSL_SESSION_set_protocol_version)      \
  X(SSL_ctrl)                              \
  X(SSL_free)                              \
  X(SSL_get0_param)                        \
  X(SSL_get0_peer_certificate)             \
  X(SSL_get_peer_cert_chain)               \
  X(SSL_get_error)                         \
  X(SSL_get_ex_data)                       \
  X(SSL_get_ex_data_X509_STORE_CTX_idx)    \
  X(SSL_is_init_finished)                  \
  X(SSL_key_update)                        \
  X(SSL_new)                               \
  X(SSL_read_ex)                           \
  X(SSL_session_reused)                    \
  X(SSL_set_accept_state)                  \
  X(SSL_set_bio)                           \
  X(SSL_set_connect_state)                 \
  X(SSL_set_ex_data)                       \
  X(SSL_write_ex)                          \
  X(TLS_method)

#define HA_OPENSSL_CRYPTO(X)         \
  X(ASN1_STRING_get0_data)           \
  X(ASN1_STRING_length)              \
  X(ASN1_TIME_to_tm)                 \
  X(BIO_ctrl)                        \
  X(BIO_clear_flags)                 \
  X(BIO_free)                        \
  X(BIO_get_data)                    \
  X(BIO_meth_free)                   \
  X(BIO_meth_new)                    \
  X(BIO_meth_set_ctrl)               \
  X(BIO_meth_set_read_ex)            \
  X(BIO_meth_set_write_ex)           \
  X(BIO_new)                         \
  X(BIO_new_mem_buf)                 \
  X(BIO_read)                        \
  X(BIO_s_mem)                       \
  X(BIO_set_data)                    \
  X(BIO_set_flags)                   \
  X(BIO_set_init)                    \
  X(ERR_clear_error)                 \
  X(ERR_get_error)                   \
  X(ERR_reason_error_string)         \
  X(EVP_MD_get_size)                 \
  X(EVP_PKEY_free)                   \
  X(EVP_sha256)                      \
  X(GENERAL_NAMES_free)              \
  X(HMAC)                            \
  X(OPENSSL_cleanse)                 \
  X(OPENSSL_sk_num)                  \
  X(OPENSSL_sk_value)                \
  X(PEM_read_bio_PrivateKey)         \
  X(PEM_read_bio_X509)               \
  X(PEM_read_bio_X509_CRL)           \
  X(X509_CRL_free)                   \
  X(X509_NAME_print_ex)              \
  X(X509_STORE_CTX_free)             \
  X(X509_STORE_CTX_get_current_cert) \
  X(X509_STORE_CTX_get_error)        \
  X(X509_STORE_CTX_get_ex_data)      \
  X(X509_STORE_CTX_init)             \
  X(X509_STORE_CTX_new)              \
  X(X509_STORE_CTX_set_verify_cb)    \
  X(X509_STORE_add_cert)             \
  X(X509_STORE_add_crl)              \
  X(X509_STORE_set_flags)            \
  X(X509_VERIFY_PARAM_set1_host)     \
  X(X509_VERIFY_PARAM_set1_ip_asc)   \
  X(X509_VERIFY_PARAM_set_hostflags) \
  X(X509_check_purpose)              \
  X(X509_free)                       \
  X(X509_get0_notAfter)              \
  X(X509_get0_notBefore)             \
  X(X509_get_ext_d2i)                \
  X(X509_get_issuer_name)            \
  X(X509_get_subject_name)           \
  X(X509_verify_cert)                \
  X(X509_verify_cert_error_string)

class OpenSsl {
 public:
  // Idempotent; any thread. "" or why TLS cannot be had here.
  static std::string load();

 protected:
#define HA_ROW(name) static inline decltype(&::name) name = nullptr;
  HA_OPENSSL_SSL(HA_ROW)
  HA_OPENSSL_CRYPTO(HA_ROW)
#undef HA_ROW

  // The oldest error of this thread that has words, and an empty queue.
  static std::string error_text();

  struct Free {
    void operator()(SSL* p) const { SSL_free(p); }
    void operator()(SSL_CTX* p) const { SSL_CTX_free(p); }
    void operator()(SSL_SESSION* p) const { SSL_SESSION_free(p); }
    void operator()(BIO* p) const { BIO_free(p); }
    void operator()(X509* p) const { X509_free(p); }
    void operator()(X509_CRL* p) const { X509_CRL_free(p); }
    void operator()(X509_STORE_CTX* p) const { X509_STORE_CTX_free(p); }
    void operator()(EVP_PKEY* p) const { EVP_PKEY_free(p); }
    void operator()(GENERAL_NAMES* p) const { GENERAL_NAMES_free(p); }
    void operator()(BIO_METHOD* p) const { BIO_meth_free(p); }
  };
  template <class T>
  using Owned = std::unique_ptr<T, Free>;
};

}  // namespace ha::net
