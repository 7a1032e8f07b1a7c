// SPDX-License-Identifier: Apache-2.0
// The other end of a connection, from its address.
#pragma once

#include <boost/asio/ip/tcp.hpp>

#include "http/exchange.h"

namespace stub::http {

Peer peer_of(const boost::asio::ip::tcp::endpoint& remote);

}  // namespace stub::http
