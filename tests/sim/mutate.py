#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Breaks the rules on purpose, one at a time, and says whether ha_sim notices.

Works on a copy in a temporary directory; prints a markdown table; exits with 1 when a fault that
should be caught is not. Usage: mutate.py [--seeds N] [--only REGEX_OF_NAMES] [--supervisor | --members], or
mutate.py --check, which only says whether the source still has the text that each of them replaces. --supervisor: only
what moves the master by itself, which supervised runs and the unit tests of core look at. --members: only how a set gets
other nodes.
"""

import argparse
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
CORE = "ha_plugin/core/"
WIRE = "ha_plugin/wire/"
SIM = "tests/sim/"

# name, file, old text, new text, why it is wrong[, why it cannot be caught]
# Where old and new are lists, all are replaced together, each in its file where that is a list too. Those in SIM
# are mistakes of the glue.
MUTATIONS = [
    ("unentered-ack-counts", CORE + "replica_session.cc", "if (!entered) return Reason::kNone;",
     "(void)entered;", "an ack of bytes of another epoch counts as a copy"),
    ("ack-counts-twice", CORE + "ack_tracker.cc", "order_.push_back(&replica);",
     "order_.push_back(&replica); order_.push_back(&replica);", "one replica is two copies"),
    ("acks-out-of-order", CORE + "ack_tracker.cc", "other->ack >= best;",
     "other->ack + 8 >= best;", "replicas do not stand in the order of their acks"),
    ("wait-stays-in-the-heap", CORE + "wait_queue.cc", "  waiting.by_offset.remove(index);\n", "",
     "a wait that has ended ends again"),
    ("held-by-off-by-one", CORE + "ack_tracker.cc", "(copies - 2)", "(copies > 2 ? copies - 3 : 0)",
     "n copies are said to reach as far as n - 1 do"),
    ("left-replica-counts", CORE + "ack_tracker.cc", """  if (!replica.connections.empty()) {
    settle(replica);
    return;
  }
