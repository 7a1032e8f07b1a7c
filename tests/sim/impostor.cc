// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/impostor.h"

#include <algorithm>

#include "tests/sim/node.h"

namespace ha::sim {

namespace native = wire::native;

Impostor::Impostor(Net& net, Rng& rng, const Config& config, ConnId id, const Node& victim,
                   std::uint32_t dialled)
    : net_(net), id_(id), victim_(victim), name_(config.ids[dialled]) {
  switch (rng.below(4)) {
    case 0:
      name_ = "evil";
      break;
    case 1:  // any other member, the victim too
      name_ = config.ids[(dialled + 1 + static_cast<std::uint32_t>(rng.below(config.nodes - 1))) %
                         static_cast<std::uint32_t>(config.nodes)];
      break;
    case 2:  // who he says he is: the log is what he is after
      resets_ = true;
      break;
    default:
      above_ = core::kMaxEpochJump + (rng.percent(50) ? 1 : core::kMaxEpoch / 2);
  }
}

void Impostor::read(std::span<const std::byte> bytes) {
  if (!opened_) {
    if (!opening_.take(bytes)) return;
    opened_ = true;
    greet();
  }
  while (!bytes.empty() && !over_) {
    const auto found = reader_.take(bytes);
    if (found == native::Reader::Found::kNothing) continue;
    over_ = true;
    if (found == native::Reader::Found::kHello) answer();
  }
}

void Impostor::greet() {
  const core::LogBounds& log = victim_.disk().log();
  greeting_.min = resets_ ? log.segment_start(log.end) + log.segment_size : log.min;
  greeting_.end = std::max(greeting_.min, log.end);
  greeting_.epoch = core::epoch_above(victim_.term().known(), above_);
  greeting_.set = victim_.members().text();
  core::EpochHistory history = victim_.term().history.entered_by(log.end);
  history.enter({greeting_.epoch, greeting_.end, name_});
  greeting_.history = core::history_to_tell(history);
  net_.send(id_, kServer, native::encode_greeting(greeting_));
}

void Impostor::answer() {
  const core::Hello& hello = reader_.hello();
  // One whose readers saw nothing may believe him, and nobody can tell.
  if (resets_ && victim_.disk().shown() <= hello.min) return;
  core::Answer answer;
  answer.decision = resets_ ? core::Decision::kReset : core::Decision::kResume;
  answer.offset = resets_ ? greeting_.min : hello.end;
  answer.min = greeting_.min;
  answer.end = greeting_.end;
  answer.master = name_;
  net_.send(id_, kServer, native::encode_answer(answer));
}

}  // namespace ha::sim
