// SPDX-License-Identifier: Apache-2.0
// Lines for a stream that perhaps nobody reads.
//
// A write to a full pipe, a stopped terminal or a hung disk blocks for as long as the other end
// likes. So a thread of its own writes, and callers leave their lines in a bounded buffer;
// what finds no room there is dropped, and the caller is told.
//
// The thread uses plain blocking writes. O_NONBLOCK belongs to the open file description, which is
// shared with every other process on this pipe or terminal: their reads and writes would start to
// fail. poll before each write is not enough: another process may take the room in between. And
// whatever is done, a disk can hang. Therefore nothing ever waits for this thread without a
// deadline: stop leaves one that hangs in its write behind, and it ends with the process.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

namespace stub {

class LineWriter {
 public:
  // A burst of some 8,000 log lines fits.
  static constexpr std::size_t kMostBytes = std::size_t{1} << 20;

  // fd stays the caller's, and open for as long as the process lives.
  explicit LineWriter(int fd, std::size_t most_bytes = kMostBytes);
  ~LineWriter();
  LineWriter(const LineWriter&) = delete;
  LineWriter& operator=(const LineWriter&) = delete;

  // Takes lines, each with its newline; never waits for the stream. False = there is no room, or
  // stop was called: nothing of them will be written. Any thread.
  bool push(std::string_view lines);
  // Lines that were taken and then lost, because the stream refused them (EPIPE, ENOSPC, ...).
  std::int64_t lost() const;

  // Writes what was pushed, for at most that long. Returns false if the stream did not take all of
  // it.
  bool stop(std::chrono::milliseconds timeout);

 private:
  struct State;  // shared with the thread, which may live longer
  std::shared_ptr<State> state_;
};

}  // namespace stub
