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

#include <climits>
#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>

#include "ha_plugin/config/settings.h"
#include "ha_plugin/net/io/channel.h"
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

  // A sentence when the own certificate has 30 days left, 7, and none: each once. "" otherwise.
  std::string certificate_ends(std::int64_t unix_now_s);

  TlsMode mode() const;

  // Encrypts a connection that was accepted and begins like TLS. Returns false if that is not
  // spoken here.
  bool accept(Channel& channel);
  // Encrypts one that was made to that address, where the node dialled is to be ("" = not known),
  // or leaves it in the clear. then: the node has proved who it is.
  void dial(Channel& channel, const std::string& dialled, const Address& address,
            std::function<void(const core::ProvedNames&)> then = {});
  // One that was dialled was closed by its peer. Returns true if that said nothing of TLS, as a
  // node does that does not know it: mode prefer tries the next one to that address in the clear.
  bool on_closed_by_peer(const Channel& channel, const Address& address);

  // "" or why a connection in the clear may not go on. claimed: as its peer calls itself; "" = it
  // has no name, or has not said it yet.
  std::string refuse_plain(const std::string& claimed) const;
  // "" or why an open connection may not go on with the files that are in use now. Null session: it
  // is in the clear.
  std::string check_again(const TlsSession* session, const std::string& claimed) const;

 private:
  // Counts a handshake, and remembers who the peer has proved to be. address: that was dialled.
  void on_over(const TlsSession& session, const Address* address);
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
  int days_said_ HA_GUARDED_BY(mutex_) = INT_MAX;          // by certificate_ends
  std::set<std::string> proved_ HA_GUARDED_BY(mutex_);     // ids
  std::set<std::string> proved_at_ HA_GUARDED_BY(mutex_);  // addresses that were dialled
  std::set<std::string> mute_at_ HA_GUARDED_BY(mutex_);    // tried in the clear next
};

}  // namespace ha::net
