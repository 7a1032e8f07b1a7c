// SPDX-License-Identifier: Apache-2.0
// Whether a connection must, may or must not be encrypted, and with what.
//
// Options say so, and files that may change while the node runs: they are looked at again now and
// then. New ones are checked whole before they take the place of the old ones; if they are not
// good, the old ones stay.
//
// A node that has once proved who it is, since this one started, may not come in the clear any
// more, nor be dialled so, in whichever mode: else whoever stands in between could undo TLS by
// breaking it.
//
// Threads: any. apply and reload read files and are the control thread's; no lock is held
// meanwhile, so a file system that hangs holds up nothing else.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>

#include "ha_plugin/config/settings.h"
#include "ha_plugin/core/types.h"
#include "ha_plugin/net/io/tls_context.h"
#include "ha_plugin/net/io/tls_session.h"
#include "metrics/ha_metrics.h"
#include "metrics/mutex.h"

namespace ha::net {

class TlsPolicy {
 public:
  explicit TlsPolicy(metrics::HaMetrics& metrics) : metrics_(metrics) {}

  // What the options say from now on. "" or what is wrong with them or their files; then all stays
  // as it was.
  std::string apply(const Settings& settings);
  // Reads the files again if they have changed, or anyhow. wrong: why they were not taken. Returns
  // true if new ones are in use.
  bool reload(bool anyhow, std::string& wrong);

  TlsMode mode() const;

  // For a connection that was accepted and begins like TLS; null = not spoken here.
  std::unique_ptr<TlsSession> accept();
  // For one that was made to that address, where the node dialled is to be ("" = not known); null =
  // in the clear.
  std::unique_ptr<TlsSession> dial(const std::string& dialled, const Address& address);
  // A connection that was dialled ended in its handshake before the peer had said a word of TLS, as
  // a node does that does not know it. Mode prefer tries the next one in the clear.
  void on_mute(const Address& address);

  // A peer has proved who it is; address: that was dialled, of a client.
  void on_proved(const TlsSession& session, TlsSession::Side side, const Address& address = {});
  // A handshake failed.
  void on_failed(TlsSession::Side side);
  // "" or why a connection in the clear may not go on. claimed: as its peer calls itself; "" = it
  // has no name, or has not said it yet.
  std::string refuse_plain(const std::string& claimed) const;
  // "" or why an open connection may not go on with the files that are in use now. Null session: it
  // is in the clear.
  std::string check_again(const TlsSession* session, const std::string& claimed) const;

 private:
  std::string refuse_plain_locked(const std::string& claimed) const HA_HOLDS(mutex_);
  std::string read(const TlsFiles& files, const std::string& cluster, const std::string& id);

  metrics::HaMetrics& metrics_;
  mutable Mutex mutex_;
  TlsMode mode_ HA_GUARDED_BY(mutex_) = TlsMode::kOff;
  TlsFiles files_ HA_GUARDED_BY(mutex_);
  std::string cluster_ HA_GUARDED_BY(mutex_);
  std::string id_ HA_GUARDED_BY(mutex_);
  std::string read_as_ HA_GUARDED_BY(mutex_);  // the files' fingerprint when they were read last
  std::shared_ptr<TlsContext> context_ HA_GUARDED_BY(mutex_);
  std::set<std::string> proved_ HA_GUARDED_BY(mutex_);     // ids
  std::set<std::string> proved_at_ HA_GUARDED_BY(mutex_);  // addresses that were dialled
  std::set<std::string> mute_at_ HA_GUARDED_BY(mutex_);    // tried in the clear next
};

}  // namespace ha::net
