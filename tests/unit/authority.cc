// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/authority.h"

#include <fcntl.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <stdexcept>

namespace ha::testing {
namespace {

using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
using Certificate = std::unique_ptr<X509, decltype(&X509_free)>;

Key new_key() { return {EVP_EC_gen("P-256"), EVP_PKEY_free}; }

template <class Write>
std::string pem_of(Write write) {
  BIO* bio = BIO_new(BIO_s_mem());
  write(bio);
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  std::string text(data, static_cast<std::size_t>(size));
  BIO_free(bio);
  return text;
}

std::string pem_of_certificate(X509* certificate) {
  return pem_of([&](BIO* bio) { PEM_write_bio_X509(bio, certificate); });
}

void extend(X509* certificate, X509* issuer, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str());
  if (extension == nullptr) throw std::runtime_error("bad extension " + value);
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
}

Certificate blank(const std::string& name, long serial, long from_s, long until_s, EVP_PKEY* key) {
  Certificate certificate(X509_new(), X509_free);
  X509_set_version(certificate.get(), X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), serial);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), from_s);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), until_s);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate.get()), "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
  X509_set_pubkey(certificate.get(), key);
  return certificate;
}

}  // namespace

struct Authority::Parts {
  Key key = new_key();
  Certificate certificate{nullptr, X509_free};
  std::string chain = {};  // PEM
  long next_serial = 2;

  Parts(const std::string& name, const Parts* above) {
    constexpr long kYear = 365L * 86400;
    const Parts& issuer = above == nullptr ? *this : *above;
    certificate = blank(name, 1, -kYear, kYear, key.get());
    X509* own = certificate.get();
    X509_set_issuer_name(own, X509_get_subject_name(issuer.certificate.get()));
    extend(own, own, NID_basic_constraints, "critical,CA:TRUE");
    extend(own, own, NID_key_usage, "critical,keyCertSign,cRLSign");
    extend(own, own, NID_subject_key_identifier, "hash");
    X509_sign(own, issuer.key.get(), EVP_sha256());
    if (above != nullptr) chain = pem_of_certificate(own) + above->chain;
  }
};

Authority::Authority(const std::string& name) : parts_(std::make_unique<Parts>(name, nullptr)) {}
Authority::Authority(const std::string& name, const Authority& above)
    : parts_(std::make_unique<Parts>(name, above.parts_.get())) {}

Authority::~Authority() = default;

std::string Authority::pem() const { return pem_of_certificate(parts_->certificate.get()); }

Authority::Issued Authority::issue(const std::string& common_name, const CertificateWish& wish) {
  const Key key = new_key();
  const long serial = parts_->next_serial++;
  const Certificate leaf = blank(common_name, serial, wish.from_s, wish.until_s, key.get());
  X509* issuer = parts_->certificate.get();
  X509_set_issuer_name(leaf.get(), X509_get_subject_name(issuer));
  if (!wish.names.empty()) extend(leaf.get(), issuer, NID_subject_alt_name, wish.names);
  if (!wish.usage.empty()) extend(leaf.get(), issuer, NID_ext_key_usage, wish.usage);
  X509_sign(leaf.get(), parts_->key.get(), EVP_sha256());
  return {pem_of_certificate(leaf.get()) + parts_->chain, pem_of([&](BIO* bio) {
            PEM_write_bio_PrivateKey(bio, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
          }),
          serial};
}

std::string Authority::revocations(const std::vector<long>& serials, long until_s) const {
  X509_CRL* list = X509_CRL_new();
  X509_CRL_set_version(list, X509_CRL_VERSION_2);
  X509_CRL_set_issuer_name(list, X509_get_subject_name(parts_->certificate.get()));
  ASN1_TIME* time = X509_gmtime_adj(nullptr, -7200);
  X509_CRL_set1_lastUpdate(list, time);
  X509_gmtime_adj(time, until_s);
  X509_CRL_set1_nextUpdate(list, time);
  for (const long serial : serials) {
    X509_REVOKED* one = X509_REVOKED_new();
    ASN1_INTEGER* number = ASN1_INTEGER_new();
    ASN1_INTEGER_set(number, serial);
    X509_REVOKED_set_serialNumber(one, number);
    X509_gmtime_adj(time, -3600);
    X509_REVOKED_set_revocationDate(one, time);
    ASN1_INTEGER_free(number);
    X509_CRL_add0_revoked(list, one);
  }
  ASN1_TIME_free(time);
  X509_CRL_sort(list);
  X509_CRL_sign(list, parts_->key.get(), EVP_sha256());
  std::string text = pem_of([&](BIO* bio) { PEM_write_bio_X509_CRL(bio, list); });
  X509_CRL_free(list);
  return text;
}

std::string write_file(const std::string& directory, const std::string& name,
                       const std::string& content, unsigned mode) {
  // Another file under that name, as a tool that writes safely makes it.
  const std::string path = directory + "/" + name;
  const std::string beside = path + ".new";
  const int fd = ::open(beside.c_str(), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, mode);
  if (fd < 0 ||
      ::write(fd, content.data(), content.size()) != static_cast<ssize_t>(content.size())) {
    throw std::runtime_error("cannot write " + beside);
  }
  ::fchmod(fd, mode);
  ::close(fd);
  ::rename(beside.c_str(), path.c_str());
  return path;
}

}  // namespace ha::testing
