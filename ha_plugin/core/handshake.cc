#include "ha_plugin/core/handshake.h"

#include <algorithm>

namespace ha::core {
namespace {

constexpr std::size_t kMaxNameBytes = 63;  // as in the ABI's ha_replica_status.id

std::string text(Offset offset) { return std::to_string(offset.bytes()); }

std::string shown(const std::string& name) { return name.empty() ? "none" : "'" + name + "'"; }

Answer refuse(Reason reason, std::string why, const Acceptor& acceptor) {
  return {Decision::kRefuse, reason,           kNativeVersion, {},
          acceptor.log.min,  acceptor.log.end, acceptor.id,    std::move(why)};
}

Answer serve(Decision decision, Offset from, const Acceptor& acceptor) {
  return {decision,         Reason::kNone,    kNativeVersion, from,
          acceptor.log.min, acceptor.log.end, acceptor.id,    {}};
}

// Why the slave may not come in, whatever its log holds; nothing = it may.
std::optional<Answer> judge_identity(const Hello& hello, const Acceptor& acceptor) {
  const auto no = [&](Reason reason, std::string why) {
    return refuse(reason, std::move(why), acceptor);
  };
  if (hello.oldest_version > kNativeVersion || hello.newest_version < kNativeVersion) {
    return no(Reason::kVersion, "it speaks versions " + std::to_string(hello.oldest_version) +
                                    " to " + std::to_string(hello.newest_version) +
                                    ", this node version " + std::to_string(kNativeVersion));
  }
  if (hello.cluster != acceptor.cluster) {
    return no(Reason::kCluster, "its cluster is " + shown(hello.cluster) + ", this node's is " +
                                    shown(acceptor.cluster) + " (option 'cluster_id')");
  }
  if (!hello.replica.empty() && hello.replica == acceptor.id) {
    return no(Reason::kUnknownReplica, "its replica id is " + shown(hello.replica) +
                                           ", which is this node's own (option 'replica_id')");
  }
  const auto& known = acceptor.replicas;
  if (!known.empty() && std::find(known.begin(), known.end(), hello.replica) == known.end()) {
    return no(Reason::kUnknownReplica, "its replica id is " + shown(hello.replica) +
                                           ", which is not in this node's option 'replicas'");
  }
  if (hello.segment_size != acceptor.log.segment_size) {
    return no(Reason::kSegmentSize,
              "its segments have " + std::to_string(hello.segment_size) + " bytes, this node's " +
                  std::to_string(acceptor.log.segment_size) + ": give both the same segment size");
  }
  return std::nullopt;
}

}  // namespace

Offset tail_start(const LogBounds& slave, const Greeting& master) {
  if (slave.end > master.end) return slave.end;
  const Offset earliest = std::max(slave.min, master.min);
  return std::min(slave.end, std::max(earliest, slave.end + -kTailBytes));
}

Answer judge_hello(const Hello& hello, const Acceptor& acceptor, const HashOf& hash_of) {
  if (auto refused = judge_identity(hello, acceptor)) return *refused;
  const auto no = [&](Reason reason, std::string why) {
    return refuse(reason, std::move(why), acceptor);
  };
  const LogBounds& log = acceptor.log;
  // Whoever may name a longer tail could keep this node reading.
  if (hello.min < Offset(0) || hello.end < hello.min || hello.tail_start < hello.min ||
      hello.tail_start > hello.end || hello.end - hello.tail_start > kTailBytes) {
    return no(Reason::kProtocol, "its log's bounds contradict each other, or its tail is too long");
  }
  // A log that was just reset lies elsewhere than at 0 and goes on there.
  const bool fresh = hello.end == Offset(0);
  if (hello.end < log.min && hello.end > hello.min && acceptor.cluster.empty()) {
    return no(Reason::kRequestBelowMin,
              "its log ends at " + text(hello.end) + ", and what follows was deleted here, up to " +
                  text(log.min) +
                  ": empty its store to copy afresh (with option 'cluster_id' on "
                  "both nodes that is done without asking)");
  }
  if (fresh || hello.end < log.min) {
    const Offset from = bootstrap_start(log, acceptor.bootstrap);
    return serve(from == hello.end ? Decision::kResume : Decision::kReset, from, acceptor);
  }
  if (hello.end > log.end) {
    return no(Reason::kRequestAboveEnd,
              "its log ends at " + text(hello.end) + ", this node's at " + text(log.end) +
                  ": it holds what this node never had; empty its store to copy afresh");
  }
  if (hello.tail_start == hello.end) {
    if (hello.end > std::max(hello.min, log.min)) {
      return no(Reason::kProtocol, "it did not say what its log's last bytes are");
    }
    return serve(Decision::kResume, hello.end, acceptor);
  }
  if (hello.tail_start < log.min) {
    return no(Reason::kRequestBelowMin,
              "bytes that were to be compared are being deleted here; it may try again");
  }
  const std::optional<std::uint64_t> hash = hash_of(hello.tail_start, hello.end);
  if (!hash) {
    return no(Reason::kHostError, "this node cannot read its log from " + text(hello.tail_start) +
                                      " to " + text(hello.end));
  }
  if (*hash != hello.tail_hash) {
    return no(Reason::kDiverged, "the bytes from " + text(hello.tail_start) + " to " +
                                     text(hello.end) +
                                     " differ: the two logs parted there or before; empty its "
                                     "store to copy afresh");
  }
  return serve(Decision::kResume, hello.end, acceptor);
}

bool is_refusal(Reason reason) {
  switch (reason) {
    case Reason::kRequestBelowMin:
    case Reason::kRequestAboveEnd:
    case Reason::kSegmentSize:
    case Reason::kHostError:
    case Reason::kDiverged:
    case Reason::kProtocol:
    case Reason::kVersion:
    case Reason::kCluster:
    case Reason::kUnknownReplica:
    case Reason::kReplaced:
      return true;
    default:
      return false;
  }
}

std::string check_answer(const Answer& answer, const Hello& hello) {
  if (answer.decision == Decision::kRefuse) return "";
  if (answer.version != kNativeVersion) {
    return "it chose version " + std::to_string(answer.version);
  }
  if (answer.decision == Decision::kResume && answer.offset != hello.end) {
    return "it goes on at " + text(answer.offset) + ", but this log ends at " + text(hello.end);
  }
  if (answer.decision != Decision::kReset) return "";
  const std::string start = "it wants this log to start at " + text(answer.offset);
  if (answer.offset.bytes() % hello.segment_size != 0)
    return start + ", which is no segment's start";
  // Whatever is thrown away must have been deleted there before.
  if (answer.offset <= hello.end) return start + ", but it ends at " + text(hello.end);
  if (answer.offset < answer.min || answer.offset > answer.end) {
    return start + ", which is not in the master's log, " + text(answer.min) + " to " +
           text(answer.end);
  }
  if (hello.end > hello.min && hello.cluster.empty()) {
    return start + ", though it holds something and no cluster was named";
  }
  return "";
}

std::string check_name(const std::string& name) {
  if (name.size() > kMaxNameBytes) return "is longer than 63 bytes";
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  const auto fits = [&](char c) {
    return letter(c) || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
  };
  if (!name.empty() && !letter(name.front())) return "does not begin with a letter";
  if (!std::all_of(name.begin(), name.end(), fits)) {
    return "has other characters than letters, digits, '.', '_' and '-'";
  }
  return "";
}

}  // namespace ha::core
