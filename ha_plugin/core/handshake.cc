// SPDX-License-Identifier: Apache-2.0
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

// To somebody who is not known to belong here: no name, and nothing of the log.
Answer refuse_stranger(Reason reason, std::string why, std::string aside = {}) {
  return {Decision::kRefuse, reason,          kNativeVersion, {}, {}, {}, {},
          std::move(why),    std::move(aside)};
}

// Why the slave may not come in, whatever its log holds; nothing = it may.
std::optional<Answer> judge_identity(const Hello& hello, const Acceptor& acceptor) {
  const auto no = [&](Reason reason, std::string why) {
    return refuse(reason, std::move(why), acceptor);
  };
  if (std::string wrong = check_version("the slave", hello.oldest_version, hello.newest_version);
      !wrong.empty()) {
    return refuse_stranger(Reason::kVersion, std::move(wrong));
  }
  if (hello.cluster != acceptor.cluster) {
    return refuse_stranger(
        Reason::kCluster, "the slave is of another cluster than the master (option 'cluster_id')",
        ": its is " + shown(hello.cluster) + ", the master's " + shown(acceptor.cluster));
  }
  if (!hello.replica.empty() && hello.replica == acceptor.id) {
    return no(Reason::kUnknownReplica, "the slave's replica id is " + shown(hello.replica) +
                                           ", which is the master's own (option 'replica_id')");
  }
  const auto& known = acceptor.replicas;
  if (!known.empty() && std::find(known.begin(), known.end(), hello.replica) == known.end()) {
    return refuse_stranger(Reason::kUnknownReplica,
                           "the slave's replica id is " + shown(hello.replica) +
                               ", which is not in the master's option 'replicas'");
  }
  if (!may_lead(acceptor.set, hello.set)) {
    return no(Reason::kSetDiffers,
              sets_differ("the slave's", hello.set, "the master's", acceptor.set));
  }
  if (hello.segment_size != acceptor.log.segment_size) {
    return no(Reason::kSegmentSize,
              "the slave's segments have " + std::to_string(hello.segment_size) +
                  " bytes, the master's " + std::to_string(acceptor.log.segment_size) +
                  ": give both the same segment size");
  }
  return std::nullopt;
}

// Nodes of a configured set follow its master only, and no master whose time is over.
std::optional<Answer> judge_epoch(const Hello& hello, const Acceptor& acceptor) {
  if (!acceptor.keeps_epochs) return std::nullopt;
  if (acceptor.epoch == 0) {
    return refuse(Reason::kNotServing, "the node that was asked is not master", acceptor);
  }
  const bool to_another = hello.promised == acceptor.epoch && hello.promised_to != acceptor.id;
  if (hello.promised <= acceptor.epoch && !to_another) return std::nullopt;
  return refuse(Reason::kEpoch,
                "the slave has promised epoch " + std::to_string(hello.promised) + " to " +
                    shown(hello.promised_to) + "; the master's epoch is " +
                    std::to_string(acceptor.epoch),
                acceptor);
}

// Are the last bytes of what must be the same really the same?
std::optional<Answer> judge_tail(const Hello& hello, const Acceptor& acceptor,
                                 const HashOf& hash_of) {
  const auto no = [&](Reason reason, std::string why) {
    return refuse(reason, std::move(why), acceptor);
  };
  if (hello.tail_start == hello.tail_end) {
    if (hello.tail_end <= std::max(hello.min, acceptor.log.min)) return std::nullopt;
    return no(Reason::kProtocol, "the slave did not say what its log's last bytes are");
  }
  if (hello.tail_start < acceptor.log.min) {
    return no(Reason::kRequestBelowMin,
              "the master is deleting bytes that were to be compared; the slave may try again");
  }
  const std::optional<std::uint64_t> hash = hash_of(hello.tail_start, hello.tail_end);
  const std::string range = text(hello.tail_start) + " to " + text(hello.tail_end);
  if (!hash) return no(Reason::kHostError, "the master cannot read its log from " + range);
  if (*hash == hello.tail_hash) return std::nullopt;
  return no(Reason::kDiverged, "the bytes from " + range +
                                   " differ: the two logs parted there or before; empty the "
                                   "slave's store to copy from scratch");
}

}  // namespace

bool speaks_our_version(std::uint16_t oldest, std::uint16_t newest) {
  return oldest <= kNativeVersion && newest >= kNativeVersion;
}

std::string check_version(const std::string& who, std::uint16_t oldest, std::uint16_t newest) {
  if (speaks_our_version(oldest, newest)) return "";
  return who + " speaks versions " + std::to_string(oldest) + " to " + std::to_string(newest) +
         " of the native protocol, the other side version " + std::to_string(kNativeVersion) +
         ": run the same release on both";
}

Offset common_end(const EpochHistory& slave, Offset slave_end, const EpochHistory& master,
                  Offset master_end) {
  const auto proven = find_consistent_point(slave, slave_end, master, master_end);
  return proven ? *proven
                : std::min(end_of_epoch_0(slave, slave_end), end_of_epoch_0(master, master_end));
}

