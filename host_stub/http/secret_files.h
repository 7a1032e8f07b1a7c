// SPDX-License-Identifier: Apache-2.0
// The files that say who is who at the client API, as an operator names them.
#pragma once

#include <string>

namespace stub::http {

struct AccessOptions {
  std::string control_token_file = {};  // "" = none
  std::string client_token_file = {};
  bool certificates = false;  // the server asks clients for certificates
};

struct TlsFiles {
  std::string cert = {};  // the certificate, and those between it and its CA; "" = none
  std::string key = {};   // "" = in the file of the certificate
  std::string ca = {};  // whose certificates are taken; "" = a server: none, a client: the system's
};

}  // namespace stub::http
