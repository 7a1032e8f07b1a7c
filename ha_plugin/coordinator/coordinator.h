// SPDX-License-Identifier: Apache-2.0
// The engine that says who may try to become master: a key, held for as long as its holder renews a
// lease.
//
// The key picks a candidate and protects nothing: promises do that (core/term.h). So an engine that
// forgets the key, hands it to two nodes or answers with what was true a second ago can cost a
// change of master, and never a message.
//
// That is not so of the set's key: which nodes count is what compare-and-set made of it, once and
// in one line (core/members.h). An engine that forgets it is told again by the nodes.
//
// Threads: one at a time. Each call blocks, for as long as the engine's own limits say; cancel may
// come from any thread and makes the call that is under way, and all later ones, answer kUnknown at
// once. Only a host's own service ends its call by itself.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace ha {

// What a call came to. kUnknown: there was no answer that can be trusted. What was asked for may
// have been done.
enum class Said { kYes, kNo, kUnknown };

struct CoordinatorAnswer {
  Said said = Said::kUnknown;
  std::string text;  // unless kYes: why, one sentence that names the endpoint and what it said
  bool yes() const { return said == Said::kYes; }
};

struct Lease {
  std::int64_t id = 0;              // 0 = none
  std::chrono::milliseconds ttl{};  // as granted, which may be more than was asked for
};

// A value and the number that changes with it; number 0: the key is absent.
struct CoordinatorKey {
  std::string value;
  std::int64_t revision = 0;
  std::int64_t lease = 0;
};

struct CoordinatorKeys {
  CoordinatorKey leader;   // the replica_id of the node that holds it
  CoordinatorKey control;  // what operators asked for, JSON
  CoordinatorKey set;      // which nodes the set has, JSON; absent until it was changed once
};

class Coordinator {
 public:
  virtual ~Coordinator() = default;

  virtual CoordinatorAnswer grant(std::chrono::milliseconds ttl, Lease& granted) = 0;
  // kNo: the lease has ended.
  virtual CoordinatorAnswer renew(const Lease& lease) = 0;
  // Its keys go with it. kNo: it had ended before.
  virtual CoordinatorAnswer revoke(const Lease& lease) = 0;

  // All keys, as they are now: never from a copy that may be old.
  virtual CoordinatorAnswer read(CoordinatorKeys& keys) = 0;
  // Makes this node the holder if the leader key still has that revision; 0: if it is absent.
  // kNo: somebody was first, or the lease has ended.
  virtual CoordinatorAnswer take(const Lease& lease, std::int64_t revision) = 0;
  // Writes the control key, without a lease, if it still has that revision; 0: if it is absent.
  virtual CoordinatorAnswer set_control(const std::string& value, std::int64_t revision) = 0;
  // The same of the set's key.
  virtual CoordinatorAnswer put_set(const std::string& value, std::int64_t revision) = 0;

  virtual void cancel() = 0;
};

}  // namespace ha
