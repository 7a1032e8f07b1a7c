// SPDX-License-Identifier: Apache-2.0
// Promotion with a look around first: a node that holds less than another must not become master,
// or the difference would be lost.
#pragma once

#include <string>
#include <vector>

#include "broker/broker.h"
#include "cli/broker_client.h"

namespace stub::cli {

struct Promotion {
  std::int64_t whole_end = 0;           // what the promoted node held
  std::vector<std::string> notes = {};  // peers that could not be asked, one sentence each
  std::string text = {};                // what the node says of its new role
};

// Promotes the broker unless a peer holds more whole records; the Error then names the peer and
// both numbers. A peer that cannot be reached is noted and passed over.
// force: in a configured set, whose nodes the broker asks itself, whatever they say.
// access: to the broker and to its peers.
Result<Promotion> promote(const std::string& broker_url, const std::vector<std::string>& peers,
                          bool force = false, const BrokerAccess& access = {});

struct Fullest {
  std::size_t index = 0;
  std::vector<std::int64_t> whole_ends = {};  // of each broker; -1 = it does not answer
};

// Which of the brokers holds most whole records; the first of several. An Error when none answers.
Result<Fullest> fullest(const std::vector<std::string>& broker_urls);

}  // namespace stub::cli
