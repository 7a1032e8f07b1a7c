// SPDX-License-Identifier: Apache-2.0
// When a node tries to become master, and when a master stops, without anybody who asks for it.
//
// A coordination engine keeps one key under a lease: its holder is the node that may try. The key
// picks a candidate and protects nothing. Promises do that (term.h): N - c + 1 of them and c acks
// meet in a node whatever the engine, its clock or ours say. So these rules may be wrong about who
// is alive, and then they cost a change of master; they cannot cost a message.
//
// A slave tries when it does not hear its master, no other node that answers hears it either, and
// either the key is gone or the master's machine says that its process is. The last is quick: it
// need not wait for the lease to end. It asks the others while the lease still runs, so that the
// answers are there when it ends.
//
// To lose the lease ends nobody's mastership. A master that enough nodes still acknowledge goes on,
// because none of them has promised another one. It steps back when it has neither the lease nor
// those acks: then it cannot know that it is the only one.
//
// The rules only decide. What they are told is in Look and LeaderView, what they want done is a
// Step, and what came of it is told by the on_ methods. Time is that of a clock that goes on while
// the machine sleeps, so a process that was stopped does not take an old lease for a good one.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <utility>

#include "ha_plugin/core/types.h"

namespace ha::core {

struct SupervisorRules {
  std::string id;
  std::int32_t rank = 0;        // the place of id in the set, from 0
  std::int32_t priority = 100;  // 0 = never master without an operator
  bool automatic = true;
  // Whether a master whose process is said to be gone may be replaced before its lease has ended.
  // What says so may be a firewall. Not where a master answers below policy for as long as it has
  // its lease.
  bool quick = true;
  // Whether a node needs another one's promise. Where it does not, to step back changes nothing.
  bool needs_promises = true;
  Time ttl{};
  Time suspect_after{};
};

// How long a master's slaves may be silent before it counts their copies as lost. A link that loses
// packets is silent for some round trips. If those are long, that may be longer than the ttl. A
// master that stepped back for it would close its links, and need longer to get them back.
// round_trip: as long as an answer may take.
Time copies_patience(Time ttl, Time round_trip);

// The longest of the last minute. A link that broke cannot be asked any more how slow its network
// was.
class LongestLately {
 public:
  void put(Time now, Time value) {
    if (value < longest_ && now - at_ < kRemembered) return;
    longest_ = value;
    at_ = now;
  }
  Time get() const { return longest_; }

 private:
  static constexpr Time kRemembered = std::chrono::minutes(1);
  Time longest_{};
  Time at_{};
};

// What a node sees of itself.
struct Look {
  Time now{};
  Role role = Role::kNone;
  bool changing = false;        // a change of role waits or is under way
  bool takes_part = false;      // the host wants it to have a role
  Time copies_patience{};       // of a master, what copies_patience() says of its links
  bool copies_answer = false;   // of a master: enough others acknowledged its epoch in that time
  Time master_silence{kNever};  // of a slave: since its master's last bytes; kNever = no link
  std::string master;           // whom this node promised to follow last
  std::int64_t chance = 0;      // 0 to 999, another one each time
};

// What the engine said last.
struct LeaderView {
  bool known = false;   // it said so lately
  std::string holder;   // "" = the key is not there
  bool own = false;     // this node holds it, by the lease that it has
  bool paused = false;  // operators want no change of master without them
  std::string wanted;   // the node that operators want as master
};

// What a round of questions came to.
struct AskedRound {
  bool may = false;          // enough nodes would promise, none holds more, none hears the master
  bool master_gone = false;  // the machine of Look::master answered that nobody listens there
};

struct Step {
  enum class Act : std::uint8_t {
    kWait,
    kAsk,       // ask the other nodes, promise nothing
    kTake,      // take the key as it was read, under a lease
    kCampaign,  // become master
    kRelease,   // give the key back
    kStepBack,  // stop being master, and ask everybody who is
    kHandOver,  // let the node that is wanted become master
  };
  Act act = Act::kWait;
  Time again{};          // of kWait: look again then at the latest
  const char* why = "";  // for people
};

class Supervisor {
 public:
  explicit Supervisor(SupervisorRules rules) : rules_(std::move(rules)) {}

  // Options may change while it runs.
  void set_rules(SupervisorRules rules) { rules_ = std::move(rules); }
  const SupervisorRules& rules() const { return rules_; }

  Step step(const Look& look, const LeaderView& key);

  // The lease was granted or renewed by a request that was sent then.
  void on_lease(Time sent, Time ttl);
  void on_lease_lost() { lease_until_ = {}; }
  // A renewal had no answer.
  void renew_later(Time at) { renew_at_ = at; }
  void on_asked(Time now, const AskedRound& round);
  void on_taken(Time now, bool taken);
  void on_campaign() { may_campaign_ = false; }
  void on_hand_over(Time now) { not_before_ = now + rules_.ttl; }

  // The lease may still be there.
  bool has_lease(Time now) const { return now < lease_until_; }
  // It is there, by the clocks of the engine and this node, even if those run apart by a tenth.
  Time sure_until() const;
  bool sure(Time now) const { return now < sure_until(); }
  // kNever = there is none to renew.
  Time renew_at() const { return renew_at_; }

 private:
  Step as_master(const Look& look, const LeaderView& key);
  Step as_slave(const Look& look, const LeaderView& key);
  Step as_candidate(const Look& look, const LeaderView& key);
  Step wait(const Look& look) const;
  bool may_try(const Look& look, const LeaderView& key) const;
  Time patience(const LeaderView& key) const;
  void back_off(Time now, std::int64_t chance);
  void forget_candidacy();
  void on_master(const Look& look, const std::string& master);

  SupervisorRules rules_;
  Time lease_until_{};
  Time lease_ttl_{};
  Time renew_at_{kNever};
  Role role_ = Role::kNone;
  Time role_since_{};
  std::string followed_;         // the last master that was heard, or that this node was
  Time followed_since_{kNever};  // kNever = since this node is up
  Time alone_since_{kNever};     // a slave that does not hear its master
  Time not_before_{};            // the next question, after one that was answered with no
  Time back_off_{};
  Time asked_at_{kNever};  // a round said yes
  AskedRound asked_;
  Time useful_{};              // the key was taken, or this node was master, last
  bool was_absent_ = false;    // the key, when this node last looked as a slave
  bool had_link_ = false;      // then
  bool may_campaign_ = false;  // the key was taken to become master, and it was not tried yet
  std::int64_t chance_ = 0;
};

}  // namespace ha::core
