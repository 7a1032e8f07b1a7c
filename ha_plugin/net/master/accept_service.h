// SPDX-License-Identifier: Apache-2.0
// Listens on the HA port, turns away who may not come in, and hands over the connections of those
// who may to the ReplicaSet.
//
// Masters and slaves both listen: a slave serves its own log to slaves of its own. A node without a
// role accepts and closes, so that a peer learns that somebody is there.
//
// Threads: open and local_address from the control thread (with the I/O thread stopped or through
// run_sync); everything else on the I/O thread.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <string>

#include "ha_plugin/net/master/parts.h"
#include "ha_plugin/net/master/replica_set.h"

namespace ha::net {

class AcceptService {
 public:
  AcceptService(boost::asio::io_context& context, const MasterParts& parts, ReplicaSet& replicas);

  // Binds and listens. "" or what is wrong; os_errno is set then.
  std::string open(int& os_errno);
  // Where it listens, with the port that the system gave.
  Address local_address() const { return local_; }

  void start();
  void stop();

 private:
  void wait_acceptable();
  void on_acceptable();
  void on_out_of_resources(int error);
  void admit(boost::asio::ip::tcp::socket socket, const Address& remote);
  void reject(const Address& remote, core::Reason reason, const std::string& text);

  const MasterParts parts_;
  ReplicaSet& replicas_;
  boost::asio::ip::tcp::acceptor acceptor_;
  boost::asio::steady_timer retry_;
  Address local_;
  bool accepting_ = false;
};

}  // namespace ha::net
