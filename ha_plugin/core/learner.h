// SPDX-License-Identifier: Apache-2.0
// A slave of a master in RocketMQ's controller mode, which never joins the set that elects: what
// its log has in common with the master's, what must be cut, which epoch each byte belongs to.
//
// On the handshake the two histories of epochs are compared. A log that went on differently is cut
// to the last byte that both histories prove; a log that shares nothing with the master's, or whose
// history is missing, is left alone and following stops.
//
// From then on every epoch is durable in this log's history before the first byte at or beyond its
// start is stored: bytes without their entry would count to the epoch before it, and be taken for
// the same bytes of another master. The start offsets say where an epoch begins, never the label of
// a single frame: RocketMQ gives the frame that ends at an epoch's end the label of the next one.
//
// The learner only decides. The owner of log, file and socket does what it says, in the order
// stated at each function.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "ha_plugin/core/epoch_history.h"
#include "ha_plugin/core/follower.h"
#include "ha_plugin/core/types.h"

namespace ha::core {

// RocketMQ's master has room for so many entries in its handshake; a longer list is no master's.
inline constexpr std::size_t kMaxEpochs = 1000;

struct MasterHandshake {
  std::vector<EpochEntry> entries;
  std::int64_t last_epoch = 0;
  Offset end;  // of the master's log
};

// What a frame says beside its offset and size.
struct FrameLabel {
  std::int64_t epoch = 0;
  Offset epoch_start;
  Offset confirm;  // the master's readers see records below
};

class Learner {
 public:
  struct Answer {
    Reason reason = Reason::kNone;  // kNone = go on; else close
    std::string text;
    Offset end;  // where this log must end from now on; below its present end: cut it
  };

  // stored: the durable history. REQUIRES of the caller, when told to go on: cut the log first, and
  // make history() durable where it differs from stored after that. The other way round, a crash in
  // between would leave bytes whose entry is gone, and they would count to the epoch before. This
  // way it leaves entries beyond the log's end, which prove nothing and are dropped here.
  Answer on_handshake(const MasterHandshake& master, const EpochHistory& stored,
                      const LogBounds& log);

  // A frame's header came. REQUIRES of the caller, when told to take it, before the first byte is
  // appended: enter_epochs, and reset the log if the verdict says so.
  FrameVerdict on_frame(const FrameLabel& label, Offset offset, std::int64_t size,
                        const LogBounds& log);

  // This log will end at end, a frame's. True = history() has grown and must be durable before the
  // frame's first byte is appended.
  bool enter_epochs(Offset end);

  // What to tell the host that readers may see, given this log's end; none when that is no news.
  // The first time on a connection it always is: a host may know of no bound yet.
  std::optional<Offset> confirm(Offset end);

  // What this log's end is called towards the master: an empty log, wherever it lies, asks for 0,
  // which leaves the start to the master.
  Offset position(Offset end) const { return fresh_ ? Offset(0) : end; }

  const EpochHistory& history() const { return local_; }
  const EpochHistory& master() const { return master_; }
  Offset master_confirm() const { return master_confirm_; }  // kNoOffset before the first frame

 private:
  FrameVerdict check_label(const FrameLabel& label, Offset offset, std::int64_t size);

  EpochHistory local_;   // of this log
  EpochHistory master_;  // what the master's handshake and its frames told
  Offset master_confirm_ = kNoOffset;
  Offset told_confirm_ = kNoOffset;
  bool fresh_ = false;  // holds nothing, and nothing came yet
};

}  // namespace ha::core