""", "  return;\n", "what a replica held before it left still counts"),
    ("received-is-durable", CORE + "replica_session.cc", "durable_ = durable < epoch_start ? Offset(0) : durable;",
     "durable_ = received < epoch_start ? Offset(0) : received;",
     "a copy that does not survive a loss of power counts as durable"),
    ("heads-not-offsets", CORE + "ack_policy.h", "if (held.held_by(decision.level) >= end)",
     "if (held.replicas() >= decision.level - 1)", "a wait is done since enough replicas are there"),
    ("wait-a-byte-early", CORE + "wait_queue.cc", "wait.end <= reached; }", "wait.end <= reached + 1; }",
     "a wait ends before its last byte is held"),
    ("needed-one-too-few", CORE + "members.h", "return nodes() - copies + 1; }", "return nodes() - copies; }",
     "promises need not meet every set of copies"),
    ("position-ignored", CORE + "term.cc", ["voter.position > prepare.position",
                                           "promise.position > candidacy.position"],
     ["false", "false"], "a candidate that holds less becomes master"),
    ("position-by-end-only", CORE + "term.cc", ["voter.position > prepare.position",
                                               "promise.position > candidacy.position"],
     ["voter.position.end > prepare.position.end",
      "promise.position.end > candidacy.position.end"],
     "a longer log of an older epoch is preferred"),
    ("voter-ignores-position", CORE + "term.cc", "voter.position > prepare.position", "false",
     "a voter promises to a candidate that holds less",
     "judge_round looks at every promise's position once more; both: position-ignored"),
    ("round-ignores-position", CORE + "term.cc", "promise.position > candidacy.position", "false",
     "a candidate does not step back before one that holds more",
     "the voter judges too, and only a rare run gets past it; both: position-ignored"),
    ("promised-to-two", CORE + "term.cc", "epoch == term.promised && candidate == term.promised_to",
     "epoch == term.promised", "one epoch is promised to two candidates"),
    ("old-epoch-granted", CORE + "term.cc", "if (epoch < term.known() || (", "if ((",
     "a promise may be of an epoch below the one that was promised"),
    ("known-forgets-promise", CORE + "term.cc", "return std::max(promised, history.last_epoch());",
     "return history.last_epoch();", "a promise without bytes binds nobody"),
    ("refusal-counts", CORE + "term.cc", "if (promise.granted) {", "if (promise.granted || true) {",
     "a refusal counts as a promise"),
    ("promise-drops-history", CORE + "term.cc", "return {epoch, candidate, term.history};",
     "return {epoch, candidate, {}};", "a promise forgets which epochs the log has entered"),
    ("next-epoch-not-above", CORE + "term.cc", "return epoch_above(newest);", "return newest;",
     "a candidate goes for an epoch that exists"),
    ("next-epoch-deaf", CORE + "term.cc", "newest = std::max(newest, one.promise->known);", "",
     "the next epoch is not above what was heard",
     "it is refused by whom it did not listen to, and goes one higher next time; without that refusal: old-epoch-granted"),
    ("larger-end", CORE + "epoch_history.cc",
     "return std::min(end_of(ours, i, local_end), end_of(theirs, j, master_end));",
     "return std::max(end_of(ours, i, local_end), end_of(theirs, j, master_end));",
     "two logs are called the same where one of them ends"),
    ("oldest-common-epoch", CORE + "epoch_history.cc", "for (std::size_t i = ours.size(); i-- > 0;)",
     "for (std::size_t i = 0; i < ours.size(); ++i)", "a slave is cut where an old epoch ended"),
    ("epoch-without-its-master", CORE + "epoch_history.cc",
     "std::find(theirs.begin(), theirs.end(), ours[i])",
     "std::find_if(theirs.begin(), theirs.end(), [&](const EpochEntry& e) "
     "{ return e.epoch == ours[i].epoch; })",
     "two masters' bytes of one number are called the same"),
    ("entered-by-all", CORE + "epoch_history.cc", "out.truncate_suffix(end + 1);", "(void)end;",
     "a log is said to have entered epochs that begin beyond its end"),
    ("entered-by-too-much", CORE + "epoch_history.cc", "out.truncate_suffix(end + 1);",
     "out.truncate_suffix(end + 41);", "a log is said to have entered an epoch 40 bytes early"),
    ("empty-epoch-stays", CORE + "epoch_history.cc", "  truncate_suffix(entry.start);\n  return append",
     "  return append", "no epoch can follow one without bytes"),
    ("enters-at-once", CORE + "handshake.cc", "const EpochHistory entered = told.entered_by(end);",
     "const EpochHistory& entered = told;", "a slave claims its master's epochs before it has their bytes",
     "the glue asks entered_by(end) wherever it uses a history; both: enters-at-once-and-says-so"),
    ("slave-promises-nothing", CORE + "handshake.cc", "if (greeting.epoch > out.promised) {",
     "if (greeting.epoch > out.promised && false) {",
     "a slave that lags behind takes bytes of an older master"),
    ("cut-a-bit-short", CORE + "handshake.cc",
     "Decision::kResume : Decision::kTruncate, common, acceptor",
     "Decision::kResume : Decision::kTruncate, common == hello.end ? common : common + 8, acceptor",
     "8 bytes of another history stay"),
    ("resume-where-they-part", CORE + "handshake.cc",
     ["serve(common == hello.end ? Decision::kResume : Decision::kTruncate, common, acceptor)",
      "if (answer.decision == Decision::kResume && hello.end != hello.tail_end)"],
     ["serve(Decision::kResume, std::min(hello.end, log.end), acceptor)", "if (false)"],
     "a slave goes on at its end, wherever the histories part"),
    ("old-master-serves", CORE + "handshake.cc", "if (hello.promised <= acceptor.epoch && !to_another) return",
     "if (true) return", "a master is not deposed by a slave that has promised a newer epoch",
     "the slave refuses such a master too; both: old-master-serves-and-is-followed"),
    ("durable-below-epoch", CORE + "replica_session.cc", "durable < epoch_start", "durable < Offset(0)",
     "a durable ack counts though it ends below the start of the epoch"),
    ("other-master-of-epoch", CORE + "handshake.cc",
     ["if (epoch == term.promised && master != term.promised_to)", "hello.promised_to != acceptor.id;"],
     ["if (false)", "false;"], "a slave follows another than the one it promised that epoch to"),
    ("bootstrap-latest", CORE + "handshake.cc", "acceptor.keeps_epochs ? Bootstrap::kEarliest : acceptor.bootstrap",
     "acceptor.bootstrap", "an empty slave starts at the last segment and counts as a copy of all"),
    ("old-master-followed", CORE + "handshake.cc", "if (epoch < known) {", "if (false) {",
     "a slave follows a master of an epoch below its promise",
     "the slave says what it has promised, and such a master refuses it; both: old-master-serves-and-is-followed"),
    ("checksum-not-verified", WIRE + "native.h", "return hasher_.value() == checksum_;",
     "return true;", "bytes that were changed on the way are believed"),
    ("masters-not-told", WIRE + "native.cc", "  io.short_text(e.master);\n", "",
     "histories travel without the names of the masters"),
    ("position-not-told", WIRE + "native.cc", """  io.epoch(m.known);
  io.epoch(m.position.epoch);
  io.offset(m.position.end);
