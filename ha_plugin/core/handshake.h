// SPDX-License-Identifier: Apache-2.0
// How two nodes of our own kind meet: what a slave says of itself, and what its master makes of it.
//
// RocketMQ's slave says one number and is believed. Here a slave names its cluster, itself, its
// log's bounds and a hash of its log's last bytes, and the master answers with one decision before
// the first byte is sent and before any ack of that slave can count.
//
// The rules only decide; sockets, files and hashes are the caller's.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "ha_plugin/core/replica_session.h"
#include "ha_plugin/core/term.h"
#include "ha_plugin/core/types.h"

namespace ha::core {

inline constexpr std::uint16_t kNativeVersion = 2;

// So much of the end of two logs is compared before one goes on where the other stands. Two logs
// that went apart differ in their newest records; 1 MiB is read and hashed in under a millisecond.
inline constexpr std::int64_t kTailBytes = std::int64_t{1} << 20;

// So many epochs are told at most, the newest: 64 KiB of them, and each is a change of master.
inline constexpr std::size_t kMostEpochsTold = 512;

// The master's first words: what it speaks, where its log lies, and who wrote it.
struct Greeting {
  std::uint16_t oldest_version = kNativeVersion;
  std::uint16_t newest_version = kNativeVersion;
  Offset min;
  Offset end;
  std::int64_t epoch = 0;  // of which it is master; 0 = it is none, or its nodes keep no epochs
  std::vector<EpochEntry> history = {};
  std::string set = {};  // set_text
};

// How far it is from a node to where its log comes from, where nodes keep no epochs and slaves may
// have slaves. A node that finds itself on the way follows itself.
struct Upstream {
  enum class Root : std::uint8_t {
    kUnknown = 0,  // the way goes on where nobody tells it, such as to a RocketMQ broker
    kMaster = 1,   // the last one is master
    kNobody = 2,   // the last one is not master and has no master
  };
  Root root = Root::kUnknown;
  std::vector<std::uint64_t> incarnations = {};  // the node's own, its master's, that one's...

