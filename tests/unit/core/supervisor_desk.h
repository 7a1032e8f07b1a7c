// SPDX-License-Identifier: Apache-2.0
// Node b of the set a, b, c, as its supervisor sees it: a test moves what it sees and what others
// answer.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <ostream>
#include <string>
#include <utility>

#include "ha_plugin/core/supervisor.h"

namespace ha::core {

inline void PrintTo(Step::Act act, std::ostream* out) {
  constexpr const char* kNames[] = {"wait",   "ask",       "take",     "campaign",
                                    "let go", "step back", "hand over"};
  *out << kNames[static_cast<int>(act)];
}

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;
using Act = Step::Act;

inline constexpr Time kTtl = seconds(3);
inline constexpr Time kSuspectAfter = seconds(1);
inline constexpr Time kMinute = seconds(60);

inline SupervisorRules rules_of(std::int32_t rank, std::int32_t priority = 100) {
  return {"b", rank, priority, true, true, true, kTtl, kSuspectAfter};
}

// Node b, a slave of a, which holds the key. The set is a, b, c.
struct Desk {
  Supervisor supervisor;
  Look look;
  LeaderView key;

  explicit Desk(SupervisorRules rules = rules_of(0)) : supervisor(std::move(rules)) {
    look.now = hours(5);  // the machine is up that long
    look.role = Role::kSlave;
    look.takes_part = true;
    look.master_silence = {};
    look.master = "a";
    look.chance = 500;
    key.known = true;
    key.holder = "a";
    EXPECT_EQ(act(), Act::kWait);
  }

  Act act() { return supervisor.step(look, key).act; }
  void pass(Time time) { look.now += time; }
  // Looks again whenever it wants to. Returns how long it has waited, at most that long.
  Time waits(Time most = kMinute) {
    const Time from = look.now;
    for (;;) {
      const Step step = supervisor.step(look, key);
      if (step.act != Act::kWait || look.now - from >= most) return look.now - from;
      EXPECT_GT(step.again, look.now);
      look.now = std::min(step.again, from + most);
    }
  }
  bool never_acts() { return waits() == kMinute && act() == Act::kWait; }

  void lose_link() { look.master_silence = kNever; }
  void hear_nothing() { look.master_silence = kSuspectAfter; }
  void held_by(const std::string& id) {
    key.holder = id;
    key.own = false;
  }
  void nobody_holds() { held_by(""); }
  // The others answer.
  void answer(bool may, bool master_gone = false) {
    supervisor.on_asked(look.now, {may, master_gone});
  }
  void renew() { supervisor.on_lease(look.now, kTtl); }
  void take() {
    renew();
    key.holder = "b";
    key.own = true;
    supervisor.on_taken(look.now, true);
  }
  void take_in_vain() { supervisor.on_taken(look.now, false); }
  void is(Role role) {
    look.role = role;
    look.master_silence = kNever;
    act();
  }
  void campaign() {
    supervisor.on_campaign();
    look.changing = true;
    is(Role::kNone);
  }
  void become(Role role) {
    look.changing = false;
    is(role);
  }
  void release() {
    supervisor.on_lease_lost();
    nobody_holds();
  }
};

inline Desk a_master(SupervisorRules rules = rules_of(0)) {
  Desk desk(std::move(rules));
  desk.lose_link();
  desk.nobody_holds();
  desk.take();
  desk.campaign();
  desk.become(Role::kMaster);
  return desk;
}

}  // namespace ha::core