std::optional<EpochHistory> told_history(const std::vector<EpochEntry>& entries, Offset end) {
  EpochHistory history;
  if (entries.size() > kMostEpochsTold) return std::nullopt;
  for (const EpochEntry& entry : entries) {
    if (entry.epoch < 1 || entry.start > end || !history.append(entry)) return std::nullopt;
  }
  return history;
}

std::vector<EpochEntry> history_to_tell(const EpochHistory& history) {
  const auto& all = history.entries();
  return {all.size() > kMostEpochsTold ? all.end() - kMostEpochsTold : all.begin(), all.end()};
}

std::string plan_tail(const LogBounds& slave, const Term& term, const Greeting& master,
                      Hello& hello) {
  const auto told = told_history(master.history, master.end);
  if (!told || (master.epoch != 0 && told->last_epoch() != master.epoch)) {
    return "its epochs do not rise, begin beyond its end, " + text(master.end) +
           ", or are not those of a master of epoch " + std::to_string(master.epoch);
  }
  const Offset common = common_end(term.history, slave.end, *told, master.end);
  hello.tail_end = std::max(common, slave.min);
  const Offset earliest = std::max(slave.min, master.min);
  hello.tail_start = std::min(hello.tail_end, std::max(earliest, hello.tail_end + -kTailBytes));
  return "";
}

Answer judge_hello(const Hello& hello, const Acceptor& acceptor, const HashOf& hash_of) {
  if (auto refused = judge_identity(hello, acceptor)) return *refused;
  if (auto refused = judge_epoch(hello, acceptor)) return *refused;
  const auto no = [&](Reason reason, std::string why) {
    return refuse(reason, std::move(why), acceptor);
  };
  const LogBounds& log = acceptor.log;
  const auto told = told_history(hello.history, hello.end);
  // A slave that named a longer tail could keep this node reading.
  if (hello.min < Offset(0) || hello.end < hello.min || hello.tail_start < hello.min ||
      hello.tail_start > hello.tail_end || hello.tail_end > hello.end ||
      hello.tail_end - hello.tail_start > kTailBytes || !told) {
    return no(
        Reason::kProtocol,
        "the bounds or epochs of the slave's log contradict each other, or its tail is too long");
  }
  if (hello.end < log.min && hello.end > hello.min && acceptor.cluster.empty()) {
    return no(
        Reason::kRequestBelowMin,
        "the slave's log ends at " + text(hello.end) +
            ", and the master has deleted what follows, up to " + text(log.min) +
            ": empty the slave's store to copy from scratch (with option 'cluster_id' on both "
            "nodes that is done without asking)");
  }
  // A log that was just reset holds nothing, lies elsewhere than at 0 and goes on there.
  const bool empty = hello.end == hello.min;
  if (empty && hello.end > Offset(0) && hello.end >= log.min && hello.end <= log.end) {
    return serve(Decision::kResume, hello.end, acceptor);
  }
  if (empty || hello.end < log.min) {
    // A slave that may be promoted, and counts as a copy, must hold all that was acknowledged.
    const Offset from =
        bootstrap_start(log, acceptor.keeps_epochs ? Bootstrap::kEarliest : acceptor.bootstrap);
    return serve(from == hello.end ? Decision::kResume : Decision::kReset, from, acceptor);
  }
  if (hello.end > log.end && !acceptor.keeps_epochs) {
    return no(
        Reason::kRequestAboveEnd,
        "the slave's log ends at " + text(hello.end) + ", the master's at " + text(log.end) +
            ": the slave holds what the master never had; empty its store to copy from scratch");
  }
  const Offset common = common_end(*told, hello.end, acceptor.term.history, log.end);
  if (common < hello.end && (common < hello.min || common < log.min)) {
    return no(
        Reason::kDiverged,
        "the two logs are the same only below " + text(common) +
            ", which one of them no longer holds; empty the slave's store to copy from scratch");
  }
  if (hello.tail_end != common) {
    return no(Reason::kProtocol, "the slave's tail ends at " + text(hello.tail_end) +
                                     ", and the two histories say " + text(common));
  }
  if (auto refused = judge_tail(hello, acceptor, hash_of)) return *refused;
  return serve(common == hello.end ? Decision::kResume : Decision::kTruncate, common, acceptor);
}

std::string check_told_promise(const Hello& hello, const Term& term, const Voter& voter,
                               Reason& reason) {
  Voter self = voter;
  // It may have left the set since it was promised that.
  if (version_of(voter.set) > 0) self.replicas.push_back(hello.promised_to);
  return check_candidate(std::max(hello.promised, epoch_above(term.known())), hello.promised_to,
                         term, self, reason);
}

