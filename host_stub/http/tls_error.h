// SPDX-License-Identifier: Apache-2.0
// OpenSSL's errors as error codes with messages for people.
#pragma once

#include <boost/system/error_code.hpp>

namespace stub::http {

boost::system::error_code tls_error(unsigned long openssl_error);

// What OpenSSL says of the last call on this thread that failed. why: of SSL_get_error.
boost::system::error_code last_tls_error(int why);

bool is_tls(const boost::system::error_code& error);
// This side did not take the peer's certificate.
bool is_verification(const boost::system::error_code& error);
// The other side did not take this one's, or wanted one.
bool is_refused_certificate(const boost::system::error_code& error);

}  // namespace stub::http
