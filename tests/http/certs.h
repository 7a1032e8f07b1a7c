// SPDX-License-Identifier: Apache-2.0
// Certificates made on the spot, good and bad.
#pragma once

#include <memory>
#include <string>

namespace stub::test {

struct CertPlan {
  std::string cn = "node";
  std::string names = "DNS:localhost,IP:127.0.0.1,IP:::1";  // as OpenSSL's configuration has them
  long from_s = -3600;                                      // from now
  long until_s = 90L * 24 * 3600;
  std::string usage = "serverAuth,clientAuth";  // "" = says none
  bool ca = false;
};

struct Pem {
  std::string cert;
  std::string key;
  std::string both() const { return cert + key; }
};

// A CA: signs what it is asked to.
class TestCa {
 public:
  explicit TestCa(const std::string& cn);
  // One that another has signed.
  TestCa(const std::string& cn, const TestCa& above);
  ~TestCa();
  const std::string& pem() const { return pem_.cert; }
  Pem issue(const CertPlan& plan) const;

 private:
  struct Parts;
  Pem pem_;
  std::unique_ptr<Parts> parts_;
};

// Its own issuer.
Pem self_signed(const CertPlan& plan);
// The key under a passphrase.
std::string encrypted(const std::string& key_pem);

}  // namespace stub::test
