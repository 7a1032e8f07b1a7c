// SPDX-License-Identifier: Apache-2.0
#include "ha_plugin/net/master/voting.h"

#include <fmt/format.h>

#include "ha_plugin/base/clock.h"
#include "ha_plugin/host/log_hash.h"

namespace ha::net {

using core::Reason;

core::Greeting Voting::greeting() const {
  const core::LogBounds log = parts_.bounds.read();
  const TermKeeper& terms = parts_.terms;
  return {core::kNativeVersion,
          core::kNativeVersion,
          log.min,
          log.end,
          terms.own_epoch(),
          core::history_to_tell(terms.current().history.entered_by(log.end)),
          parts_.settings.set_text()};
}

core::Answer Voting::judge_hello(const core::Hello& hello, Todo& todo) const {
  const Settings& settings = parts_.settings;
  const TermKeeper& terms = parts_.terms;
  const core::Acceptor self{settings.cluster_id,  settings.replica_id, settings.replicas.ids(),
                            parts_.bounds.read(), settings.bootstrap,  terms.keeps_epochs(),
                            terms.own_epoch(),    terms.current(),     settings.set_text()};
  core::Answer answer = core::judge_hello(
      hello, self,
      [this](core::Offset begin, core::Offset end) { return hash_log(parts_.host, begin, end); });
  if (answer.reason == Reason::kEpoch) on_foreign_promise(hello, todo);
  return answer;
}

// A slave that has promised another node a newer epoch follows no master of this node's epoch any
// more. If it can be believed, this node's time is over.
void Voting::on_foreign_promise(const core::Hello& hello, Todo& todo) const {
  Reason reason = Reason::kNone;
  const std::string wrong =
      core::check_told_promise(hello, parts_.terms.current(), voter(), reason);
  if (wrong.empty()) {
    todo.restart_campaign = core::epoch_above(hello.promised);
    return;
  }
  parts_.log.log(
      HA_LOG_WARN, "promises that are not believed",
      fmt::format("'{}' says that it has promised epoch {} to '{}', which is not believed: {}",
                  hello.replica, hello.promised, hello.promised_to, wrong));
}

core::Voter Voting::voter() const {
  const Settings& settings = parts_.settings;
  const TermKeeper& terms = parts_.terms;
  return {settings.cluster_id,     settings.replica_id,
          settings.replicas.ids(), terms.position(parts_.bounds.read().end),
          terms.own_epoch() != 0,  settings.set_text(),
          hears_master()};
}

bool Voting::hears_master() const {
  const core::Time heard{parts_.metrics.client.heard_ns.value()};
  return heard.count() != 0 &&
         steady_now() - heard < std::chrono::milliseconds(parts_.settings.suspect_after_ms);
}

core::Promise Voting::judge_prepare(const core::Prepare& prepare, Todo& todo) const {
  TermKeeper& terms = parts_.terms;
  if (!terms.keeps_epochs()) {
    core::Promise answer;
    answer.reason = Reason::kUnknownReplica;
    answer.text = "it keeps no epochs: it has no option 'replicas'";
    return answer;
  }
  const bool asks = core::only_asks(prepare.mode);
  const std::string asked =
      fmt::format("'{}' asks to become master of epoch {}", prepare.candidate, prepare.epoch);
  core::Promise answer = core::judge_prepare(prepare, terms.current(), voter());
  if (answer.granted && !asks) {
    std::string failed =
        terms.set(core::promised_by(terms.current(), prepare.epoch, prepare.candidate));
    if (failed.empty()) {
      todo.step_back_for = prepare.candidate;
      // Never held back: there is one of it an epoch, and after a failover people look for it.
      parts_.host.info(asked + ": promised");
      return answer;
    }
    answer.granted = false;
    answer.reason = Reason::kHostError;
    answer.text = std::move(failed);
  }
  // A master that lacks copies asks every second.
  parts_.log.log(
      asks ? HA_LOG_DEBUG : HA_LOG_INFO,
      asks ? "questions who may become master" : "nodes that ask to become master",
      asked + (answer.granted ? ": it may" : ": refused: " + answer.text + answer.aside));
  return answer;
}

}  // namespace ha::net
