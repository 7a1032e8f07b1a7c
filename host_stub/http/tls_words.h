// SPDX-License-Identifier: Apache-2.0
// Certificates in words: whose, until when, signed by whom, and why one is not taken. What comes
// from the other side is quoted and bounded.
#pragma once

#include <openssl/x509.h>

#include <string>

namespace stub::http {

// "'CN=a,O=b'"; its alternative names where it has no subject.
std::string name_of(const X509* cert);
// "2027-01-01 00:00:00 UTC".
std::string time_text(const ASN1_TIME* time);
// "expired on ..., 27 days ago; this clock says ...", or that it is not valid yet; "" = its dates
// are right.
std::string date_fault(const X509* cert);
// What a verification that failed says of the certificate it failed at. trusted: where the CAs are
// from.
std::string why_not_taken(X509_STORE_CTX& verification, const std::string& trusted);

}  // namespace stub::http
