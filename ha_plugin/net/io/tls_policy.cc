// SPDX-License-Identifier: Apache-2.0
#include "ha_plugin/net/io/tls_policy.h"

#include <fmt/format.h>

#include <utility>

#include "ha_plugin/base/date.h"

namespace ha::net {
namespace {

// Strangers cannot add to it; members are few.
constexpr std::size_t kMostRemembered = 1024;

void remember(std::set<std::string>& in, const std::string& what) {
  if (!what.empty() && in.size() < kMostRemembered) in.insert(what);
}

}  // namespace

std::string TlsPolicy::apply(const Settings& settings) {
  const TlsFiles files{settings.tls_cert, settings.tls_key, settings.tls_ca, settings.tls_crl,
                       settings.tls_psk_file};
  bool known = false;
  {
    const Lock lock(mutex_);
    known = context_ && files == files_;
  }
  if (settings.tls != TlsMode::kOff && !known) {
    std::string wrong = read(files, settings.cluster_id, settings.replica_id);
    if (!wrong.empty()) return wrong;
  }
  const Lock lock(mutex_);
  mode_ = settings.tls;
  return "";
}

// Only good ones take the place of those in use.
std::string TlsPolicy::read(const TlsFiles& files, const std::string& cluster,
                            const std::string& id) {
  // Before they are read: what changes meanwhile is then read once more.
  std::string read_as = files.fingerprint();
  std::string wrong;
  std::shared_ptr<TlsContext> made = TlsContext::make(files, cluster, id, wrong);
  const Lock lock(mutex_);
  read_as_ = std::move(read_as);  // bad files are complained of once, not every ten seconds
  if (!made) return wrong;
  context_ = std::move(made);
  files_ = files;
  cluster_ = cluster;
  id_ = id;
  days_said_ = INT_MAX;
  metrics_.tls.not_after_s.set(context_->not_after());
  return "";
}

bool TlsPolicy::reload(bool anyhow, std::string& wrong) {
  wrong.clear();
  TlsFiles files;
  std::string cluster;
  std::string id;
  std::string read_as;
  {
    const Lock lock(mutex_);
    if (mode_ == TlsMode::kOff) return false;
    files = files_;
    cluster = cluster_;
    id = id_;
    read_as = read_as_;
  }
  if (!anyhow && files.fingerprint() == read_as) return false;
  wrong = read(files, cluster, id);
  (wrong.empty() ? metrics_.tls.reloads : metrics_.tls.reload_failures).add();
  return wrong.empty();
}

std::string TlsPolicy::certificate_ends(std::int64_t unix_now_s) {
  const Lock lock(mutex_);
  if (mode_ == TlsMode::kOff || context_->not_after() == 0) return "";
  const std::int64_t left_s = context_->not_after() - unix_now_s;
  const std::int64_t days = left_s / 86400;
  const int say = left_s <= 0 ? 0 : days < 7 ? 7 : days < 30 ? 30 : INT_MAX;
  if (say >= days_said_) return "";
  days_said_ = say;
  const std::string when = date_of(context_->not_after());
  if (left_s <= 0) {
    return fmt::format(
        "the certificate of option 'tls_cert' ended on {}: no new connection is made until the "
        "file has another; open ones stay",
        when);
  }
  return fmt::format(
      "the certificate of option 'tls_cert' ends on {}, in {} days: put a new one into that file, "
      "it is read without a restart",
      when, days);
}

TlsMode TlsPolicy::mode() const {
  const Lock lock(mutex_);
  return mode_;
}

bool TlsPolicy::accept(Channel& channel) {
  std::unique_ptr<TlsSession> session;
  {
    const Lock lock(mutex_);
    if (mode_ == TlsMode::kOff) return false;
    session = context_->accept();
  }
  channel.encrypt(std::move(session), [this](const TlsSession& over) { on_over(over, nullptr); });
  return true;
}

void TlsPolicy::dial(Channel& channel, const std::string& dialled, const Address& address,
                     std::function<void(const core::ProvedNames&)> then) {
  std::unique_ptr<TlsSession> session;
  {
    const Lock lock(mutex_);
    const bool once = proved_.contains(dialled) || proved_at_.contains(address.text());
    const bool plain_next =
        mute_at_.erase(address.text()) > 0 && mode_ == TlsMode::kPrefer && !once;
    if (mode_ == TlsMode::kOff || (mode_ == TlsMode::kAccept && !once) || plain_next) return;
    session = context_->dial(dialled);
  }
  channel.encrypt(std::move(session),
                  [this, address, then = std::move(then)](const TlsSession& over) {
                    on_over(over, &address);
                    if (over.established() && then) then(over.proved());
                  });
}

void TlsPolicy::on_over(const TlsSession& session, const Address* address) {
  const bool client = address != nullptr;
  if (!session.established()) {
    (client ? metrics_.tls.failures_client : metrics_.tls.failures_server).add();
    return;
  }
  (client ? metrics_.tls.handshakes_client : metrics_.tls.handshakes_server).add();
  const Lock lock(mutex_);
  for (const std::string& id : session.proved().ids) remember(proved_, id);
  if (client) remember(proved_at_, address->text());
}

bool TlsPolicy::on_closed_by_peer(const Channel& channel, const Address& address) {
  if (!channel.shaking_hands()) return false;
  metrics_.tls.failures_client.add();
  if (channel.tls()->peer_spoke()) return false;
  const Lock lock(mutex_);
  remember(mute_at_, address.text());
  return true;
}

std::string TlsPolicy::refuse_plain_locked(const std::string& claimed) const {
  if (mode_ == TlsMode::kRequire) return "it speaks without TLS, and option 'tls' is 'require'";
  if (mode_ != TlsMode::kOff && !claimed.empty() && proved_.contains(claimed)) {
    return fmt::format(
        "'{}' has proved itself by TLS since this node started, and now comes without: set its "
        "option 'tls' as it was, or this node's to 'off'",
        claimed);
  }
  return "";
}

std::string TlsPolicy::refuse_plain(const std::string& claimed) const {
  const Lock lock(mutex_);
  return refuse_plain_locked(claimed);
}

std::string TlsPolicy::check_again(const TlsSession* session, const std::string& claimed) const {
  const Lock lock(mutex_);
  if (session == nullptr) return refuse_plain_locked(claimed);
  if (mode_ == TlsMode::kOff) return "option 'tls' is 'off' now";
  return session->established() ? session->check_again(*context_) : "";
}

}  // namespace ha::net
