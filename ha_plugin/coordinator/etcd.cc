// SPDX-License-Identifier: Apache-2.0
#include "ha_plugin/coordinator/etcd.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "ha_plugin/core/one_line.h"
#include "ha_plugin/net/io/checked_file.h"

namespace ha {
namespace {

using etcd::Fault;

constexpr int kOldest = 304;
constexpr std::size_t kMostSaid = 200;
// etcd compares a password with bcrypt, which takes a tenth of a second on purpose.
constexpr int kLimitsToAuthenticate = 3;

HttpClient::Deadline in(std::chrono::milliseconds time) {
  return std::chrono::steady_clock::now() + time;
}

std::unique_ptr<net::TlsFiles> files_of(const EtcdOptions& options) {
  if (!options.https) return nullptr;
  return std::make_unique<net::TlsFiles>(
      net::TlsFiles{options.cert, options.key, options.ca, "", ""});
}

}  // namespace

Etcd::Etcd(EtcdOptions options, net::Resolver& resolver, Count count)
    : options_(std::move(options)),
      count_(std::move(count)),
      folder_(fmt::format("{}/{}/", options_.prefix, options_.cluster)),
      leader_(folder_ + "leader"),
      control_(folder_ + "control"),
      set_(folder_ + "set"),
      http_(options_.endpoints, files_of(options_), resolver) {}

std::string Etcd::check() {
  if (std::string wrong = http_.check(); !wrong.empty()) return wrong;
  std::string password;
  return options_.user.empty() ? "" : read_password(password);
}

CoordinatorAnswer Etcd::grant(std::chrono::milliseconds ttl, Lease& granted) {
  const std::int64_t ttl_s = std::chrono::ceil<std::chrono::seconds>(ttl).count();
  Lease got;
  CoordinatorAnswer said =
      ask({.op = "grant",
           .path = "/v3/lease/grant",
           .body = etcd::grant_request(ttl_s),
           .judge = [&](std::string_view body, etcd::Header& header) -> CoordinatorAnswer {
             etcd::Granted answer;
             if (!etcd::parse_granted(body, answer)) return {};
             header = answer.header;
             got = {answer.id, std::chrono::seconds(answer.ttl_s)};
             return {Said::kYes, ""};
           }});
  if (said.yes()) granted = got;
  return said;
}

CoordinatorAnswer Etcd::renew(const Lease& lease) {
  return ask({.op = "renew",
              .path = "/v3/lease/keepalive",
              .body = etcd::lease_request(lease.id),
              .judge = [&](std::string_view body, etcd::Header& header) -> CoordinatorAnswer {
                etcd::Renewed answer;
                if (!etcd::parse_renewed(body, lease.id, answer)) return {};
                header = answer.header;
                if (answer.ttl_s > 0) return {Said::kYes, ""};
                return {Said::kNo, "the lease has ended"};
              }});
}

CoordinatorAnswer Etcd::revoke(const Lease& lease) {
  return ask({.op = "revoke",
              .path = "/v3/lease/revoke",
              .body = etcd::lease_request(lease.id),
              .judge = [](std::string_view body, etcd::Header& header) -> CoordinatorAnswer {
                if (!etcd::parse_revoked(body, header)) return {};
                return {Said::kYes, ""};
              }});
}

CoordinatorAnswer Etcd::read(CoordinatorKeys& keys) {
  // Not "serializable": the member asks the others whether it is up to date.
  CoordinatorKeys got;
  CoordinatorAnswer said =
      ask({.op = "read",
           .path = "/v3/kv/range",
           .body = etcd::range_request(folder_),
           .judge = [&](std::string_view body, etcd::Header& header) -> CoordinatorAnswer {
             etcd::Found answer;
             if (!etcd::parse_found(body, folder_, answer)) return {};
             header = answer.header;
             got = std::move(answer.keys);
             return {Said::kYes, ""};
           }});
  if (said.yes()) keys = std::move(got);
  return said;
}

CoordinatorAnswer Etcd::take(const Lease& lease, std::int64_t revision) {
  // A key without a lease would be held for ever.
  if (lease.id == 0) return {Said::kNo, "this node has no lease to take the key with"};
  return change("take", etcd::put_request(leader_, options_.id, lease.id, revision));
}

CoordinatorAnswer Etcd::set_control(const std::string& value, std::int64_t revision) {
  return change("control", etcd::put_request(control_, value, 0, revision));
}

CoordinatorAnswer Etcd::put_set(const std::string& value, std::int64_t revision) {
  return change("set", etcd::put_request(set_, value, 0, revision));
}

CoordinatorAnswer Etcd::change(const char* op, std::string body) {
  return ask({.op = op,
              .path = "/v3/kv/txn",
              .body = std::move(body),
              .once = true,
              .judge = [](std::string_view said, etcd::Header& header) -> CoordinatorAnswer {
                etcd::Changed answer;
                if (!etcd::parse_changed(said, answer)) return {};
                header = answer.header;
                if (answer.done) return {Said::kYes, ""};
                return {Said::kNo, "the key has changed"};
              }});
}

CoordinatorAnswer Etcd::ask(const Question& question) {
  CoordinatorAnswer answer;
  std::string failures;
  for (std::size_t i = 0; i < options_.endpoints.size(); ++i) {
    Heard heard = ask_one(question);
    answer = std::move(heard.answer);
    if (heard.then == Heard::Then::kDone) break;
    http_.next();
    if (!failures.empty()) failures += "; ";
    failures += answer.text;
    answer.text = failures;
    if (heard.then == Heard::Then::kStop || http_.cancelled()) break;
  }
  count(question.op, answer.said);
  return answer;
}

Etcd::Heard Etcd::ask_one(const Question& question) {
  auto deadline = in(options_.request_limit);
  bool fresh = false;
  if (const std::string wrong = http_.open(deadline, fresh); !wrong.empty()) {
    return unknown(Heard::Then::kTryNext, wrong);
  }
  if (fresh) {
    if (const std::string wrong = refuse_version(deadline); !wrong.empty()) {
      return unknown(Heard::Then::kTryNext, wrong);
    }
  }
  for (bool again = false;; again = true) {
    if (!options_.user.empty() && token_.empty() && !no_users_) {
      if (Heard heard = authenticate(); !heard.answer.yes()) return heard;
      deadline = in(options_.request_limit);
    }
    const HttpAnswer answer = http_.ask(question.path, question.body, token_, deadline);
    if (!answer.failure.empty()) {
      return unknown(question.once && answer.sent ? Heard::Then::kStop : Heard::Then::kTryNext,
                     answer.failure);
    }
    if (answer.status == 200 && !etcd::is_fault(answer.body)) return judge(question, answer);
    const Fault fault = etcd::parse_fault(answer.status, answer.body);
    switch (fault.kind) {
      case Fault::Kind::kToken:
        // Not done, so even what must be asked once may be asked again.
        if (again || options_.user.empty()) {
          return unknown(Heard::Then::kDone,
                         fmt::format("it wants a user and said {}: set option 'coordinator_user' "
                                     "and its file of the password, and use no client certificate "
                                     "with a common name",
                                     fault.text));
        }
        token_.clear();
        no_users_ = false;
        continue;
      case Fault::Kind::kDenied:
        return unknown(
            Heard::Then::kDone,
            fmt::format(
                "it said {}: the user of option 'coordinator_user', '{}', needs a role that "
                "may read and write the keys below '{}'",
                fault.text, options_.user, folder_));
      case Fault::Kind::kLease:
        return {{Said::kNo, fmt::format("etcd at {}: it said {}: the lease has ended",
                                        http_.endpoint(), fault.text)}};
      default:
        return unknown(question.once ? Heard::Then::kStop : Heard::Then::kTryNext,
                       "it said " + fault.text);
    }
  }
}

Etcd::Heard Etcd::judge(const Question& question, const HttpAnswer& answer) {
  const Heard::Then bad = question.once ? Heard::Then::kStop : Heard::Then::kTryNext;
  etcd::Header header;
  CoordinatorAnswer said = question.judge(answer.body, header);
  if (said.said == Said::kUnknown) {
    return unknown(bad, fmt::format("its answer is not one of etcd's: '{}'",
                                    core::one_line(answer.body, kMostSaid)));
  }
  if (const std::string behind = check_term(header); !behind.empty()) return unknown(bad, behind);
  if (!said.yes()) said.text = fmt::format("etcd at {}: {}", http_.endpoint(), said.text);
  return {std::move(said)};
}

std::string Etcd::refuse_version(HttpClient::Deadline deadline) {
  const HttpAnswer answer = http_.ask("/version", "", "", deadline);
  if (!answer.failure.empty()) return answer.failure;
  int version = 0;
  std::string text;
  if (answer.status != 200 || !etcd::parse_version(answer.body, version, text)) {
    return fmt::format("it does not say which version of etcd it is, but HTTP status {} and '{}'",
                       answer.status, core::one_line(answer.body, kMostSaid));
  }
  if (version >= kOldest) return "";
  return fmt::format("it is version {}, and 3.4 is the oldest that can be used: upgrade it", text);
}

Etcd::Heard Etcd::authenticate() {
  std::string password;
  if (const std::string wrong = read_password(password); !wrong.empty()) {
    count("authenticate", Said::kUnknown);
    return unknown(Heard::Then::kDone, "no password to give: " + wrong);
  }
  const HttpAnswer answer =
      http_.ask("/v3/auth/authenticate", etcd::authenticate_request(options_.user, password), "",
                in(options_.request_limit * kLimitsToAuthenticate));
  Heard heard{{Said::kYes, ""}};
  if (!answer.failure.empty()) {
    heard = unknown(Heard::Then::kTryNext, "no token: " + answer.failure);
  } else if (answer.status == 200 && etcd::parse_token(answer.body, token_)) {
    // It stays good with all members, until nobody has used it for five minutes.
  } else {
    token_.clear();
    const Fault fault = etcd::parse_fault(answer.status, answer.body);
    no_users_ = fault.kind == Fault::Kind::kNoUsers;
    if (fault.kind == Fault::Kind::kPassword) {
      heard = unknown(Heard::Then::kDone,
                      fmt::format("it said {}: check options 'coordinator_user', '{}', and "
                                  "'coordinator_password_file', '{}'",
                                  fault.text, options_.user, options_.password_file));
    } else if (!no_users_) {
      heard = unknown(Heard::Then::kTryNext, "no token: it said " + fault.text);
    }
  }
  const bool refused = heard.then == Heard::Then::kDone && !heard.answer.yes();
  count("authenticate", refused ? Said::kNo : heard.answer.said);
  return heard;
}

std::string Etcd::read_password(std::string& out) const {
  std::string wrong = net::read_checked("coordinator_password_file", options_.password_file,
                                        net::Readers::kNotOthers, out);
  if (!wrong.empty()) return wrong;
  out.resize(std::min(out.find('\n'), out.size()));
  if (out.ends_with('\r')) out.pop_back();
  if (!out.empty()) return "";
  return fmt::format("option 'coordinator_password_file': the first line of '{}' is empty",
                     options_.password_file);
}

// Elections are counted for each set of members: another set, in place of the old one, begins with
// the first.
std::string Etcd::check_term(const etcd::Header& header) {
  if (header.cluster == newest_.cluster && header.term < newest_.term) {
    return fmt::format(
        "this member was left behind: it knows of election {}, and {} has been (if etcd was "
        "restored from scratch, restart this node)",
        header.term, newest_.term);
  }
  newest_ = header;
  return "";
}

Etcd::Heard Etcd::unknown(Heard::Then then, const std::string& what) const {
  return {{Said::kUnknown, fmt::format("etcd at {}: {}", http_.endpoint(), what)}, then};
}

void Etcd::count(const char* op, Said said) const {
  if (count_) count_(op, said);
}

}  // namespace ha
