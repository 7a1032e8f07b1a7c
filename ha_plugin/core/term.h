// SPDX-License-Identifier: Apache-2.0
// What a node of a configured set must never forget, and the rules by which it changes its master.
//
// Nobody is elected here: a host, an operator or a coordinator says who is to be master. The rules
// make that safe. A candidate becomes master of an epoch only after enough nodes have promised it
// that epoch that every acknowledged byte is held by one of them, none of which is ahead of it. A
// promise is durable before it is given, goes to one candidate per epoch, and ends everything
// older: a node that gave it takes no bytes, sends no ack and completes no wait of an epoch below.
//
// With N nodes and waits for c copies, N - c + 1 promises meet every set of c copies in at least
// one node. That node has entered the epoch of the wait and holds its bytes, so its position is at
// least theirs; the candidate's is not below, so it holds them too. Where the set changes, a
// candidate needs that of the old nodes and of the new ones (members.h).
//
// The rules only decide: files and sockets are the caller's.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "ha_plugin/core/epoch_history.h"
#include "ha_plugin/core/members.h"
#include "ha_plugin/core/types.h"

namespace ha::core {

// A candidate or master whose epoch is this far above all that is known here is broken, or belongs
// to another cluster: the numbers must not run out because of it. A node that was away while
// its set had a change of master a minute may still come back after two years.
inline constexpr std::int64_t kMaxEpochJump = std::int64_t{1} << 20;

// The configured set and its default copies in words, the same for two nodes whenever their options
// mean the same: the rules count promises and copies against N and c, so they hold only among nodes
// that agree on both. Addresses are left out: nodes may know each other by different ones. "" = no
// set is configured.
std::string set_text(std::vector<std::string> ids, std::int64_t copies);
// Why two nodes may not take part in one set. who: whose set is which, such as "the slave's".
std::string sets_differ(const std::string& who, const std::string& set,
                        const std::string& other_who, const std::string& other_set);

// How far a log reaches: the epoch that it has entered last, then its end. Of two logs the one with
// the greater position holds whatever of the other was acknowledged.
struct Position {
  std::int64_t epoch = 0;
  Offset end;
  friend auto operator<=>(const Position&, const Position&) = default;
};

// Durable before anything that follows from it.
struct Term {
  std::int64_t promised = 0;  // nothing of an epoch below is taken, acknowledged or completed
  std::string promised_to;    // the one candidate, or master, of that epoch
  EpochHistory history;       // the epochs that this log has entered

  // The newest epoch that this node knows of.
  std::int64_t known() const;
  friend bool operator==(const Term&, const Term&) = default;
};

struct Prepare {
  enum class Mode : std::uint8_t {
    kAsk = 1,      // would you? Nothing is promised: a candidate that must fail disturbs nobody
    kPromise = 2,  // promise
    kForce = 3,    // promise, though you may hold more: an operator accepts the loss
    kSuspect = 4,  // as kAsk, and is the master gone for you too? Nobody who asks so is an operator
  };
  Mode mode = Mode::kAsk;
  std::int64_t epoch = 0;
  Position position;  // of the candidate's log
  std::string cluster;
  std::string candidate;
  std::string set = {};  // set_text of the candidate's
};

constexpr bool only_asks(Prepare::Mode mode) {
  return mode == Prepare::Mode::kAsk || mode == Prepare::Mode::kSuspect;
}

struct Promise {
  bool granted = false;
  bool master = false;            // the one who answers is master
  Reason reason = Reason::kNone;  // of a refusal
  std::int64_t known = 0;         // the newest epoch that the one who answers knows of
  Position position;              // of its log
  std::string id;                 // "" = the candidate is a stranger, to whom no name is told
  std::string text;               // of a refusal: one sentence
  std::string aside = {};         // the rest of it, for this node's own log only; never sent
};

// What the judging node is.
struct Voter {
  std::string cluster;
  std::string id;
  std::vector<std::string> replicas;  // the configured set
  Position position;
  bool master = false;
  std::string set = {};  // set_text of its own
  bool hears_master = false;
};

// What to answer. When granted and not only asked for: REQUIRES of the caller that promised_by is
// durable before the answer leaves.
Promise judge_prepare(const Prepare& prepare, const Term& term, const Voter& voter);

// "" or why the promise of an epoch to that candidate must not be given.
std::string check_candidate(std::int64_t epoch, const std::string& candidate, const Term& term,
                            const Voter& voter, Reason& reason);

// Did no node of the set ask for what was promised? Then it is a stranger's doing, or a broken
// file's, and no member of the set can ever be promised more.
bool is_promised_to_nobody(const Term& term, const std::vector<std::string>& replicas);
// "" or that it is so, and the way out: the end of a sentence that tells of it. A log that ends at
// log_end has no byte of an epoch that begins there. who: whose term it is, such as "the slave".
std::string how_to_forget(Term term, const std::vector<std::string>& replicas, Offset log_end,
                          const std::string& who);
// "" and term is without that promise, as if its log's newest epoch had been promised last; or why
// it stands. Nothing changes where that was not promised. An epoch that the log has entered without
// a byte of it goes too: a slave enters its master's at once. REQUIRES of the operator: all nodes
// of the set are stopped.
std::string forget_promise(Term& term, std::int64_t epoch, const std::vector<std::string>& replicas,
                           Offset log_end);
// "" or that a term has a number that is not an epoch.
std::string check_epochs(const Term& term);

// The term of a node that has promised that.
Term promised_by(const Term& term, std::int64_t epoch, const std::string& candidate);

// What a candidate heard of one other node.
struct Heard {
  std::string id;
  std::optional<Promise> promise;  // none = it did not answer
  std::string text;                // then: why
  bool nobody_listens = false;     // its machine says that no process has that port
};

struct Candidacy {
  std::string id;
  std::vector<MemberGroup> groups;  // N and c of each; it is one of all
  Position position;
  bool force = false;

  // How many nodes of a group must promise, the candidate included.
  std::int32_t needed(const MemberGroup& of) const { return force ? 1 : of.promises(); }
};

struct Verdict {
  Reason reason = Reason::kNone;  // kNone = go on
  std::string text;               // why not; or, with force, what may be lost
};

// After each of the two rounds, first asking, then promising. A candidate that is forced stops only
// before a newer epoch, or when no more nodes agree with its set than do not: neither is a matter
// of enough promises.
Verdict judge_round(const Candidacy& candidacy, const std::vector<Heard>& heard);

// The epoch to go for, above all that is known here and that was heard of; not above it where there
// is none.
std::int64_t next_epoch(const Term& term, const std::vector<Heard>& heard);

// Who of those is master of the newest epoch; nullptr = nobody that was heard of. Its time may be
// over; then the first node that comes to follow it says so. A master of another set does not
// count.
const Promise* master_among(const std::vector<Heard>& heard);

}  // namespace ha::core