""", "  io.epoch(m.known);\n", "a PROMISE does not say what the voter holds",
     "the voter judges too, as above; both: position-neither-told-nor-judged"),
    ("another-set-promised", CORE + "term.cc", "if (!may_lead(prepare.set, voter.set)) {", "if (false) {",
     "a voter promises to a candidate that counts by another list"),
    ("another-set-followed", CORE + "handshake.cc", ["if (!may_lead(acceptor.set, hello.set)) {", "if (!may_lead(greeting.set, hello.set)) {"],
     ["if (false) {", "if (false) {"], "a slave that counts by another list is a copy"),
    # ---- whom a slave believes ----
    ("stranger-believed", CORE + "handshake.cc",
     ["if (master == expected.id || std::find(all.begin(), all.end(), master) == all.end()) {",
      "if (!expected.dialled.empty() && master != expected.dialled) {"], ["if (false) {", "if (false) {"],
     "a slave follows anybody who says that he is master"),
    ("not-a-member-believed", CORE + "handshake.cc",
     "if (master == expected.id || std::find(all.begin(), all.end(), master) == all.end()) {", "if (false) {",
     "a slave follows a master that is not in its list",
     "each address that is dialled is that of a node of the list; both: stranger-believed"),
    ("other-member-believed", CORE + "handshake.cc", "if (!expected.dialled.empty() && master != expected.dialled) {",
     "if (false) {", "a slave follows a member that it did not dial"),
    ("far-epoch-believed", CORE + "handshake.cc", "if (epoch > epoch_above(known, expected.max_jump)) {", "if (false) {",
     "a slave follows a master of an epoch that cannot be"),
    ("reset-on-one-word", CORE + "handshake.cc", "if (hello.end == hello.min || confirmed <= hello.min) return",
     "if (true) return", "a slave empties a log that holds confirmed bytes when one node says so"),
    # ---- how far readers see ----
    ("confirm-falls", SIM + "waits.cc", "if (now <= confirmed_) return;", "if (now == confirmed_) return;",
     "glue: what is confirmed falls when a slave leaves"),
    ("confirm-unheld", SIM + "waits.cc", "return copies <= 1 ? log_end : tracker_.held_by(copies);",
     "return log_end;", "glue: readers see what nobody else holds"),
    ("confirm-one-copy-less", SIM + "waits.cc", "if (config_.durable) return durable_.held_by(copies + 1);",
     "if (config_.durable) return durable_.held_by(copies);", "glue: readers see what n - 1 durable copies hold"),
    ("confirm-not-durable", SIM + "waits.cc", "if (config_.durable) return durable_.held_by(copies + 1);", "",
     "glue: readers see what a loss of power takes, though the policy is durable copies"),
    ("confirm-of-last-time", SIM + "waits.cc", "held_ = confirmed_ = core::kNoOffset;", "held_ = core::kNoOffset;",
     "glue: a master that was one before begins with what it confirmed then"),
    ("new-master-shows-all", SIM + "promotion.cc", "reached_whole_ = Offset(0);",
     "reached_whole_ = Offset(0);\n  show(disk_.end());", "glue: a new master shows all of its log"),
    ("confirm-unverified", SIM + "following.cc", "if (!link.in_body) believe(link);", "believe(link);",
     "glue: a header is believed before its frame is here whole"),
    ("slave-shows-all", SIM + "following.cc", "show(link.confirm);", "show(disk_.end());",
     "glue: a slave shows all that it holds"),
    ("confirm-none-is-all", SIM + "following.cc", "link.confirm = std::max(link.confirm, data.confirm);",
     "link.confirm = std::max(link.confirm, data.confirm < Offset(0) ? disk_.end() : data.confirm);",
     "glue: a master that has confirmed nothing yet confirms all"),
    ("master-forgets-epochs", CORE + "handshake.cc", "if (min == end) out.history = {};", "out.history = {};", "a slave forgets the epochs that its master has deleted"),
    # ---- degraded ranges ----
    ("degraded-not-durable", SIM + "keeper.cc", "if (!save(next, now)) return false;", "save(next, now);",
     "glue: waits are answered below policy though the journal could not be written"),
    ("degraded-unsaved-trusted", SIM + "keeper.cc", "if (!unsaved_ && journal_.covers(held, end)) return true;",
     "if (journal_.covers(held, end)) return true;",
     "glue: after a save that failed the disk is taken to hold what it held before"),
    ("degraded-covers-too-far", CORE + "degraded.h", "end <= open()->to;", "end <= open()->to + 40;",
     "waits are answered a bit beyond the open range"),
    ("degraded-covers-too-near", CORE + "degraded.h", "open()->from <= std::max(held, Offset(0)) && end", "end",
     "a range that begins beyond what enough copies held covers what lies below"),
    ("degraded-at-once", SIM + "waits.cc",
     "due = due || now - queue_.oldest_started(level) >= config_.degrade_after ||", "due = true ||",
     "glue: waits are answered below policy without waiting for copies"),
    ("degraded-never", SIM + "waits.cc",
     "due = due || now - queue_.oldest_started(level) >= config_.degrade_after ||", "due = due ||",
     "glue: waits are never answered below policy"),
    ("degraded-for-nothing", SIM + "waits.cc",
     "if (queue_.lowest_end(level) > (core::is_durable(level) ? own_durable_ : log_end)) continue;", "",
     "glue: a range is begun when no wait can be answered"),
    ("degraded-beyond-policy", SIM + "waits.cc", "if (!promised) continue;", "",
     "glue: who asked for more copies than the policy is answered with fewer"),
    ("degraded-not-held", SIM + "waits.cc", "core::is_durable(level) ? own_durable_ : log_end, below_", "log_end, below_",
     "glue: a durable wait is answered below policy before the master's own copy is durable"),
    ("healed-at-once", CORE + "degraded.cc", "closing_ = now - keeping_up_since_ >= hold && reached",
     "closing_ = reached", "a range is healed as soon as enough copies are back"),
    ("healed-without-copies", CORE + "degraded.cc", "if (!closing_ || reached < to_hold_) return std::nullopt;",
     "if (!closing_) return std::nullopt;", "a range is healed before enough copies hold what was answered in it"),
    ("answered-not-raised", CORE + "degraded.cc", "  to_hold_ = std::max(to_hold_, end);\n", "",
     "a range is healed whatever was answered in it"),
    ("answered-all-of-range", CORE + "degraded.cc", """  next.answered_ = Offset(0);
  next.keeping""", """  next.answered_ = open() == nullptr ? Offset(0) : std::min(open()->to, end);
  next.keeping""", "readers see all of a range of old, answered or not"),
    ("journal-forgotten", SIM + "node.cc", """  keeper_.load(disk_.degraded, disk_.whole_end(disk_.end()));
  cluster_.checker().on_term""", """  keeper_.load({}, disk_.end());
  cluster_.checker().on_term""", "glue: a restart forgets the journal"),
    ("torn-end-awaited", SIM + "node.cc", """  keeper_.load(disk_.degraded, disk_.whole_end(disk_.end()));
  cluster_.checker().on_term""", """  keeper_.load(disk_.degraded, disk_.end());
  cluster_.checker().on_term""", "glue: a range waits for copies of a torn record, which is cut"),
    ("cut-bytes-awaited", CORE + "degraded.cc", "  next.to_hold_ = std::min(next.to_hold_, end);\n", "",
     "a range waits for copies of what is not in the log",
     "what is loaded ends with a whole record, and what is cut or inherited is closed before; both: torn-and-cut-bytes-awaited"),
    ("range-not-told", SIM + "accepting.cc",
     "cluster_.net().send(in.id, kServer, native::encode_degraded(keeper_.to_tell()));", "",
     "glue: slaves do not learn of their master's range"),
    ("range-told-too-late", SIM + "accepting.cc", "return told ? waits_.confirmed() : core::kNoOffset;",
     "return waits_.confirmed();", "glue: a slave hears what was answered below policy, then that it was"),
    ("range-not-taken-over", CORE + "degraded.cc", "} else if (told) {", "} else if (false) {",
     "a new master forgets what its master had open"),
    ("range-replaced", CORE + "degraded.cc", "both.from = std::min(both.from, told->from);", "both.from = told->from;",
     "a new master's own range begins where its last master's did"),
    ("cut-not-said", CORE + "degraded.cc", "if (open() != nullptr) next.lose_beyond(new_end, to_hold_, now_ms);", "",
     "a node is cut and does not say what it had answered"),
    ("cut-though-unsaved", SIM + "following.cc", "if (!keeper_.cut(answer.offset, clock()) || !cut_log(answer.offset)) return false;",
     "keeper_.cut(answer.offset, clock());\n      if (!cut_log(answer.offset)) return false;",
     "glue: a node is cut though it could not write down what it lost"),
    ("lost-from-too-far", CORE + "degraded.cc", "lost.lost_from = std::max(lost.from, end);",
     "lost.lost_from = std::max(lost.from, end + 20);", "a node that is cut says that it lost less"),
    ("lost-closes-the-rest", CORE + "degraded.cc", "if (rest.from < rest.to) add(rest);", "(void)rest;",
     "what is left of a range that was cut is forgotten"),
    ("slave-heals-unheld", CORE + "degraded.cc", "|| told_ || confirm < to_hold_) return", "|| told_) return",
     "a slave's range of old is healed whatever enough copies hold"),
    ("slave-heals-by-degraded", CORE + "degraded.cc", "|| told_ || confirm < to_hold_) return", "|| confirm < to_hold_) return",
     "a slave's range of old is healed by what its master answered below policy",
     "the glue asks only once it was told that nothing is open; both: slave-heals-by-degraded-and-unasked"),
    # ---- what is checked twice, in both places ----
    ("old-master-serves-and-is-followed", CORE + "handshake.cc",
     ["if (hello.promised <= acceptor.epoch && !to_another) return", "if (epoch < known) {"],
     ["if (true) return", "if (false) {"],
     "neither a slave nor its master minds that the slave has promised a newer epoch"),
    ("position-neither-told-nor-judged", [WIRE + "native.cc", CORE + "term.cc"],
     ["""  io.epoch(m.known);
  io.epoch(m.position.epoch);
  io.offset(m.position.end);
