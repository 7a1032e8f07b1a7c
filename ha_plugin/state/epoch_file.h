// SPDX-License-Identifier: Apache-2.0
// A log's history of epochs on disk, in the format and under the name of RocketMQ's
// epochFileCheckpoint, so that a RocketMQ broker can be started on the same store:
//
//   2             entries
//   773307083     CRC-32 of the lines below, without its top bit; 0 = not checked
//   7-7000        epoch and the offset at which it starts
//   8-8000
//
// Beside it lies .bak, the content before the last save; it is read when the file itself is
// missing, empty or damaged, as RocketMQ does. What RocketMQ does not do: a save is atomic and
// durable, and an empty history removes what was there instead of leaving it.
//
// Threads: one at a time. load and save block for the disk. They run on the I/O thread: a load is
// one small file per connection to a master, a save one fsync per epoch.
#pragma once

#include <string>
#include <string_view>

#include "ha_plugin/core/epoch_history.h"

namespace ha {

class EpochFile {
 public:
  explicit EpochFile(std::string_view directory);

  struct Loaded {
    core::EpochHistory history;
    std::string error;  // "" = history is what the disk holds, be it nothing; else it is unknown
    std::string note;   // what is worth a warning: "" or that the backup had to be read
  };
  Loaded load() const;

  // "" = it will be loaded from now on, also after a loss of power; else what failed.
  std::string save(const core::EpochHistory& history) const;

  const std::string& path() const { return path_; }

 private:
  const std::string directory_;
  const std::string path_;
  const std::string backup_;
};

// The text of such a file.
std::string format_epochs(const core::EpochHistory& history);
// "" or what is wrong with the text.
std::string parse_epochs(std::string_view text, core::EpochHistory& out);

}  // namespace ha
