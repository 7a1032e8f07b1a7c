// SPDX-License-Identifier: Apache-2.0
// Where the master's client API is: the addresses that nodes publish and clients are sent to.
//
// They come from other machines, so they are judged as strictly as they are used: what passes can
// stand in a header, and leads to a host and a port and nowhere else.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "broker/broker.h"
#include "http/address.h"
#include "http/exchange.h"

namespace stub::http {

// "http://HOST[:PORT][/]" or https, for other machines: not 0.0.0.0 or ::, no zone, and a host of
// letters, digits, '-', '_' and '.', or a number. `what` names the value in the error text.
Result<BrokerUrl> parse_client_url(std::string_view text, std::string_view what);

// "http://HOST:PORT", one spelling for each broker.
std::string to_string(const BrokerUrl& url);

// What a server that listens there is reached by; "" when it listens on all addresses.
std::string client_url_of(std::string_view listen_address, bool tls);

// Where a field "Location: URL/PATH" leads; nothing when it is not such a URL.
std::optional<BrokerUrl> parse_location(std::string_view location);

// Adds the field Location and the member "master" to a refusal with a JSON object in its body, when
// the place is one to send a client to. target: of the request.
void name_master(Response& refusal, const MasterPlace& place, std::string_view target);

}  // namespace stub::http
