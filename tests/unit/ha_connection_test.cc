// SPDX-License-Identifier: Apache-2.0
// HaConnection by itself, where the state of its socket can be arranged.
#include "ha_plugin/net/master/ha_connection.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <boost/asio/io_context.hpp>

#include "ha_plugin/host/host.h"
#include "tests/unit/core/printing.h"
#include "tests/unit/memory_host.h"
#include "tests/unit/peer.h"

namespace ha::net {
namespace {

using ha::testing::Listener;
using ha::testing::MemoryHost;
using ha::testing::Peer;

class Surroundings : public ConnectionEvents {
 public:
  explicit Surroundings(const MemoryHost& host) : host_(host) {}
  MasterView view(const HaConnection&) override {
    return {.log = {core::Offset(host_.min()), core::Offset(host_.end()), 4096}};
  }
  core::Refusal may_work(const HaConnection&) override { return {}; }
  wire::native::Bytes greeting(const HaConnection&) override { return {}; }
  core::Answer on_hello(HaConnection&, const core::Hello&) override { return {}; }
  wire::native::Bytes after_answer(const HaConnection&) override { return {}; }
  core::Promise on_prepare(const HaConnection&, const core::Prepare&) override { return {}; }
  std::shared_ptr<metrics::ReplicaMetrics> on_joined(HaConnection&) override {
    return std::make_shared<metrics::ReplicaMetrics>("one");
  }
  MasterView on_ack(HaConnection& connection) override {
    acked = connection.session().ack().bytes();
    return view(connection);
  }
  void on_pending(HaConnection&, std::span<const std::byte>) override {}
  void on_caught_up(HaConnection&) override {}
  void on_closed(HaConnection&, core::Reason reason, const std::string&) override {
    closed = reason;
  }

  std::int64_t acked = -1;
  core::Reason closed = core::Reason::kNone;

 private:
  const MemoryHost& host_;
};

// Until nothing more goes into the socket: the peer's window has closed once the kernel has moved
// no byte for as long as it ever waits with an acknowledgement.
void fill(int fd) {
  const std::array<std::byte, 4096> ballast{};
  pollfd writable{fd, POLLOUT, 0};
  do {
    while (::send(fd, ballast.data(), ballast.size(), MSG_DONTWAIT | MSG_NOSIGNAL) > 0) {
    }
  } while (::poll(&writable, 1, 500) == 1);
}

// Runs handlers until it holds; false when patience ends.
bool run_until(boost::asio::io_context& context, const std::function<bool()>& met) {
  const auto deadline = std::chrono::steady_clock::now() + ha::testing::kPatience;
  while (!met()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    context.run_one_until(deadline);
  }
  return true;
}

// A frame that waits behind a full socket has been given to nobody: an ack of it is a lie.
TEST(HaConnection, AFrameOfWhichNoByteWentOutCannotBeAcknowledged) {
  MemoryHost memory;
  memory.grow(1000);
  const Host host(memory.api(), &memory);
  Settings settings;
  settings.bootstrap = core::Bootstrap::kEarliest;
  Surroundings surroundings(memory);
  boost::asio::io_context context;

  Listener listener;
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  ASSERT_EQ(::fcntl(fd, F_SETFL, O_NONBLOCK), 0);
  const int send_buffer = 1;  // the least, and then the kernel does not make it larger by itself
  ::setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &send_buffer, sizeof(send_buffer));
  boost::asio::ip::tcp::socket socket(context);
  socket.assign(boost::asio::ip::tcp::v4(), fd);
  boost::system::error_code in_progress;
  const boost::asio::ip::tcp::endpoint there(boost::asio::ip::address_v4::loopback(),
                                             static_cast<std::uint16_t>(listener.port()));
  socket.connect(there, in_progress);
  Peer slave = listener.accept();
  fill(fd);

  metrics::HaMetrics metrics;
  TlsPolicy tls(metrics);
  const auto connection = std::make_shared<HaConnection>(
      std::move(socket), 1, Address{"127.0.0.1", 1}, host, settings, tls, surroundings);
  connection->start();
  int made_for_few_packets = 0;
  socklen_t size = sizeof(made_for_few_packets);
  ASSERT_EQ(::getsockopt(fd, IPPROTO_TCP, TCP_THIN_LINEAR_TIMEOUTS, &made_for_few_packets, &size),
            0);
  EXPECT_EQ(made_for_few_packets, 1);
  EXPECT_GT(connection->round_trip(), core::Time{});
  ASSERT_TRUE(slave.report(0));
  ASSERT_TRUE(run_until(context, [&] { return surroundings.acked == 0; }));
  ASSERT_EQ(memory.lent(), 1) << "the socket took the frame";
  ASSERT_TRUE(slave.report(1000));
  ASSERT_TRUE(run_until(context, [&] {
    return surroundings.closed != core::Reason::kNone || surroundings.acked != 0;
  }));
  EXPECT_EQ(surroundings.closed, core::Reason::kReportAhead);
  EXPECT_EQ(surroundings.acked, 0);
  connection->close(core::Reason::kShutdown, "the test ends");
  context.restart();
  context.poll();
  EXPECT_EQ(memory.lent(), 0);
}

}  // namespace
}  // namespace ha::net