  friend bool operator==(const Upstream&, const Upstream&) = default;
};

// The nearest ones, at most this many. Nobody means to build a longer chain.
inline constexpr std::size_t kMostUpstream = 64;

struct Hello {
  std::uint16_t oldest_version = kNativeVersion;
  std::uint16_t newest_version = kNativeVersion;
  std::uint64_t incarnation = 0;  // higher at each start of the node
  std::int64_t segment_size = 0;
  Offset min;
  Offset end;
  Offset tail_start;            // the hash is of [tail_start, tail_end), which may be nothing
  Offset tail_end;              // up to where both histories say that the logs are the same
  std::uint64_t tail_hash = 0;  // XXH3-64
  std::int64_t promised = 0;    // it takes nothing of an epoch below
  std::string promised_to;
  std::string cluster;
  std::string replica;  // "" = it has no name
  std::vector<EpochEntry> history = {};
  std::string set = {};  // set_text
};

enum class Decision : std::uint8_t {
  kResume = 1,  // go on at the slave's end
  kReset = 2,   // empty the log and start at the offset
  kRefuse = 3,
  kTruncate = 4,  // cut the log to the offset, where the histories part, and go on there
};

struct Answer {
  Decision decision = Decision::kRefuse;
  Reason reason = Reason::kNone;  // of a refusal
  std::uint16_t version = kNativeVersion;
  Offset offset;  // where the first byte will come from
  Offset min;     // of the master's log
  Offset end;
  std::string master;      // its replica id; "" also where the slave is a stranger
  std::string text;        // of a refusal: one sentence
  std::string aside = {};  // the rest of it, for this node's own log only; never sent
};

// What the judging node is and holds.
struct Acceptor {
  std::string cluster;
  std::string id;                     // "" = it has no name
  std::vector<std::string> replicas;  // the configured set; empty = anybody
  LogBounds log;
  Bootstrap bootstrap = Bootstrap::kLatestSegment;
  bool keeps_epochs = false;  // nodes of a configured set do
  std::int64_t epoch = 0;     // of which it is master; 0 = it is none
  Term term = {};
  std::string set = {};  // set_text
};

// Do the two sides have a version of the protocol in common?
bool speaks_our_version(std::uint16_t oldest, std::uint16_t newest);
// "" or that they have none. who: such as "the master".
std::string check_version(const std::string& who, std::uint16_t oldest, std::uint16_t newest);

// Up to where two logs are the same as far as their histories prove it: the smaller end of the
// newest epoch that both have entered. Without one, where what has no epoch ends in either.
Offset common_end(const EpochHistory& slave, Offset slave_end, const EpochHistory& master,
                  Offset master_end);

// A history as a peer told it; none when its entries do not rise, begin below 0 or beyond end, or
// are too many.
std::optional<EpochHistory> told_history(const std::vector<EpochEntry>& entries, Offset end);
// What a node tells of its own.
std::vector<EpochEntry> history_to_tell(const EpochHistory& history);

// What a slave with that log and term says of its tail, given a greeting: sets tail_start and
// tail_end. "" or what is wrong with the greeting.
std::string plan_tail(const LogBounds& slave, const Term& term, const Greeting& master,
                      Hello& hello);

// The hash of [begin, end) of the judging node's log; nothing when it cannot be read.
using HashOf = std::function<std::optional<std::uint64_t>(Offset begin, Offset end)>;

Answer judge_hello(const Hello& hello, const Acceptor& acceptor, const HashOf& hash_of);

// May a refusal have this reason? The others are about the slave's own side of a connection.
constexpr bool is_refusal(Reason reason) { return is_of_kind(reason, lists::kRefusal); }

// What is wrong with an answer, given what was said; "" = nothing.
std::string check_answer(const Answer& answer, const Hello& hello, const Greeting& greeting);

// "" or why a slave of a set does not empty its log, though its master has deleted what it would go
// on with. Below confirmed lies what enough copies held, and this log may be one of them: one
// node's word is not enough to throw it away, be that node the master.
std::string check_reset(const Answer& answer, const Hello& hello, Offset confirmed);

// A slave says in its HELLO that it has promised the master's epoch, or a newer one, to another
// node, and so will not follow it any more. "" or why the master should not believe that. If it
// does, it is master no longer, and asks all nodes again: it finds the other one, or takes an epoch
// above both.
std::string check_told_promise(const Hello& hello, const Term& term, const Voter& voter,
                               Reason& reason);

// Whom a slave believes to be its master.
struct Expected {
  std::string id;                     // the slave's own
  std::vector<std::string> replicas;  // the configured set
  std::string dialled;                // whose address was dialled; "" = it is in no row of the set
  Offset log_end = {};                // the slave's
  std::int64_t max_jump = kMaxEpochJump;
};

// Why a slave must not follow that master, if it must not: it is not the node of the set that was
// dialled, its epoch cannot be, its time is over, or the slave has promised its epoch to another. A
// slave that follows has promised that epoch, so what a stranger says here would bind the set. (Two
// candidates may both win one epoch when half of the nodes are enough. That is harmless as long as
// no slave serves both: a slave that acknowledges for one has no promise for the other.)
Refusal check_master(std::int64_t epoch, const std::string& master, const Term& term,
                     const Expected& expected);

// The term of a slave whose log ends at end from now on, once it follows a master that greeted like
// this: it has entered all of the master's epochs that begin at end or below, and takes nothing
// older than the master. Of older epochs it knows what it knew. REQUIRES of the caller: durable
// before the first byte beyond is stored and before the next ack.
Term term_as_slave(const Term& term, const Greeting& greeting, const std::string& master,
                   const EpochHistory& told, Offset min, Offset end);

// "" or why a node with that incarnation must not follow a master with that upstream.
std::string check_upstream(const Upstream& master, std::uint64_t incarnation);

// "" or what is wrong with a cluster's or replica's name. Never one that looks like an address,
// which is what nameless replicas are called.
std::string check_name(const std::string& name);

}  // namespace ha::core
