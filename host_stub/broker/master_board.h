// SPDX-License-Identifier: Apache-2.0
// What slaves are told of the master for their clients' sake: where its client API is, what it is
// called, how far its log goes. It travels beside consumers' offsets (metadata.h), as
//
//   {"url":"http://10.0.0.1:8080","id":"a","end":1234}
//
// A slave passes on to its own slaves what it was told. What came from a master counts only as long
// as this node follows that same one: the next may be anywhere else.
//
// The peer may lie. Lengths and numbers are judged here; whether the text is a URL, where it is
// used (http/location.h).
//
// Threads: any.
#pragma once

#include <boost/json/fwd.hpp>
#include <cstdint>
#include <mutex>
#include <string>

#include "broker/broker.h"

namespace stub {

inline constexpr std::size_t kMaxMasterId = 255;

struct MasterNews {
  std::string url;        // of the client API; "" = not known
  std::string id;         // the master's replica id; "" = not known
  std::int64_t end = -1;  // of its log, when it said so
  bool operator==(const MasterNews&) const = default;
};

boost::json::object encode_master_news(const MasterNews& news);
// A member that is not as it must be is left out.
MasterNews parse_master_news(const boost::json::value& value);

class MasterBoard {
 public:
  MasterBoard(std::string own_url, std::string own_id)
      : own_{std::move(own_url), std::move(own_id)} {}

  // from: the HA address that this node follows.
  void learn(MasterNews news, const std::string& from);
  void set_master(bool master);
  // Of the master at that HA address.
  MasterNews heard_from(const std::string& address) const;
  // For this node's slaves. own_end: of this node's log. from: what this node follows.
  MasterNews to_tell(std::int64_t own_end, const std::string& from) const;
  // Another number whenever to_tell names another master.
  std::uint64_t version() const;

 private:
  const MasterNews own_;
  mutable std::mutex mutex_;
  bool master_ = false;
  MasterNews heard_;
  std::string heard_from_;
  std::uint64_t version_ = 0;
};

}  // namespace stub
