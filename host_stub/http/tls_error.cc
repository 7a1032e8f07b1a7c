// SPDX-License-Identifier: Apache-2.0
#include "http/tls_error.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <boost/asio/error.hpp>
#include <string>

namespace stub::http {
namespace {

// In OpenSSL's words an alert is "sslv3 alert certificate expired", whatever the version, and does
// not say whose certificate.
const char* words_of(int reason) {
  switch (reason) {
    case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
      return "the other side says that our certificate has expired, or is not valid yet";
    case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
      return "the other side says that it does not know who signed our certificate";
    case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
    case SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE:
    case SSL_R_TLSV1_ALERT_DECRYPT_ERROR:
    case SSL_R_TLSV1_ALERT_ACCESS_DENIED:
      return "the other side did not take our certificate";
    case SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED:
      return "the other side says that our certificate is revoked";
    case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED:
      return "the other side wants a certificate of ours";
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_HTTP_REQUEST:
    case SSL_R_HTTPS_PROXY_REQUEST:
    case SSL_R_PACKET_LENGTH_TOO_LONG:
      return "the other side does not speak TLS there";
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION:
    case SSL_R_VERSION_TOO_LOW:
      return "the two sides have no version of TLS in common, at least 1.2 is needed";
    case SSL_R_NO_SHARED_CIPHER:
    case SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE:
      return "the two sides have no cipher in common, or one wants a certificate of the other";
    case SSL_R_CERTIFICATE_VERIFY_FAILED:
      return "the other side's certificate is not valid";
    case SSL_R_UNEXPECTED_EOF_WHILE_READING:
      return "the other side closed the connection in the middle";
    default:
      return nullptr;
  }
}

class Category final : public boost::system::error_category {
 public:
  const char* name() const noexcept override { return "tls"; }
  std::string message(int value) const override {
    const auto code = static_cast<unsigned long>(static_cast<unsigned>(value));
    if (ERR_GET_LIB(code) == ERR_LIB_SSL) {
      if (const char* words = words_of(ERR_GET_REASON(code))) return words;
    }
    const char* reason = ::ERR_reason_error_string(code);
    return reason != nullptr ? reason : "TLS error " + std::to_string(value);
  }
};

const Category& category() {
  static const Category kCategory;
  return kCategory;
}

int reason_of(const boost::system::error_code& error) {
  const auto code = static_cast<unsigned long>(static_cast<unsigned>(error.value()));
  return is_tls(error) && ERR_GET_LIB(code) == ERR_LIB_SSL ? ERR_GET_REASON(code) : 0;
}

}  // namespace

boost::system::error_code tls_error(unsigned long openssl_error) {
  return {static_cast<int>(static_cast<unsigned>(openssl_error)), category()};
}

boost::system::error_code last_tls_error(int why) {
  // The oldest says what happened; those above it only pass it on.
  const auto code = ::ERR_get_error();
  ::ERR_clear_error();
  if (code != 0) return tls_error(code);
  return why == SSL_ERROR_ZERO_RETURN ? boost::asio::error::make_error_code(boost::asio::error::eof)
                                      : boost::asio::error::connection_reset;
}

bool is_tls(const boost::system::error_code& error) { return error.category() == category(); }

bool is_verification(const boost::system::error_code& error) {
  return reason_of(error) == SSL_R_CERTIFICATE_VERIFY_FAILED;
}

bool is_refused_certificate(const boost::system::error_code& error) {
  switch (reason_of(error)) {
    case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
    case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
    case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
    case SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED:
    case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED:
    case SSL_R_TLSV1_ALERT_DECRYPT_ERROR:
    case SSL_R_TLSV1_ALERT_ACCESS_DENIED:
      return true;
    default:
      return false;
  }
}

}  // namespace stub::http
