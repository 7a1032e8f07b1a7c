// SPDX-License-Identifier: Apache-2.0
// A TCP connection driven by hand, for what a well-behaved client never sends.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace stub::test {

class RawSocket {
 public:
  // Connects to "127.0.0.1:PORT" or "[::1]:PORT"; connected() tells whether it worked.
  explicit RawSocket(const std::string& address);
  ~RawSocket();
  RawSocket(RawSocket&& other) noexcept;
  RawSocket& operator=(RawSocket&&) = delete;

  bool connected() const { return fd_ >= 0; }
  // All of them. Returns false if the peer has reset the connection.
  bool send(std::string_view bytes);
  void shut_sending();
  void receive_little();  // a small receive buffer, so that the peer's writes stall soon

  // One answer: its header and body, as sent. What was read is shorter when the connection ended.
  std::string read_answer();
  // Until the peer closes. Empty and at_end() when it did at once.
  std::string read_all();
  bool at_end() const { return ended_; }

 private:
  bool fill();

  int fd_ = -1;
  bool ended_ = false;
  std::string input_;
};

// The status in an answer's first line; 0 when there is none.
// Takes the first whole answer off the front; nothing while there is none.
std::optional<std::string> take_answer(std::string& input);
int status_of(std::string_view answer);
// What follows its header.
std::string body_of(std::string_view answer);

}  // namespace stub::test
