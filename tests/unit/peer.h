// SPDX-License-Identifier: Apache-2.0
// The other end of a connection, written by hand: a slave or a master that a test speaks for, byte
// by byte. Sockets block, with a deadline: a test that waits in vain fails, it does not hang.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace ha::testing {

struct FrameSeen {
  std::int64_t offset = -1;
  std::int32_t size = -1;
  std::vector<std::byte> body;
};

class Peer {
 public:
  Peer() = default;
  explicit Peer(int fd);
  // Connects to 127.0.0.1. receive_buffer: SO_RCVBUF, 0 = the system's.
  static Peer to(std::int64_t port, int receive_buffer = 0);
  ~Peer();
  Peer(Peer&& other) noexcept : fd_(other.fd_) { other.fd_ = -1; }
  Peer& operator=(Peer&& other) noexcept;

  bool send(std::span<const std::byte> bytes);
  bool send_text(const std::string& text);
  // As a slave.
  bool report(std::int64_t end);
  FrameSeen frame(std::size_t piece = SIZE_MAX);  // piece: bytes per read; offset -1 = none came
  // Reads frames and acknowledges each until the log is held up to end; "" or what was wrong.
  std::string follow_to(std::int64_t from, std::int64_t end, bool acknowledge = true);
  // As a master.
  std::int64_t read_report();  // INT64_MIN = none came
  bool send_frame(std::int64_t offset, std::int32_t size, std::span<const std::byte> body = {});
  // A frame whose body is what stands there in every test log.
  bool send_log(std::int64_t offset, std::int32_t size);

  bool read(void* to, std::size_t size, std::size_t piece = SIZE_MAX);
  // Bytes that can be read this instant.
  bool has_bytes() const;
  // Reads away what comes until the other side closes; false when it does not.
  bool wait_closed();
  void reset();  // closes with RST
  // Says goodbye (FIN) and waits for the answer. close() with bytes unread would be an RST.
  void leave();
  void close();
  int fd() const { return fd_; }
  std::string local_address() const;

 private:
  int fd_ = -1;
};

// A port on 127.0.0.1 that a slave can be told to follow.
class Listener {
 public:
  Listener();
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  std::int64_t port() const { return port_; }
  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
  Peer accept();
  int fd() const { return fd_; }

 private:
  int fd_ = -1;
  std::int64_t port_ = 0;
};

}  // namespace ha::testing
