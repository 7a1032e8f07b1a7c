// SPDX-License-Identifier: Apache-2.0
// A configured set whose nodes prove to each other who they are.
#pragma once

#include <string>

#include "tests/unit/authority.h"
#include "tests/unit/epoch_set.h"
#include "tests/unit/native_peer.h"

namespace ha::testing {

inline constexpr char kKey1[] =
    "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n";
inline constexpr char kKey2[] =
    "ffeeddccbbaa99887766554433221100ffeeddccbbaa99887766554433221100\n";

class TlsSet : public EpochSet {
 protected:
  Options with_keys(Node& node, const std::string& mode, const std::string& keys = kKey1) {
    return {{"tls", mode}, {"tls_psk_file", write_file(node.state.path(), "cluster.key", keys)}};
  }
  Options with_certificate(Node& node, const std::string& names, const std::string& mode) {
    const Authority::Issued issued = ca_.issue(node.id, {names});
    return {{"tls", mode},
            {"tls_cert", write_file(node.state.path(), "node.crt", issued.certificate, 0644)},
            {"tls_key", write_file(node.state.path(), "node.key", issued.key)},
            {"tls_ca", write_file(node.state.path(), "ca.crt", ca_.pem(), 0644)}};
  }
  static bool follows(Node& slave) {
    return Instance::eventually(
        [&] { return slave.plugin->snapshot().total.client_state == HA_STATE_TRANSFER; });
  }
  // A master and a slave without a set, in those modes.
  static Options without_set(const std::string& id, const Options& tls) {
    Options all = native({{"cluster_id", "prod"}, {"replica_id", id}, {"reconnect_max_ms", "50"}});
    all.insert(all.end(), tls.begin(), tls.end());
    return all;
  }

  Authority ca_{"ha-ca"};
};

}  // namespace ha::testing
