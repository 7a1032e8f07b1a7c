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
#include "ha_plugin/core/types.h"

namespace ha::core {

inline constexpr std::uint16_t kNativeVersion = 1;

// So much of the end of two logs is compared before one goes on where the other stands. Two logs
// that went apart differ in their newest records; 1 MiB is read and hashed in under a millisecond.
inline constexpr std::int64_t kTailBytes = std::int64_t{1} << 20;

// The master's first words: what it speaks, and where its log lies.
struct Greeting {
  std::uint16_t oldest_version = kNativeVersion;
  std::uint16_t newest_version = kNativeVersion;
  Offset min;
  Offset end;
};

struct Hello {
  std::uint16_t oldest_version = kNativeVersion;
  std::uint16_t newest_version = kNativeVersion;
  std::uint64_t incarnation = 0;  // higher at each start of the node
  std::int64_t segment_size = 0;
  Offset min;
  Offset end;
  Offset tail_start;            // the hash is of [tail_start, end); tail_start == end: of nothing
  std::uint64_t tail_hash = 0;  // XXH3-64
  std::string cluster;
  std::string replica;  // "" = it has no name
};

enum class Decision : std::uint8_t {
  kResume = 1,  // go on at the slave's end
  kReset = 2,   // empty the log and start at the offset
  kRefuse = 3,
};

struct Answer {
  Decision decision = Decision::kRefuse;
  Reason reason = Reason::kNone;  // of a refusal
  std::uint16_t version = kNativeVersion;
  Offset offset;  // where the first byte will come from
  Offset min;     // of the master's log
  Offset end;
  std::string master;  // its replica id
  std::string text;    // of a refusal: one sentence
};

// What the judging node is and holds.
struct Acceptor {
  std::string cluster;
  std::string id;                     // "" = it has no name
  std::vector<std::string> replicas;  // the configured set; empty = anybody
  LogBounds log;
  Bootstrap bootstrap = Bootstrap::kLatestSegment;
};

// Where the slave's tail begins, given the greeting; its end when nothing is in common.
Offset tail_start(const LogBounds& slave, const Greeting& master);

// The hash of [begin, end) of the judging node's log; nothing when it cannot be read.
using HashOf = std::function<std::optional<std::uint64_t>(Offset begin, Offset end)>;

Answer judge_hello(const Hello& hello, const Acceptor& acceptor, const HashOf& hash_of);

// May a refusal have this reason? Others are about this side of a connection.
bool is_refusal(Reason reason);

// What is wrong with an answer, given what was said; "" = nothing.
std::string check_answer(const Answer& answer, const Hello& hello);

// "" or what is wrong with a cluster's or replica's name. Never one that looks like an address,
// which is what nameless replicas are called.
std::string check_name(const std::string& name);

}  // namespace ha::core
