// SPDX-License-Identifier: Apache-2.0
#include "http/access.h"

#include <boost/beast/core/string.hpp>

#include "http/errors.h"

namespace stub::http {
namespace {

// A scan must not fill the log.

constexpr std::string_view kSendToken =
    "send 'Authorization: Bearer TOKEN' (ha_stub: --token-file FILE, or the variable "
    "HA_STUB_TOKEN_FILE)";
constexpr std::string_view kShowCertificate =
    "show one over https (ha_stub: --cert FILE --key FILE, or the variables HA_STUB_CERT and "
    "HA_STUB_KEY)";

// What follows "Bearer", whose case does not matter (RFC 9110, 11.1). Empty: the field is not of
// that form. It may be a bare token, so no text shows it.
std::string_view bearer_token(std::string_view field) {
  constexpr std::string_view kScheme = "Bearer";
  const auto scheme = field.substr(0, field.find(' '));
  if (!boost::beast::iequals({scheme.data(), scheme.size()}, {kScheme.data(), kScheme.size()})) {
    return {};
  }
  field.remove_prefix(scheme.size());
  field.remove_prefix(std::min(field.size(), field.find_first_not_of(' ')));
  return field;
}

}  // namespace

Result<std::unique_ptr<Access>> Access::open(const AccessOptions& options) {
  auto out = std::make_unique<Access>();
  out->certificates_ = options.certificates;
  const auto read = [](std::unique_ptr<TokenFile>& into, const std::string& path,
                       std::string_view what) -> std::optional<Error> {
    if (path.empty()) return std::nullopt;
    auto opened = TokenFile::open(path, what);
    if (auto* error = std::get_if<Error>(&opened)) return std::move(*error);
    into = std::get<std::unique_ptr<TokenFile>>(std::move(opened));
    return std::nullopt;
  };
  if (auto error = read(out->control_, options.control_token_file, "control-token-file"))
    return std::move(*error);
  if (auto error = read(out->client_, options.client_token_file, "client-token-file"))
    return std::move(*error);
  return out;
}

std::optional<Response> Access::refuse(Need need, std::string_view path, const Request& request,
                                       const Peer& peer) {
  if (need == Need::kNothing || (need == Need::kData && !client_)) return std::nullopt;
  if (peer.certified) return std::nullopt;
  const std::string what = request.method + " " + std::string(path);
  if (need == Need::kControl && !control_ && certificates_) {
    return refusal(kNoCertificate, path, request, peer,
                   what + " needs a client certificate that --http-client-ca knows; " +
                       std::string(kShowCertificate));
  }
  if (need == Need::kControl && !control_) {
    constexpr std::string_view kWayOut =
        "; start `ha_stub serve` with --control-token-file FILE and send a token";
    if (!peer.loopback) {
      return refusal(kNotLocal, path, request, peer,
                     what +
                         " is answered only to clients on this machine, over 127.0.0.1 or ::1; "
                         "this one is " +
                         peer.address + std::string(kWayOut));
    }
    // A proxy on this machine lends everybody its address, and a page in a browser on it may post
    // anywhere. Both say so in fields that ha_stub and curl do not send.
    if (!request.relayed_by.empty()) {
      return refusal(kNotLocal, path, request, peer,
                     what + " is answered only to clients on this machine, and the field " +
                         request.relayed_by + " says that a proxy or a web page sent this" +
                         std::string(kWayOut));
    }
    return std::nullopt;
  }
  if (!request.authorization) {
    return refusal(kNoToken, path, request, peer,
                   what + " needs a token; " + std::string(kSendToken));
  }
  const auto token = bearer_token(*request.authorization);
  if (token.empty()) {
    return refusal(kNoToken, path, request, peer,
                   what + " needs a token, and the field Authorization is not 'Bearer TOKEN'; " +
                       std::string(kSendToken));
  }
  if (control_ && control_->holds(token)) return std::nullopt;
  const bool is_client = client_ && client_->holds(token);
  if (need == Need::kData && is_client) return std::nullopt;
  return refusal(
      kWrongToken, path, request, peer,
      what + (is_client ? " needs a token of the control file; this one is of the client file"
                        : " needs a token that this broker knows; this one is not in its file"));
}

Response Access::refusal(Why why, std::string_view path, const Request& request, const Peer& peer,
                         const std::string& text) {
  refused_[why].fetch_add(1);
  log(why, path, request, peer);
  if (why != kNoToken) return error_response(403, "FORBIDDEN", text);
  auto response = error_response(401, "UNAUTHORIZED", text);
  response.field = "WWW-Authenticate: Bearer";
  return response;
}

void Access::log(Why why, std::string_view path, const Request& request, const Peer& peer) {
  constexpr std::string_view kWords[kWhys] = {"not on this machine", "no client certificate",
                                              "no token", "wrong token"};
  std::string text = "http: refused ";
  text.append(request.method).append(" ").append(path).append(" from ").append(peer.address);
  warning_.log(text.append(": ").append(kWords[why]));
}

std::string Access::refused_json() const {
  return "{\"not_local\":" + std::to_string(refused_[kNotLocal]) +
         ",\"no_certificate\":" + std::to_string(refused_[kNoCertificate]) +
         ",\"no_token\":" + std::to_string(refused_[kNoToken]) +
         ",\"wrong_token\":" + std::to_string(refused_[kWrongToken]) + "}";
}

}  // namespace stub::http