""", "voter.position > prepare.position"], ["  io.epoch(m.known);\n", "false"],
     "a voter that holds more neither refuses nor says so"),
    ("torn-and-cut-bytes-awaited", [CORE + "degraded.cc", SIM + "node.cc"],
     ["  next.to_hold_ = std::min(next.to_hold_, end);\n", """  keeper_.load(disk_.degraded, disk_.whole_end(disk_.end()));
  cluster_.checker().on_term"""], ["", """  keeper_.load(disk_.degraded, disk_.end());
  cluster_.checker().on_term"""],
     "a range waits for copies of a torn record, and a new master for what it has cut"),
    ("enters-at-once-and-says-so", [CORE + "handshake.cc", SIM + "following.cc", SIM + "node.cc", SIM + "node.cc"],
     ["const EpochHistory entered = told.entered_by(end);", "history.entered_by(end).last_epoch()};",
      "void Node::forget_unentered() { term_.history = term_.history.entered_by(disk_.end()); }",
      "history.entered_by(disk_.end()).last_epoch(),"],
     ["const EpochHistory& entered = told;", "history.last_epoch()};", "void Node::forget_unentered() {}",
      "history.last_epoch(),"],
     "a slave claims its master's epochs before it has their bytes, and glue: acknowledges and votes with them"),
    ("slave-heals-by-degraded-and-unasked", [CORE + "degraded.cc", SIM + "following.cc", SIM + "following.cc"],
     ["|| told_ || confirm < to_hold_) return",
      "  if (link.all_well) keeper_.confirmed(link.confirm, clock());\n  show(",
      "!told;\n  if (link.all_well) keeper_"],
     ["|| confirm < to_hold_) return", "  keeper_.confirmed(link.confirm, clock());\n  show(", "!told;\n  keeper_"],
     "a slave's range of old is healed by what its master answered below policy, and glue: whatever it was told"),
]

# What moves the master by itself. name, file, old text, new text, why it is wrong, and what catches it: SUPERVISED
# runs, or the unit tests of core that the filter names.
SUPERVISED = "ha_sim --supervised"
RULES = "Supervisor.*"
SUSPICION = "Term.*"
SUPERVISOR = [
    ("key-instead-of-promises", CORE + "term.h", "return force ? 1 : of.promises();", "return 1;",
     "who holds the key needs no promises", SUPERVISED),
    ("suspicion-promises", CORE + "term.h",
     "return mode == Prepare::Mode::kAsk || mode == Prepare::Mode::kSuspect;", "return mode == Prepare::Mode::kAsk;",
     "to be asked is to promise", SUSPICION),
    ("failed-try-keeps-the-key", CORE + "supervisor.cc",
     """  back_off(look.now, look.chance);
  return {Act::kRelease, {}, "this node is not master"};""", "  return wait(look);",
     "a holder that cannot become master does not let others try", SUPERVISED),
    ("never-campaigns", CORE + "supervisor.cc", "if (may_campaign_ && may_try(look, key) && sure(look.now)) {", "if (false) {",
     "a holder lets the key go at once", SUPERVISED),
    ("tries-for-ever", CORE + "supervisor.h", "void on_campaign() { may_campaign_ = false; }",
     "void on_campaign() {}",
     "a holder that failed tries again", RULES),
    ("key-not-believed", SIM + "supervised.cc", "supervised_.key.lease == supervised_.lease && view.holder == id();",
     "view.holder == id() && false;", "glue: a node never takes a key for its own", SUPERVISED),
    ("deposed-master-tries", CORE + "supervisor.cc", "may_campaign_ = taken && role_ == Role::kSlave;",
     "may_campaign_ = taken;", "a master that took the key as such deposes who deposed it", RULES),
    ("quick-ignored", CORE + "supervisor.cc", "asked_.master_gone && rules_.quick", "asked_.master_gone",
     "a master that answers below policy by its lease is replaced before that has ended", RULES),
    ("key-let-go-while-it-waits", CORE + "supervisor.cc", "look.now - useful_ > kMostForACampaign",
     "look.now - role_since_ > kMostForACampaign", "a long-time slave lets the key go while its try waits in the queue", RULES),
    ("key-read-once", SIM + "supervised.cc", "  read_key();\n  search_master();",
     "  if (supervised_.read_at == core::kNever) read_key();\n  search_master();",
     "glue: a node goes by the key as it was at its start", SUPERVISED),
    ("no-search", SIM + "supervised.cc", "if (master() || promotion_ || (link_ && link_->serving)) {", "if (true) {",
     "glue: a slave never looks for another master", SUPERVISED,
     "in the end its operator sends it to the one that there is"),
    ("trickle-is-life", CORE + "follower.h", "if (!whole && trickle_ < kTrickleBytes) return;", "(void)whole;",
     "a slave waits for ever for the rest of a body whose size has a flipped bit", "Follower.*"),
    ("renew-after-loss", CORE + "supervisor.cc", "  if (!has_lease(look.now)) renew_at_ = kNever;\n", "",
     "a lease that is lost is renewed", RULES),
    ("take-without-asking", CORE + "supervisor.cc", 'if (!fresh) return {Act::kAsk, {}, "the master is not heard"};',
     "(void)fresh;", "the key is taken though others hear the master", RULES),
    ("yes-of-old", CORE + "supervisor.cc", "asked_at_ != kNever && look.now - asked_at_ < rules_.suspect_after;",
     "asked_at_ != kNever;", "what others said a minute ago counts", RULES),
    ("release-not-mine", CORE + "supervisor.cc", "if (key.own && (!look.takes_part ||", "if ((!look.takes_part ||",
     "a node gives back a key that it does not hold", RULES),
    ("hears-master-ignored", CORE + "term.cc", "(voter.master || voter.hears_master)) {", "voter.master) {",
     "a slave that hears the master suspects it too", SUSPICION),
    ("master-suspects-itself", CORE + "term.cc", "(voter.master || voter.hears_master)) {", "voter.hears_master) {",
     "a master suspects itself", SUSPICION),
    ("hears-master-outvoted", CORE + "term.cc", "if (hears != nullptr) return {Reason::kMasterHeard", "if (false) return {Reason::kMasterHeard",
     "one that hears the master is outvoted", SUSPICION),
    ("step-back-on-lost-lease-alone", CORE + "supervisor.cc", "!sure(look.now) && !look.copies_answer &&", "!sure(look.now) &&",
     "a master whose copies answer steps back with its lease", RULES),
    ("never-steps-back", CORE + "supervisor.cc", "if (settled && !sure(look.now)", "if (false && settled && !sure(look.now)",
     "a master that cannot know whether it is the only one goes on", RULES),
    ("steps-back-at-once", CORE + "supervisor.cc", "look.now - role_since_ > std::max(rules_.ttl, look.copies_patience);", "true;",
     "a new master steps back before its copies can answer", RULES),
    ("campaign-without-lease", CORE + "supervisor.cc", "if (may_campaign_ && may_try(look, key) && sure(look.now)) {",
     "if (may_campaign_ && may_try(look, key)) {", "a node tries by a lease that may have ended", RULES),
    ("own-clock-ignored", CORE + "supervisor.h", "return now < lease_until_; }", "return lease_until_ != Time{} && now != kNever; }",
     "a lease lasts until the engine says otherwise", RULES),
    ("no-margin", CORE + "supervisor.cc", "lease_ttl_ / 10 + milliseconds(100);", "milliseconds(0);",
     "clocks never run apart", RULES),
    ("no-backoff", CORE + "supervisor.cc", "  if (!round.may) back_off(now, chance_);\n", "",
     "after a no it is asked again at once", RULES),
    ("backoff-without-end", CORE + "supervisor.cc", "std::clamp(2 * back_off_, kFirstBackOff, kLastBackOff);",
     "std::max(2 * back_off_, kFirstBackOff);", "each pause is twice the last one", RULES),
    ("takeovers-not-apart", CORE + "supervisor.cc", "const bool soon = followed_since_ != kNever && look.now - followed_since_ < kBetweenTakeovers;",
     "const bool soon = false;", "a network that comes and goes moves the master back and forth", RULES),
    ("manual-ignored", CORE + "supervisor.cc", "rules_.automatic && rules_.priority > 0 &&", "rules_.priority > 0 &&",
     "option failover=manual says nothing", RULES),
    ("priority-zero-tries", CORE + "supervisor.cc", "rules_.automatic && rules_.priority > 0 &&", "rules_.automatic &&",
     "a node of priority 0 becomes master by itself", RULES),
    ("pause-ignored", CORE + "supervisor.cc", "rules_.priority > 0 && !key.paused;", "rules_.priority > 0;",
     "operators cannot pause it", RULES),
    ("key-of-another-taken", CORE + "supervisor.cc", "if (!absent && key.holder != look.master && key.holder != rules_.id) {",
     "if (false) {", "a candidate takes the key of another", RULES),
    ("master-takes-key-of-another", CORE + "supervisor.cc", "if (key.known && (key.holder.empty() || key.holder == rules_.id) &&",
     "if (key.known &&", "a master takes the key of who tries to follow it", RULES),
    ("link-alone-takes", CORE + "supervisor.cc", "  if (free) {\n    return {Act::kTake", "  if (true) {\n    return {Act::kTake",
     "a link that is gone is a master that is gone", RULES),
    ("silence-alone-takes", CORE + "supervisor.cc", "if (no_link && asked_.master_gone && rules_.quick) {",
     "if (asked_.master_gone && rules_.quick) {", "the key is taken though it is held and the link is there", RULES),
    ("early-answer-dropped", CORE + "supervisor.cc", "if (no_link) back_off(look.now, look.chance);",
     "back_off(look.now, look.chance);", "what was asked before the lease ended is asked again after it", RULES),
    ("hand-over-again-and-again", CORE + "supervisor.cc", "if (other && look.now >= not_before_) return {Act::kHandOver",
     "if (other) return {Act::kHandOver", "a master hands over at each look", RULES),
]

# How a set gets other nodes; caught by ha_sim --members. As MUTATIONS.
MEMBERS = [
    ("not-joint", CORE + "members.cc", ["  out.next.ids.push_back(set.joining);\n", "  std::erase(out.next.ids, id);\n"],
     ["  out.next.ids.push_back(set.joining);\n  out.now = out.next;\n  out.next = {};\n",
      "  std::erase(out.next.ids, id);\n  out.now = out.next;\n  out.next = {};\n"],
     "the set goes from the old nodes to the new ones at once"),
    ("nobody-has-moved", CORE + "members.cc", "if (!end_ && moved(set, look) >= must_move(set)) end_ = look.end;",
     "if (!end_) end_ = look.end;", "a joint set ends though the old nodes can still decide without it"),
    ("too-few-have-moved", CORE + "members.cc", "std::max(set.now.copies, set.now.promises())",
     "std::min(set.now.copies, set.now.promises())", "the old nodes can still promise, or still acknowledge"),
    ("moved-counts-everybody", CORE + "members.cc", "if (one.version >= set.version && set.now.has(one.id)) ++count;",
     "if (set.now.has(one.id)) ++count;", "a node counts as moved that has an older set"),
    ("new-copies-not-waited-for", CORE + "members.cc", "if (!end_ || look.held < *end_) return std::nullopt;",
     "if (!end_) return std::nullopt;", "a joint set ends before enough new nodes hold the log"),
    ("held-by-the-old", CORE + "ack_groups.h", "found = std::min(found, of(group));", "(void)group;",
     "copies of the new nodes are not counted apart"),
    ("promised-by-the-old", CORE + "term.cc", "if (of_group >= candidacy.needed(group)) continue;",
     "if (of_group >= candidacy.needed(group) || &group != &candidacy.groups.front()) continue;",
     "a candidate of a joint set needs no promise of the new nodes"),
    ("promised-by-anybody", CORE + "term.cc", "[&](const std::string& id) { return group.has(id); });",
     "[](const std::string&) { return true; });", "a promise counts for a group whose node did not give it",
     "one node more or less: enough promises of the larger set are enough of the smaller one too"),
    ("older-set-leads", CORE + "members.cc", "return leader == follower || (!follower.empty() && version_of(leader) > version_of(follower));",
     "return true;", "a node follows, and promises, by an older set than its own"),
    ("deposed-master-goes-on", CORE + "members.h",
     "!counts(id) || epoch > its_epoch || (epoch == its_epoch && version > 0 && master != id);",
     "!counts(id);", "a master of an older epoch takes the set that its successor wrote"),
    ("confirm-offset-is-held", SIM + "changing.cc", "waits_.held(disk_.end())", "waits_.confirmed()",
     "glue: what the count of an older set came to is taken for what both counts hold"),
    ("joining-node-counts", SIM + "waits.cc", "groups.push_back({group.ids, group.has(self)});",
     "groups.push_back({set.ids(), true});", "glue: a node counts that only follows"),
]
MEMBERS_FAULTS = [
    ("set-before-durable", "a node acts by a set before it is saved"),
]

# Of the glue: --fault NAME, why it is wrong[, why it cannot be caught]
FAULTS = [
    ("promise-before-durable", "PROMISE leaves before the promise is saved"),
    ("epoch-before-durable", "a master appends before its epoch is saved"),
    ("ack-before-entry", "a slave acks bytes of an epoch before it is saved that it entered it"),
    ("append-before-term", "a slave stores bytes of an epoch before it is saved that it entered it"),
    ("history-not-cut", "a log is cut, its history is not"),
    ("unentered-position", "an epoch whose first frame did not come whole stays in the history"),
    ("ack-mid-frame", "an ack between a frame's header and its end names the epoch that it enters",
     "takes a crash within that frame and a rival's log of an epoch in between: seed 102405"),
    ("old-master-stays", "a master promises a newer epoch and goes on"),
    ("stale-frames", "a slave promises a newer epoch and goes on taking the old master's bytes"),
    ("no-own-promise", "a candidate does not promise itself"),
    ("candidacy-survives", "a candidate promises a newer epoch and goes on with its own"),
    ("late-answer-counts", "the answer to a mere question counts as a promise"),
]

MAKEFILE = """
OBJECTS := $(patsubst %.cc,%.o,$(wildcard ha_plugin/core/*.cc tests/sim/*.cc)) ha_plugin/wire/native.o ha_plugin/wire/rocketmq.o
UNIT := $(addprefix tests/unit/core/,follower_test.o supervisor_master_test.o supervisor_test.o term_test.o)
sim: $(OBJECTS)
\tg++ -o $@ $^ -lpthread
unit: $(UNIT) $(filter ha_plugin/%,$(OBJECTS))
\tg++ -o $@ $^ -lgtest -lgtest_main -lpthread
%.o: %.cc
\tg++ -std=c++20 -O1 -w -DHA_SLOW_ASSERTS -I. -MMD -c -o $@ $<
-include $(OBJECTS:.o=.d) $(UNIT:.o=.d)
"""


def build(directory, target="sim"):
    done = subprocess.run(["make", "-s", "-j2", target], cwd=directory, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(done.stderr)


def run(directory, seeds, more=()):
    """What was violated and after how many seeds; None = nothing."""
    command = ["./sim", "--seeds", str(seeds), "--threads", "1", *more]
    try:
        done = subprocess.run(command, cwd=directory, capture_output=True, text=True, timeout=600)
    except subprocess.TimeoutExpired:
        return "a run that never ends", "?"
    if done.returncode == 0:
        return None
    found = re.search(r"^seed (\d+) .*?: (.*)$", done.stdout, re.MULTILINE)
    if found is None:
        asserted = re.search(r"assertion failed: .*", done.stderr)
        return asserted.group(0) if asserted else f"exit code {done.returncode}", "?"
    return found.group(2), found.group(1)


def run_tests(directory, names):
    """The first test that failed; None = none did."""
    done = subprocess.run(["./unit", "--gtest_filter=" + names], cwd=directory, capture_output=True, text=True, timeout=60)
    if done.returncode == 0:
        return None
    found = re.search(r"^\[  FAILED  \] ([\w.]+) \(", done.stdout, re.MULTILINE)
    return found.group(1) if found else f"exit code {done.returncode}", ""


def run_against(directory, catcher, seeds):
    if catcher == SUPERVISED:
        build(directory)
        return run(directory, seeds, ["--supervised"])
    build(directory, "unit")
    return run_tests(directory, catcher)


def replaced(text, old, new, name):
    if text.count(old) != 1:
        sys.exit(f"{name}: its text is found {text.count(old)} times: {old}")
    return text.replace(old, new)


def replacements(root, path, old, new):
    """File, old and new text of each place of a mutation."""
    olds, news = ([one] if isinstance(one, str) else one for one in (old, new))
    return zip([root / one for one in ([path] * len(olds) if isinstance(path, str) else path)], olds, news)


def check():
    for name, path, old, new, *_ in MUTATIONS + SUPERVISOR + MEMBERS:
        for file, one, other in replacements(ROOT, path, old, new):
            replaced(file.read_text(), one, other, name)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=20000)
    parser.add_argument("--only", default="", help="a regular expression: the names that match")
    parser.add_argument("--check", action="store_true", help="only look whether each can be made")
    parser.add_argument("--supervisor", action="store_true", help="only what moves the master by itself")
    parser.add_argument("--members", action="store_true", help="only how a set gets other nodes")
    options = parser.parse_args()
    if options.check:
        return check()
    missed = []

    def report(name, what, found, excuse):
        by, seed = found if found else ("NOT CAUGHT" + (f": {excuse}" if excuse else ""), "")
        if not found and not excuse:
            missed.append(name)
        print(f"| {name} | {what} | {by} | {seed} |", flush=True)

    with tempfile.TemporaryDirectory() as temporary:
        directory = pathlib.Path(temporary)
        for part in ("plugin_api/lists", "ha_plugin/core", "ha_plugin/wire", "tests/sim", "tests/unit/core"):
            shutil.copytree(ROOT / part, directory / part)
        (directory / "Makefile").write_text(MAKEFILE)

        def attempt(mutation, tried):
            name, path, old, new = mutation[:4]
            places = list(replacements(directory, path, old, new))
            texts = {file: file.read_text() for file, _, _ in places}
            for file, one, other in places:
                file.write_text(replaced(file.read_text(), one, other, name))
            found = tried()
            for file, text in texts.items():
                file.write_text(text)
            return found

        def plain(more=()):
            build(directory)
            return run(directory, options.seeds, more)

        def try_each(mutations, faults, more):
            for mutation in mutations:
                name, _, _, _, what, *excuse = mutation
                if re.search(options.only, name):
                    report(name, what, attempt(mutation, lambda: plain(more)), "".join(excuse))
            build(directory)
            for name, what, *excuse in faults:
                if re.search(options.only, name):
                    report(name, "glue: " + what, run(directory, options.seeds, [*more, "--fault", name]),
                           "".join(excuse))

        every = not options.supervisor and not options.members
        supervisor = SUPERVISOR if every or options.supervisor else []
        untouched = [run_against(directory, catcher, options.seeds) for catcher in sorted({one[5] for one in supervisor})]
        untouched += [plain()] if every else []
        untouched += [plain(["--members"])] if every or options.members else []
        if any(untouched):
            sys.exit(f"it fails as it is: {untouched}")
        print("| name | what | caught by | seeds |\n|---|---|---|---|", flush=True)
        for mutation in supervisor:
            name, _, _, _, what, catcher, *excuse = mutation
            if re.search(options.only, name):
                report(name, what, attempt(mutation, lambda by=catcher: run_against(directory, by, options.seeds)),
                       "".join(excuse))
        if every:
            try_each(MUTATIONS, FAULTS, [])
        if every or options.members:
            try_each(MEMBERS, MEMBERS_FAULTS, ["--members"])
    if missed:
        sys.exit("not caught: " + ", ".join(missed))


if __name__ == "__main__":
    main()
