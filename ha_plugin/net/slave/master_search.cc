// SPDX-License-Identifier: Apache-2.0
#include "ha_plugin/net/slave/master_search.h"

#include <utility>

#include "ha_plugin/core/follower.h"
#include "ha_plugin/core/handshake.h"

namespace ha::net {

using core::Reason;

namespace {

// A node of a set that is not master yet is asked this often before another one is; by then it has
// had a second.
constexpr int kPatience = 5;

constexpr int kRefusalHint = 3;

}  // namespace

void MasterSearch::begin(std::vector<Address> candidates) {
  candidates_ = std::move(candidates);
  tries_ = 0;
  waited_ = 0;
  gave_up_ = false;
  closed_first_in_a_row_ = 0;
  backoff_.reset();
  refused_by_ = {};
}

void MasterSearch::change(std::vector<Address> candidates) {
  candidates_ = std::move(candidates);
  tries_ = 0;
}

MasterSearch::Retry MasterSearch::on_end(Reason reason, core::Time longest, bool answered) {
  gave_up_ = core::is_final(reason);
  if (gave_up_) return {.give_up = true};
  // The one that was named is about to become master, or says who it is not soon enough. When it
  // becomes master it closes all connections.
  const bool not_yet = reason == Reason::kNotServing ||
                       (answered && (reason == Reason::kPeerClosed || reason == Reason::kNetwork));
  const bool about_to_be = not_yet && tries_ == 0 && ++waited_ < kPatience;
  if (!about_to_be) ++tries_;
  // Where there are others to try, a node that is not master is no reason to wait long.
  const bool wrong_node = reason == Reason::kNotServing || reason == Reason::kEpoch ||
                          reason == Reason::kTls || reason == Reason::kIdentity ||
                          reason == Reason::kSetDiffers;
  const bool patient = core::is_up_to_the_master(reason) && !(wrong_node && candidates_.size() > 1);
  return {.patient = patient, .pause = patient ? longest : backoff_.next(random_(), longest)};
}

bool MasterSearch::looks_refused(bool closed_first) {
  closed_first_in_a_row_ = closed_first ? closed_first_in_a_row_ + 1 : 0;
  return closed_first_in_a_row_ >= kRefusalHint;
}

bool MasterSearch::says_more(Reason reason) {
  const bool no_master = reason == Reason::kNotServing || reason == Reason::kEpoch;
  const bool refusal = !no_master && (core::is_refusal(reason) || core::is_final(reason) ||
                                      core::is_up_to_the_master(reason));
  if (!refusal && refused() && refused_by_.text() != next().text()) return false;
  refused_by_ = refusal ? next() : Address{};
  return true;
}

}  // namespace ha::net
