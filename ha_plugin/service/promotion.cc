// SPDX-License-Identifier: Apache-2.0
#include "ha_plugin/service/promotion.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "ha_plugin/core/assert.h"
#include "ha_plugin/net/candidate/campaign.h"

namespace ha {

using core::Heard;
using core::Prepare;
using core::Reason;
using core::Status;

namespace {

// A node that starts as master asks again this often until enough others are there.
constexpr auto kAskAgain = std::chrono::milliseconds(500);

}  // namespace

const net::Address& address_of(const std::vector<ReplicaList::Node>& nodes, const std::string& id) {
  const auto node = std::ranges::find(nodes, id, &ReplicaList::Node::id);
  HA_ASSERT(node != nodes.end());
  return node->address;
}

Promotion::Promotion(const NodeParts& parts, RoleChanges& changes, const RoleChange& change,
                     std::function<bool()> given_up)
    : parts_(parts), changes_(changes), change_(change), given_up_(std::move(given_up)) {}

Promotion::Result Promotion::run() {
  std::string said;
  for (;;) {
    Result result;
    try {
      result = try_to_win();
    } catch (const std::exception& e) {  // no descriptors for the sockets, mostly
      result = Lost{Reason::kHostError,
                    {Status::kIo, std::string("cannot ask the other nodes: ") + e.what()}};
    }
    const Lost* lost = std::get_if<Lost>(&result);
    if (lost == nullptr || !change_.keep_trying) return result;
    if (lost->why.text != said) {
      said = lost->why.text;
      parts_.host.warn("not master yet, asking again: " + said);
    }
    if (changes_.wait_for_another(kAskAgain)) return result;
  }
}

Promotion::Result Promotion::try_to_win() {
  look_at_this_node();
  // Another node is master, and may let this one in again.
  if (!counts_ && change_.keep_trying) return Follow{};
  if (!counts_) {
    return Lost{Reason::kUnknownReplica,
                {Status::kConflict, fmt::format("this node, '{}', does not count in its set, {}",
                                                candidacy_.id, prepare_.set)}};
  }
  if (auto end = ask()) return *std::move(end);
  // Before anybody else promises it: a candidate that forgot could go for the same epoch twice.
  if (auto lost = promise_to_self()) return *std::move(lost);
  if (auto lost = collect_promises()) return *std::move(lost);
  return enter();
}

std::int64_t Promotion::newest_epoch_elsewhere() {
  look_at_this_node();
  std::int64_t newest = 0;
  for (const Heard& one : send(Prepare::Mode::kAsk, SIZE_MAX)) {
    if (one.promise) newest = std::max(newest, one.promise->known);
  }
  return newest;
}

core::AskedRound Promotion::ask_whether_gone(std::string& why) {
  look_at_this_node();
  const auto heard = send(Prepare::Mode::kSuspect, enough());
  core::Verdict verdict = core::judge_round(candidacy_, heard);
  why = std::move(verdict.text);
  const bool gone = std::ranges::any_of(heard, [this](const Heard& one) {
    return one.id == term_.promised_to && one.nobody_listens;
  });
  return {verdict.reason == Reason::kNone, gone};
}

std::vector<std::string> Promotion::answered() const {
  std::vector<std::string> ids;
  for (const ReplicaList::Node& node : voters_) ids.push_back(node.id);
  return ids;
}

void Promotion::look_at_this_node() {
  parts_.io.run_sync([this] {
    const Settings& settings = parts_.settings;
    const core::Members set = settings.members();
    ids_ = settings.replicas.ids();
    others_ = settings.replicas.without(settings.replica_id);
    voters_ = others_;
    std::erase_if(voters_, [&](const ReplicaList::Node& node) {
      const auto& ask = change_.ask;
      return !set.counts(node.id) || (!ask.empty() && std::ranges::find(ask, node.id) == ask.end());
    });
    const core::LogBounds& log = parts_.bounds.read();
    parts_.terms.trim(log.min, log.end);
    term_ = parts_.terms.current();
    candidacy_ = {settings.replica_id, set.groups(), parts_.terms.position(log.end), change_.force};
    prepare_ = {Prepare::Mode::kAsk, std::max(core::epoch_above(term_.known()), change_.epoch),
                candidacy_.position, settings.cluster_id,
                settings.replica_id, set.text()};
    counts_ = set.counts(settings.replica_id);
    // Who wrote the set was master of that epoch, though nobody else may have told this node.
    least_epoch_ = core::epoch_above(set.epoch);
    timeout_ = std::chrono::milliseconds(settings.prepare_timeout_ms);
  });
}

std::optional<Promotion::Result> Promotion::ask() {
  // A node that starts wants to know who is master; one that is told to be it wants promises.
  const auto heard = send(Prepare::Mode::kAsk, change_.keep_trying ? SIZE_MAX : enough());
  if (const core::Promise* master = core::master_among(heard);
      master != nullptr && change_.keep_trying) {
    parts_.host.info(fmt::format("'{}' is master; this node follows it", master->id));
    return Follow{address_of(others_, master->id)};
  }
  if (auto lost = judge(heard)) return *std::move(lost);
  prepare_.epoch = std::max({core::next_epoch(term_, heard), change_.epoch, least_epoch_});
  if (prepare_.epoch > term_.known()) return std::nullopt;
  return Lost{
      Reason::kEpoch,
      {Status::kConflict,
       fmt::format("there is no epoch above {}, which this node has promised to '{}' or has bytes "
                   "of{}",
                   term_.known(), term_.promised_to,
                   core::how_to_forget(term_, ids_, candidacy_.position.end, "this node"))}};
}

std::optional<Promotion::Lost> Promotion::promise_to_self() {
  return save(core::promised_by(term_, prepare_.epoch, candidacy_.id));
}

std::optional<Promotion::Lost> Promotion::collect_promises() {
  return judge(send(change_.force ? Prepare::Mode::kForce : Prepare::Mode::kPromise, enough()));
}

Promotion::Result Promotion::enter() {
  core::Term next = term_;
  if (!next.history.enter({prepare_.epoch, candidacy_.position.end, candidacy_.id})) {
    return Lost{
        Reason::kNone,
        {Status::kInternal, fmt::format("its history does not take epoch {}", prepare_.epoch)}};
  }
  if (auto lost = save(next)) return *std::move(lost);
  std::string note = fmt::format("epoch {} begins at {}: {}", prepare_.epoch,
                                 candidacy_.position.end.bytes(), promised_by_);
  if (change_.force) {
    note += "; it was forced: acknowledged messages that only other nodes hold are lost";
    parts_.host.warn(note);
  }
  return Won{prepare_.epoch, prepare_.set, std::move(note)};
}

std::vector<Heard> Promotion::send(Prepare::Mode mode, std::size_t enough) {
  prepare_.mode = mode;
  auto heard = net::ask_nodes(voters_, prepare_, timeout_, parts_.resolver, parts_.tls, enough,
                              [this] { return changes_.stopping() || (given_up_ && given_up_()); });
  // Who did not answer is not asked again in this try: that would hold up all the others.
  std::erase_if(voters_, [&heard](const ReplicaList::Node& node) {
    const auto at = std::ranges::find(heard, node.id, &Heard::id);
    return at == heard.end() || !at->promise;
  });
  return heard;
}

// Of a joint set all are asked: any number of answers may be too few of one of the groups.
std::size_t Promotion::enough() const {
  if (candidacy_.groups.size() > 1) return SIZE_MAX;
  return static_cast<std::size_t>(std::max(candidacy_.needed(candidacy_.groups.front()) - 1, 0));
}

std::optional<Promotion::Lost> Promotion::judge(const std::vector<Heard>& heard) {
  core::Verdict verdict = core::judge_round(candidacy_, heard);
  if (verdict.reason == Reason::kNone) {
    promised_by_ = std::move(verdict.text);
    return std::nullopt;
  }
  const bool again = verdict.reason != Reason::kBehind && verdict.reason != Reason::kSetDiffers;
  return Lost{verdict.reason,
              {again ? Status::kAgain : Status::kConflict, std::move(verdict.text)}};
}

std::optional<Promotion::Lost> Promotion::save(const core::Term& next) {
  std::optional<Lost> lost;
  parts_.io.run_sync([&] {
    if (parts_.terms.current() != term_) {
      lost = Lost{Reason::kEpoch,
                  {Status::kEpoch, "another node was promised a newer epoch meanwhile"}};
    } else if (std::string wrong = parts_.terms.set(next); !wrong.empty()) {
      lost = Lost{Reason::kHostError, {Status::kIo, std::move(wrong)}};
    } else {
      term_ = parts_.terms.current();
    }
  });
  return lost;
}

}  // namespace ha
