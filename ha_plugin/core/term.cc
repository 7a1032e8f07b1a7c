// SPDX-License-Identifier: Apache-2.0
#include "ha_plugin/core/term.h"

#include <algorithm>

#include "ha_plugin/core/one_line.h"

namespace ha::core {
namespace {

std::string text_of(const Position& position) {
  return "epoch " + std::to_string(position.epoch) + " up to " +
         std::to_string(position.end.bytes());
}

std::string quoted(const std::string& id) { return "'" + id + "'"; }

bool is_another_of(const std::vector<std::string>& replicas, const std::string& id,
                   const std::string& self) {
  return id != self && std::find(replicas.begin(), replicas.end(), id) != replicas.end();
}

std::string way_out(std::int64_t epoch, const std::string& who) {
  return "start " + who + " once with option 'forget_promise' set to " + std::to_string(epoch) +
         " (docs/operate.md)";
}

}  // namespace

std::string set_text(std::vector<std::string> ids, std::int64_t copies) {
  return Members{0, {std::move(ids), static_cast<std::int32_t>(copies)}}.text();
}

std::string sets_differ(const std::string& who, const std::string& set,
                        const std::string& other_who, const std::string& other_set) {
  const auto shown = [](const std::string& text) { return text.empty() ? "none" : one_line(text); };
  if (version_of(set) != version_of(other_set)) {
    return who + " set is " + shown(set) + ", " + other_who + " is " + shown(other_set) +
           ": the older one has to be read again from the coordinator";
  }
  return who + " set is " + shown(set) + ", " + other_who + " is " + shown(other_set) +
         ": give every node the same options 'replicas' and 'default_copies'";
}

std::int64_t Term::known() const { return std::max(promised, history.last_epoch()); }

std::string check_candidate(std::int64_t epoch, const std::string& candidate, const Term& term,
                            const Voter& voter, Reason& reason) {
  reason = Reason::kUnknownReplica;
  if (!is_another_of(voter.replicas, candidate, voter.id)) {
    return quoted(candidate) + " is not another node of option 'replicas'";
  }
  reason = Reason::kEpoch;
  if (epoch > epoch_above(term.known(), kMaxEpochJump)) {
    return "epoch " + std::to_string(epoch) + " is more than " + std::to_string(kMaxEpochJump) +
           " above " + std::to_string(term.known()) + ", the newest that " + quoted(voter.id) +
           " knows of";
  }
  const bool again = epoch == term.promised && candidate == term.promised_to;
  if (epoch < term.known() || (epoch == term.known() && !again)) {
    return "epoch " + std::to_string(epoch) + " is not above " + std::to_string(term.known()) +
           ", which " + quoted(voter.id) + " has promised to " + quoted(term.promised_to) +
           " or has bytes of" +
           how_to_forget(term, voter.replicas, voter.position.end, quoted(voter.id));
  }
  reason = Reason::kNone;
  return "";
}

Promise judge_prepare(const Prepare& prepare, const Term& term, const Voter& voter) {
  Promise answer{false, voter.master, Reason::kNone, term.known(), voter.position, voter.id, {}};
  if (prepare.cluster != voter.cluster) {
    answer = {};
    answer.reason = Reason::kCluster;
    answer.text = "the candidate is of another cluster (option 'cluster_id')";
    answer.aside =
        ": its is " + quoted(prepare.cluster) + ", that of this node " + quoted(voter.cluster);
    return answer;
  }
  const bool stranger = !is_another_of(voter.replicas, prepare.candidate, voter.id);
  if (stranger) {
    answer.id.clear();
    answer.master = false;
  }
  if (!may_lead(prepare.set, voter.set)) {
    answer.reason = Reason::kSetDiffers;
    const std::string both =
        sets_differ("the candidate's", prepare.set, "that of " + quoted(voter.id), voter.set);
    answer.text = stranger ? "the candidate is not another node of option 'replicas': give every "
                             "node the same options 'replicas' and 'default_copies'"
                           : both;
    if (stranger) answer.aside = ": " + both;
    return answer;
  }
  // Where one node is cut off from the master and the others are not, a change of master helps
  // nobody, and the next one follows at once.
  if (prepare.mode == Prepare::Mode::kSuspect && !stranger &&
      (voter.master || voter.hears_master)) {
    answer.reason = Reason::kMasterHeard;
    answer.text = quoted(voter.id) + (voter.master ? " is master" : " hears the master");
    return answer;
  }
  // Who asks does not know yet what to ask for.
  const std::int64_t epoch =
      only_asks(prepare.mode) ? std::max(prepare.epoch, epoch_above(term.known())) : prepare.epoch;
  answer.text = check_candidate(epoch, prepare.candidate, term, voter, answer.reason);
  if (answer.reason != Reason::kNone) return answer;
  // A log without a history has lost it, or never took part. Its bytes may be acknowledged ones,
  // and its promises are forgotten, so it must not help a candidate of a set that has a history.
  // Such a node would not follow that candidate either. In a set that forms, nobody has a history.
  if (prepare.mode != Prepare::Mode::kForce && term.history.empty() &&
      voter.position.end > Offset(0) && prepare.position.epoch > 0) {
    answer.reason = Reason::kDiverged;
    answer.text = "the history of " + quoted(voter.id) + "'s log is missing (ha_term.json): its " +
                  std::to_string(voter.position.end.bytes()) +
                  " bytes may be acknowledged ones; restore the file, or empty its store once the "
                  "set has a master";
    return answer;
  }
  if (prepare.mode != Prepare::Mode::kForce && voter.position > prepare.position) {
    answer.reason = Reason::kBehind;
    answer.text = quoted(voter.id) + " holds " + text_of(voter.position) + ", the candidate only " +
                  text_of(prepare.position) +
                  how_to_forget(term, voter.replicas, voter.position.end, quoted(voter.id));
    return answer;
  }
  answer.granted = true;
  return answer;
}

bool is_promised_to_nobody(const Term& term, const std::vector<std::string>& replicas) {
  const std::int64_t held = term.history.last_epoch();
  if (term.promised <= held) return false;
  const bool to_a_stranger =
      std::find(replicas.begin(), replicas.end(), term.promised_to) == replicas.end();
  return to_a_stranger || term.promised > epoch_above(held, kMaxEpochJump);
}

std::string how_to_forget(Term term, const std::vector<std::string>& replicas, Offset log_end,
                          const std::string& who) {
  term.history.truncate_suffix(log_end);
  if (!is_promised_to_nobody(term, replicas)) return "";
  return "; no node of the set asked for that: " + way_out(term.promised, who);
}

std::string forget_promise(Term& term, std::int64_t epoch, const std::vector<std::string>& replicas,
                           Offset log_end) {
  Term next = term;
  const std::string what = "epoch " + std::to_string(epoch);
  if (const auto entry = next.history.find(epoch)) {
    if (entry->start < log_end) {
      return "this log holds bytes of " + what + ", from " + std::to_string(entry->start.bytes()) +
             " on, so it was not only promised; empty this store to copy from a node without them";
    }
    next.history.truncate_suffix(log_end);
  }
  if (term.promised == epoch) {
    if (!is_promised_to_nobody(next, replicas)) {
      return what + " was promised to " + quoted(term.promised_to) +
             ", a node of option 'replicas', within reach of what this log holds: that promise "
             "stands";
    }
    next.promised = next.history.last_epoch();
    next.promised_to = next.history.empty() ? "" : next.history.entries().back().master;
  }
  term = std::move(next);
  return "";
}

std::string check_epochs(const Term& term) {
  const auto& entries = term.history.entries();
  const std::int64_t first = entries.empty() ? 0 : entries.front().epoch;
  for (const std::int64_t epoch : {first, term.history.last_epoch(), term.promised}) {
    if (is_epoch(epoch)) continue;
    return "it has epoch " + std::to_string(epoch) + ", and epochs are 0 to " +
           std::to_string(kMaxEpoch) +
           ", so no node of the set asked for that: " + way_out(epoch, "this node");
  }
  return "";
}

Term promised_by(const Term& term, std::int64_t epoch, const std::string& candidate) {
  return {epoch, candidate, term.history};
}

Verdict judge_round(const Candidacy& candidacy, const std::vector<Heard>& heard) {
  std::int32_t granted = 1;
  std::vector<std::string> granters{candidacy.id};
  std::string who = quoted(candidacy.id) + " granted";
  const Promise* ahead = nullptr;
  bool outrun = false;
  const Heard* hears = nullptr;
  std::int32_t differ = 0;
  for (const Heard& one : heard) {
    who += ", " + quoted(one.id) + " ";
    if (!one.promise) {
      who += "did not answer (" + one.text + ")";
      continue;
    }
    const Promise& promise = *one.promise;
    if (promise.granted) {
      ++granted;
      granters.push_back(one.id);
      who += "granted";
    } else {
      who += "refused (" + promise.text + ")";
      outrun = outrun || promise.reason == Reason::kEpoch;
      if (promise.reason == Reason::kSetDiffers) ++differ;
      if (promise.reason == Reason::kMasterHeard) hears = &one;
    }
    if (promise.position > candidacy.position && promise.reason != Reason::kCluster &&
        (ahead == nullptr || promise.position > ahead->position)) {
      ahead = &promise;
    }
  }
  // Whose list is wrong? If it is the candidate's, a count by it proves nothing: a list that is too
  // short needs no promise but its own. So those who agree with it must be more than those who do
  // not. One node with a wrong list does not keep the others from having a master.
  if (differ >= granted) return {Reason::kSetDiffers, who};
  if (hears != nullptr) return {Reason::kMasterHeard, hears->promise->text};
  if (outrun && candidacy.force) return {Reason::kEpoch, who};
  if (ahead != nullptr && !candidacy.force) {
    return {Reason::kBehind, quoted(ahead->id) + " holds more, " + text_of(ahead->position) +
                                 ", than this node, " + text_of(candidacy.position) +
                                 ": promote it instead (" + who + ")"};
  }
  for (const MemberGroup& group : candidacy.groups) {
    const auto of_group = std::count_if(granters.begin(), granters.end(),
                                        [&](const std::string& id) { return group.has(id); });
    if (of_group >= candidacy.needed(group)) continue;
    return {Reason::kNoQuorum, std::to_string(of_group) + " of " + std::to_string(group.nodes()) +
                                   (&group == &candidacy.groups.front() ? "" : " new") +
                                   " nodes granted it, " + std::to_string(candidacy.needed(group)) +
                                   " must: " + who};
  }
  return {Reason::kNone, who};
}

std::int64_t next_epoch(const Term& term, const std::vector<Heard>& heard) {
  std::int64_t newest = term.known();
  for (const Heard& one : heard) {
    // A number out of reach is somebody's mistake and would be refused here too.
    if (one.promise && one.promise->known <= epoch_above(term.known(), kMaxEpochJump)) {
      newest = std::max(newest, one.promise->known);
    }
  }
  return epoch_above(newest);
}

const Promise* master_among(const std::vector<Heard>& heard) {
  const Promise* found = nullptr;
  for (const Heard& one : heard) {
    if (!one.promise || !one.promise->master) continue;
    if (one.promise->reason == Reason::kSetDiffers) continue;
    if (found == nullptr || one.promise->known > found->known) found = &*one.promise;
  }
  return found;
}

}  // namespace ha::core
