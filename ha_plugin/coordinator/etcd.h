// SPDX-License-Identifier: Apache-2.0
// Coordinator by etcd 3.4 and later, through its JSON gateway.
//
// The keys are PREFIX/CLUSTER/leader, whose value is the holder's id as plain text, so that tools
// such as vip-manager and confd can read it, PREFIX/CLUSTER/control and PREFIX/CLUSTER/set. The
// holder renews its lease and writes nothing: renewals leave no revisions behind.
//
// A call asks each endpoint at most once, beginning with the one that answered last, and gives each
// request_limit: a member that has lost its leader does not answer at all. What changes a key is
// not asked for a second time once it was sent: a first request that was done would make the second
// one say that somebody was first.
//
// An answer counts only if its member has seen the newest election that this one knows of. A member
// that was cut off for a while may otherwise renew a lease that is gone.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "ha_plugin/config/address.h"
#include "ha_plugin/coordinator/coordinator.h"
#include "ha_plugin/coordinator/etcd_json.h"
#include "ha_plugin/coordinator/http_client.h"
#include "ha_plugin/net/io/resolver.h"

namespace ha {

struct EtcdOptions {
  std::vector<net::Address> endpoints = {};  // at least one
  bool https = false;
  std::string prefix = "/ha";
  std::string cluster = {};
  std::string id = {};  // this node's
  // "" = without a user.
  std::string user = {};
  std::string password_file = {};  // its first line; read again each time it is needed
  // For https. cert and key: "" = the server asks for none.
  std::string ca = {};
  std::string cert = {};
  std::string key = {};
  std::chrono::milliseconds request_limit{400};
};

class Etcd final : public Coordinator {
 public:
  // op: grant, renew, revoke, read, take, control, set, authenticate.
  using Count = std::function<void(const char* op, Said said)>;

  Etcd(EtcdOptions options, net::Resolver& resolver, Count count = {});

  // "" or what is wrong with the files that the options name. Asks nobody.
  std::string check();

  CoordinatorAnswer grant(std::chrono::milliseconds ttl, Lease& granted) override;
  CoordinatorAnswer renew(const Lease& lease) override;
  CoordinatorAnswer revoke(const Lease& lease) override;
  CoordinatorAnswer read(CoordinatorKeys& keys) override;
  CoordinatorAnswer take(const Lease& lease, std::int64_t revision) override;
  CoordinatorAnswer set_control(const std::string& value, std::int64_t revision) override;
  CoordinatorAnswer put_set(const std::string& value, std::int64_t revision) override;
  void cancel() override { http_.cancel(); }

 private:
  // How one question to one endpoint went.
  struct Heard {
    CoordinatorAnswer answer;
    enum class Then { kDone, kStop, kTryNext } then = Then::kDone;
  };
  // What kind of question it is, and what its answer with status 200 says. kUnknown: that cannot be
  // trusted; text says why if it is not simply odd.
  struct Question {
    const char* op;
    const char* path;
    std::string body;
    bool once = false;  // asked for a second time, it could be answered otherwise
    std::function<CoordinatorAnswer(std::string_view body, etcd::Header& header)> judge;
  };

  CoordinatorAnswer ask(const Question& question);
  Heard ask_one(const Question& question);
  Heard judge(const Question& question, const HttpAnswer& answer);
  CoordinatorAnswer change(const char* op, std::string body);
  // Nothing: this connection's server is new enough.
  std::string refuse_version(HttpClient::Deadline deadline);
  // kYes: this node has a token, or etcd has authentication switched off.
  Heard authenticate();
  std::string read_password(std::string& out) const;
  // "" or why that member is behind.
  std::string check_term(const etcd::Header& header);
  Heard unknown(Heard::Then then, const std::string& what) const;
  void count(const char* op, Said said) const;

  const EtcdOptions options_;
  const Count count_;
  const std::string folder_;
  const std::string leader_;
  const std::string control_;
  const std::string set_;
  HttpClient http_;
  std::string token_;
  bool no_users_ = false;  // etcd said so when it was asked for a token
  etcd::Header newest_;    // of all answers
};

}  // namespace ha
