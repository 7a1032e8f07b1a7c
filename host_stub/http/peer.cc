// SPDX-License-Identifier: Apache-2.0
#include "http/peer.h"

#include "http/address.h"

namespace stub::http {

namespace asio = boost::asio;

Peer peer_of(const asio::ip::tcp::endpoint& remote) {
  auto address = remote.address();
  if (address.is_v6() && address.to_v6().is_v4_mapped()) {
    address = asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6());
  }
  return {.address = to_string(HostPort{address.to_string(), remote.port()}),
          .loopback = address.is_loopback()};
}

}  // namespace stub::http
