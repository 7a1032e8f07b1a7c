// SPDX-License-Identifier: Apache-2.0
// Connects to a host and port, whatever the host is: a number, or a name with any number of
// addresses.
//
// All addresses of a name are tried as RFC 8305 has it (Happy Eyeballs): one after the other, IPv6
// and IPv4 in turn, the next one after a short pause or as soon as one has failed, and the first
// that answers wins. So an address where nobody listens, or which answers with silence, costs a
// moment and not the whole deadline.
//
// The resolver has a moment too; after it, or when the look-up fails, the addresses that the name
// had last are tried. A number never touches the resolver. There is no deadline here: cancel is the
// caller's.
//
// Threads: one, that of the context.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "ha_plugin/config/address.h"
#include "ha_plugin/net/io/resolver.h"

namespace ha::net {

class Connector {
 public:
  // failure: "" = the socket is connected; else one clause that says what could not be done.
  using Done = std::function<void(boost::asio::ip::tcp::socket socket, const std::string& failure)>;

  Connector(boost::asio::io_context& context, Resolver& resolver);

  // Ends what it was doing. done is called once, never from within connect, and not after cancel.
  // A call for the same host as before begins with the next of its addresses: the one before may
  // have been the wrong one in spite of its answer.
  void connect(const Address& to, Done done);
  void cancel();

  // How many addresses the last call had to choose from.
  std::size_t addresses() const { return endpoints_.size(); }
  // After a failure: every address answered that nobody listens there.
  bool refused() const { return !endpoints_.empty() && refused_ == endpoints_.size(); }
  // For the message of a caller whose deadline has passed.
  std::string waiting_for() const;

 private:
  void look_up();
  void on_found(const Resolver::Answer& answer);
  void begin(const Resolver::Addresses& found);
  void try_next();
  void on_tried(std::size_t index, const boost::system::error_code& error);
  void fail_later(const std::string& failure);
  void finish(boost::asio::ip::tcp::socket socket, const std::string& failure);

  boost::asio::io_context& context_;
  Resolver& resolver_;
  boost::asio::steady_timer timer_;
  Resolver::Request request_;
  Address to_;
  Done done_;
  std::uint64_t run_ = 0;  // handlers of an earlier one see that they are late
  std::size_t turn_ = 0;   // which address is first
  std::vector<boost::asio::ip::tcp::endpoint> endpoints_;
  std::vector<std::unique_ptr<boost::asio::ip::tcp::socket>> sockets_;  // one for each one tried
  std::size_t failed_ = 0;
  std::size_t refused_ = 0;  // of those
  std::string errors_;
};

// IPv6 and IPv4 in turn, each in its order, the first one's kind first.
Resolver::Addresses in_turn(const Resolver::Addresses& found);

}  // namespace ha::net
