// SPDX-License-Identifier: Apache-2.0
#include "http/tls_words.h"

#include <arpa/inet.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <ctime>
#include <memory>

#include "http/text.h"

namespace stub::http {
namespace {

std::string text_of(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  return {data, static_cast<std::size_t>(size)};
}

std::string in_one_line(const X509_NAME* name) {
  BIO* bio = ::BIO_new(::BIO_s_mem());
  ::X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB);
  auto out = text_of(bio);
  ::BIO_free(bio);
  return out;
}

std::string bytes_of(const ASN1_STRING* text) {
  return {reinterpret_cast<const char*>(::ASN1_STRING_get0_data(text)),
          static_cast<std::size_t>(::ASN1_STRING_length(text))};
}

// "DNS:a, IP:10.0.0.5"; what a host name is compared with.
std::string alternative_names(const X509* cert) {
  std::string out;
  auto* names =
      static_cast<GENERAL_NAMES*>(::X509_get_ext_d2i(cert, NID_subject_alt_name, nullptr, nullptr));
  for (int i = 0; i < sk_GENERAL_NAME_num(names); ++i) {
    const GENERAL_NAME* one = sk_GENERAL_NAME_value(names, i);
    std::string text;
    if (one->type == GEN_DNS) text = "DNS:" + bytes_of(one->d.dNSName);
    if (one->type == GEN_IPADD) {
      const auto bytes = bytes_of(one->d.iPAddress);
      char number[INET6_ADDRSTRLEN] = "?";
      ::inet_ntop(bytes.size() == 4 ? AF_INET : AF_INET6, bytes.data(), number, sizeof number);
      if (bytes.size() == 4 || bytes.size() == 16) text = std::string("IP:") + number;
    }
    if (!text.empty()) out += (out.empty() ? "" : ", ") + text;
  }
  ::GENERAL_NAMES_free(names);
  return out;
}

std::string text_of_clock(std::time_t when) {
  std::tm utc{};
  ::gmtime_r(&when, &utc);
  char text[64];
  std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S UTC", &utc);
  return text;
}

std::string days_between(const ASN1_TIME* from, const ASN1_TIME* to) {
  int days = 0;
  int seconds = 0;
  if (::ASN1_TIME_diff(&days, &seconds, from, to) != 1) return "?";
  if (days == 0) return std::to_string(seconds / 60) + " minutes";
  return std::to_string(days) + (days == 1 ? " day" : " days");
}

}  // namespace

std::string name_of(const X509* cert) {
  const auto subject = in_one_line(::X509_get_subject_name(cert));
  return in_quotes(subject.empty() ? alternative_names(cert) : subject);
}

std::string time_text(const ASN1_TIME* time) {
  std::tm utc{};
  return ::ASN1_TIME_to_tm(time, &utc) == 1 ? text_of_clock(::timegm(&utc)) : "?";
}

std::string date_fault(const X509* cert) {
  const auto* from = ::X509_get0_notBefore(cert);
  const auto* until = ::X509_get0_notAfter(cert);
  const std::string clock = "; this clock says " + text_of_clock(::time(nullptr));
  if (::X509_cmp_current_time(until) < 0) {
    return "expired on " + time_text(until) + ", " + days_between(until, nullptr) + " ago" + clock;
  }
  if (::X509_cmp_current_time(from) > 0) {
    return "is not valid before " + time_text(from) + ", in " + days_between(nullptr, from) + clock;
  }
  return "";
}

std::string why_not_taken(X509_STORE_CTX& verification, const std::string& trusted) {
  const int error = ::X509_STORE_CTX_get_error(&verification);
  const X509* cert = ::X509_STORE_CTX_get_current_cert(&verification);
  if (cert == nullptr) return ::X509_verify_cert_error_string(error);
  const int depth = ::X509_STORE_CTX_get_error_depth(&verification);
  const std::string which =
      (depth == 0 ? "the certificate " : "the certificate of the CA ") + name_of(cert) + " ";
  switch (error) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return which + date_fault(cert);
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
      return which + "is signed by itself and is not in " + trusted;
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_CERT_UNTRUSTED:
      return which + "is signed by " + in_quotes(in_one_line(::X509_get_issuer_name(cert))) +
             ", which is not in " + trusted;
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
      return which + "has a signature that is not from " +
             in_quotes(in_one_line(::X509_get_issuer_name(cert))) + " of " + trusted;
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH: {
      const auto names = alternative_names(cert);
      return which + "is for " + (names.empty() ? "no host" : in_quotes(names)) +
             ", not for the host that was asked for";
    }
    case X509_V_ERR_INVALID_PURPOSE:
      return which +
             "is for another purpose; the extended key usage of a server's must have serverAuth, "
             "of a client's clientAuth";
    default:
      return which + "is not taken: " + ::X509_verify_cert_error_string(error);
  }
}

}  // namespace stub::http
