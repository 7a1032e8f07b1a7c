// SPDX-License-Identifier: Apache-2.0
// Who may use which route. Routes that change a node (control) need a token of the control file, or
// a certificate where the server knows clients by them; without either they are answered to this
// machine alone. Routes that read and write messages
// (data) need a token when there is a client file, and a control token will do. The rest is open:
// status, health, readiness, metrics.
//
// Threads: refuse and refused_json on any, several at once.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "broker/broker.h"
#include "http/exchange.h"
#include "http/limited_warning.h"
#include "http/secret_files.h"
#include "http/token_file.h"

namespace stub::http {

enum class Need { kNothing, kData, kControl };

class Access {
 public:
  // Without files: control for this machine, data for everybody.
  Access() = default;
  static Result<std::unique_ptr<Access>> open(const AccessOptions& options);

  // The answer to a client that may not do that; counted, and said in the log. path: the route's
  // pattern. A target as it was sent must not get into the log: a token may stand in it.
  std::optional<Response> refuse(Need need, std::string_view path, const Request& request,
                                 const Peer& peer);

  // False when everybody may.
  bool guards_data() const { return client_ != nullptr; }

  // {"not_local":0,"no_certificate":0,"no_token":0,"wrong_token":0}, since the start.
  std::string refused_json() const;

 private:
  enum Why { kNotLocal, kNoCertificate, kNoToken, kWrongToken, kWhys };

  Response refusal(Why why, std::string_view path, const Request& request, const Peer& peer,
                   const std::string& text);
  void log(Why why, std::string_view path, const Request& request, const Peer& peer);

  bool certificates_ = false;
  std::unique_ptr<TokenFile> control_;
  std::unique_ptr<TokenFile> client_;
  std::atomic<std::int64_t> refused_[kWhys] = {};
  LimitedWarning warning_;
};

}  // namespace stub::http
