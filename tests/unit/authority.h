// SPDX-License-Identifier: Apache-2.0
// A certificate authority for tests: keys and certificates of P-256, made as they are asked for.
#pragma once

#include <memory>
#include <string>
#include <vector>

namespace ha::testing {

struct CertificateWish {
  // As openssl.cnf has subjectAltName, such as "URI:ha:prod/a,DNS:a.prod"; "" = none.
  std::string names = {};
  std::string usage = "serverAuth,clientAuth";
  long from_s = -3600;  // from now
  long until_s = 86400;
};

class Authority {
 public:
  explicit Authority(const std::string& name);
  // One that another vouches for: what it issues comes with the chain up to that one.
  Authority(const std::string& name, const Authority& above);
  ~Authority();
  Authority(const Authority&) = delete;
  Authority& operator=(const Authority&) = delete;

  std::string pem() const;
  struct Issued {
    std::string certificate;  // PEM
    std::string key;
    long serial = 0;
  };
  Issued issue(const std::string& common_name, const CertificateWish& wish);
  // A list of those serial numbers. until_s: when it is overdue.
  std::string revocations(const std::vector<long>& serials, long until_s = 86400) const;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

// In that directory; returns the path.
std::string write_file(const std::string& directory, const std::string& name,
                       const std::string& content, unsigned mode = 0600);

}  // namespace ha::testing
