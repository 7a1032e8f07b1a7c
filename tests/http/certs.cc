// SPDX-License-Identifier: Apache-2.0
#include "http/certs.h"

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <atomic>
#include <cstdlib>

namespace stub::test {
namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

std::string text_of(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  std::string out(data, static_cast<std::size_t>(size));
  ::BIO_free(bio);
  return out;
}

std::string pem_of(X509* cert) {
  BIO* bio = ::BIO_new(::BIO_s_mem());
  require(::PEM_write_bio_X509(bio, cert) == 1);
  return text_of(bio);
}

std::string pem_of(EVP_PKEY* key, const char* passphrase = nullptr) {
  BIO* bio = ::BIO_new(::BIO_s_mem());
  require(::PEM_write_bio_PKCS8PrivateKey(bio, key, passphrase ? ::EVP_aes_256_cbc() : nullptr,
                                          passphrase, passphrase ? 4 : 0, nullptr, nullptr) == 1);
  return text_of(bio);
}

void extend(X509* cert, X509* issuer, int nid, const std::string& value) {
  if (value.empty()) return;
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, cert, nullptr, nullptr, 0);
  X509_EXTENSION* extension = ::X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str());
  require(extension != nullptr && ::X509_add_ext(cert, extension, -1) == 1);
  ::X509_EXTENSION_free(extension);
}

X509* make(const CertPlan& plan, EVP_PKEY* key, X509* issuer, EVP_PKEY* issuer_key) {
  static std::atomic<long> serial{1};
  X509* cert = ::X509_new();
  ::X509_set_version(cert, 2);
  ::ASN1_INTEGER_set(::X509_get_serialNumber(cert), serial++);
  ::X509_gmtime_adj(::X509_getm_notBefore(cert), plan.from_s);
  ::X509_gmtime_adj(::X509_getm_notAfter(cert), plan.until_s);
  if (!plan.cn.empty()) {
    ::X509_NAME_add_entry_by_txt(::X509_get_subject_name(cert), "CN", MBSTRING_UTF8,
                                 reinterpret_cast<const unsigned char*>(plan.cn.c_str()), -1, -1,
                                 0);
  }
  X509* from = issuer != nullptr ? issuer : cert;
  ::X509_set_issuer_name(cert, ::X509_get_subject_name(from));
  ::X509_set_pubkey(cert, key);
  extend(cert, from, NID_basic_constraints, plan.ca ? "critical,CA:TRUE" : "critical,CA:FALSE");
  extend(cert, from, NID_subject_key_identifier, "hash");
  extend(cert, from, NID_key_usage,
         plan.ca ? "critical,keyCertSign,cRLSign" : "critical,digitalSignature");
  if (!plan.ca) {
    extend(cert, from, NID_ext_key_usage, plan.usage);
    extend(cert, from, NID_subject_alt_name, plan.names);
  }
  require(::X509_sign(cert, issuer_key, ::EVP_sha256()) > 0);
  return cert;
}

}  // namespace

struct TestCa::Parts {
  X509* cert = nullptr;
  EVP_PKEY* key = EVP_EC_gen("P-256");
};

TestCa::TestCa(const std::string& cn) : parts_(std::make_unique<Parts>()) {
  parts_->cert = make({.cn = cn, .ca = true}, parts_->key, nullptr, parts_->key);
  pem_.cert = pem_of(parts_->cert);
}

TestCa::TestCa(const std::string& cn, const TestCa& above) : parts_(std::make_unique<Parts>()) {
  parts_->cert = make({.cn = cn, .ca = true}, parts_->key, above.parts_->cert, above.parts_->key);
  pem_.cert = pem_of(parts_->cert);
}

TestCa::~TestCa() {
  ::X509_free(parts_->cert);
  ::EVP_PKEY_free(parts_->key);
}

Pem TestCa::issue(const CertPlan& plan) const {
  EVP_PKEY* key = EVP_EC_gen("P-256");
  X509* cert = make(plan, key, parts_->cert, parts_->key);
  Pem out{pem_of(cert), pem_of(key)};
  ::X509_free(cert);
  ::EVP_PKEY_free(key);
  return out;
}

Pem self_signed(const CertPlan& plan) {
  EVP_PKEY* key = EVP_EC_gen("P-256");
  X509* cert = make(plan, key, nullptr, key);
  Pem out{pem_of(cert), pem_of(key)};
  ::X509_free(cert);
  ::EVP_PKEY_free(key);
  return out;
}

std::string encrypted(const std::string& key_pem) {
  BIO* bio = ::BIO_new_mem_buf(key_pem.data(), static_cast<int>(key_pem.size()));
  EVP_PKEY* key = ::PEM_read_bio_PrivateKey(bio, nullptr, nullptr, nullptr);
  ::BIO_free(bio);
  const auto out = pem_of(key, "pass");
  ::EVP_PKEY_free(key);
  return out;
}

}  // namespace stub::test