Refusal check_master(std::int64_t epoch, const std::string& master, const Term& term,
                     const Expected& expected) {
  const auto& all = expected.replicas;
  if (master == expected.id || std::find(all.begin(), all.end(), master) == all.end()) {
    return {Reason::kUnknownReplica,
            "the master calls itself " + shown(master) +
                ", which is not another node of the slave's option 'replicas': see what listens at "
                "that address"};
  }
  if (!expected.dialled.empty() && master != expected.dialled) {
    return {Reason::kUnknownReplica,
            "the master calls itself " + shown(master) +
                ", and the slave's option 'replicas' gives that address to '" + expected.dialled +
                "': correct the option, or see what listens there"};
  }
  const std::int64_t known = term.known();
  const std::string forget = how_to_forget(term, all, expected.log_end, "the slave");
  const std::string who = "'" + master + "' is master of epoch " + std::to_string(epoch);
  if (epoch > epoch_above(known, expected.max_jump)) {
    return {Reason::kEpoch, who + ", more than " + std::to_string(expected.max_jump) + " above " +
                                std::to_string(known) +
                                ", the newest that the slave knows of; if the set really has that "
                                "epoch, set option 'max_epoch_jump' of the slave to " +
                                std::to_string(epoch - known)};
  }
  if (epoch < known) {
    return {Reason::kEpoch,
            who + "; the slave has promised or holds epoch " + std::to_string(known) + forget};
  }
  if (epoch == term.promised && master != term.promised_to) {
    return {Reason::kEpoch,
            who + ", which the slave has promised to '" + term.promised_to + "'" + forget};
  }
  return {};
}

Term term_as_slave(const Term& term, const Greeting& greeting, const std::string& master,
                   const EpochHistory& told, Offset min, Offset end) {
  Term out = term;
  if (greeting.epoch > out.promised) {
    out.promised = greeting.epoch;
    out.promised_to = master;
  }
  // Up to end the two logs are the same, so what this node knows of older epochs is true of both.
  // The master forgets those whose bytes it has deleted; a third node may still need them of this
  // one.
  if (min == end) out.history = {};
  out.history.truncate_suffix(told.empty() ? end : std::min(end, told.entries().front().start));
  const EpochHistory entered = told.entered_by(end);
  for (const EpochEntry& entry : entered.entries()) out.history.append(entry);
  out.history.truncate_prefix(min);
  return out;
}

std::string check_answer(const Answer& answer, const Hello& hello, const Greeting& greeting) {
  if (answer.decision == Decision::kRefuse) return "";
  if (answer.version != kNativeVersion) {
    return "it chose version " + std::to_string(answer.version);
  }
  if (!may_lead(greeting.set, hello.set)) {
    return "it takes this slave, though " +
           sets_differ("the slave's", hello.set, "the master's", greeting.set);
  }
  if (answer.decision == Decision::kResume && answer.offset != hello.end) {
    return "it goes on at " + text(answer.offset) + ", but this log ends at " + text(hello.end);
  }
  if (answer.decision == Decision::kResume && hello.end != hello.tail_end) {
    return "it goes on at " + text(answer.offset) + ", but the two logs part at " +
           text(hello.tail_end);
  }
  if (answer.decision == Decision::kTruncate &&
      (answer.offset != hello.tail_end || answer.offset >= hello.end || greeting.epoch == 0)) {
    return "it wants this log cut to " + text(answer.offset) + "; it ends at " + text(hello.end) +
           ", and the two histories part at " + text(hello.tail_end);
  }
  if (answer.decision != Decision::kReset) return "";
  const std::string start = "it wants this log to start at " + text(answer.offset);
  if (answer.offset.bytes() % hello.segment_size != 0)
    return start + ", which is not the start of a segment";
  // Whatever is thrown away must have been deleted there before.
  if (answer.offset <= hello.end && hello.end > hello.min)
    return start + ", but it ends at " + text(hello.end);
  if (answer.offset < answer.min || answer.offset > answer.end) {
    return start + ", which is not in the master's log, " + text(answer.min) + " to " +
           text(answer.end);
  }
  if (hello.end > hello.min && hello.cluster.empty()) {
    return start + ", though it holds something and no cluster was named";
  }
  return "";
}

std::string check_reset(const Answer& answer, const Hello& hello, Offset confirmed) {
  if (hello.end == hello.min || confirmed <= hello.min) return "";
  return "the master has deleted what follows the slave's log, which ends at " + text(hello.end) +
         ", and wants it emptied, to go on at " + text(answer.offset) +
         "; it holds confirmed bytes, up to " + text(std::min(confirmed, hello.end)) +
         ", so one node's word is not enough: empty the slave's store to copy from scratch, or set "
         "its option 'allow_unsafe_truncation' to 'true'";
}

std::string check_upstream(const Upstream& master, std::uint64_t incarnation) {
  const auto& way = master.incarnations;
  const auto at = std::find(way.begin(), way.end(), incarnation) - way.begin();
  if (at == static_cast<std::ptrdiff_t>(way.size())) return "";
  if (at == 0) return "the master there is this node itself (give the address of its master)";
  return "the node there follows this one" +
         (at == 1 ? std::string() : ", over " + std::to_string(at - 1) + " more") +
         ": a circle of slaves has no master (let one of them follow the master)";
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
