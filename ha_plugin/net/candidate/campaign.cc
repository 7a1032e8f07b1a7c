// SPDX-License-Identifier: Apache-2.0
#include "ha_plugin/net/candidate/campaign.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/asio/error.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cerrno>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include "ha_plugin/core/handshake.h"
#include "ha_plugin/net/io/channel.h"
#include "ha_plugin/net/io/connector.h"
#include "ha_plugin/net/io/outbox.h"
#include "ha_plugin/wire/native.h"

namespace ha::net {
namespace {

using boost::asio::ip::tcp;
using boost::system::error_code;
using wire::native::Reader;

constexpr auto kAskAgain = std::chrono::milliseconds(20);
// A node that answers at all does so within this; one that is stopped must hold nobody up.
constexpr auto kMoment = std::chrono::milliseconds(100);
// stop waits no longer than that for a round.
constexpr auto kLookUp = std::chrono::milliseconds(50);

// One node that is asked: name look-up, connection, opening, greeting, PREPARE, PROMISE.
class Question {
 public:
  Question(boost::asio::io_context& context, Resolver& resolver, TlsPolicy& tls,
           const ReplicaList::Node& node, const core::Prepare& prepare)
      : connector_(context, resolver),
        tls_(tls),
        channel_(tcp::socket(context)),
        pause_(context),
        node_(node),
        prepare_(prepare) {
    heard_.id = node.id;
  }

  void ask() {
    connector_.connect(node_.address, [this](tcp::socket socket, const std::string& failure) {
      heard_.nobody_listens = connector_.refused();
      if (!failure.empty()) return fail(failure);
      channel_.reset(std::move(socket));
      reader_.restart();
      outbox_.clear();
      tls_.dial(channel_, node_.id, node_.address);
      const wire::Report opening = wire::native::opening();
      say(opening);
      hear();
    });
  }
  bool granted() const { return heard_.promise && heard_.promise->granted; }
  core::Heard take() {
    if (heard_.text.empty()) {
      const std::string waiting = connector_.waiting_for();
      heard_.text = fmt::format("{}: no answer in time{}", node_.address.text(),
                                waiting.empty() ? "" : ": " + waiting);
    }
    return std::move(heard_);
  }

 private:
  void fail(const std::string& what, error_code error = {}) {
    heard_.text =
        fmt::format("{}: {}{}", node_.address.text(), what, error ? ": " + error.message() : "");
    channel_.close();
  }

  // It is there, but closes: a node that changes its role closes all connections.
  void ask_again(error_code error) {
    tls_.on_closed_by_peer(channel_, node_.address);
    fail("closed the connection", error);
    pause_.expires_after(kAskAgain);
    pause_.async_wait([this](error_code cancelled) {
      if (!cancelled) ask();
    });
  }

  // It answers, but is not that node. One that listens on another of the name's addresses may be.
  void wrong_one(const std::string& what) {
    fail(what);
    if (++wrong_ones_ < connector_.addresses()) ask();
  }

  void say(std::span<const std::byte> bytes) {
    outbox_.put(bytes);
    flush();
  }

  // A failure shows in what is read.
  void flush() {
    if (outbox_.flush(channel_) != 0 || (outbox_.empty() && !channel_.holds_output())) return;
    channel_.socket().async_wait(tcp::socket::wait_write, [this](error_code error) {
      if (!error && channel_.socket().is_open()) flush();
    });
  }

  void hear() {
    channel_.socket().async_wait(tcp::socket::wait_read, [this](error_code error) {
      if (!channel_.socket().is_open()) return;
      if (error) return ask_again(error);
      if (receive()) hear();
    });
  }

  // Returns true if there is more to come.
  bool receive() {
    for (;;) {
      iovec part{received_.data(), received_.size()};
      const ssize_t n = channel_.receive(&part, 1);
      const int failed = errno;
      if (n > 0) {
        if (!take(std::span(received_).first(static_cast<std::size_t>(n)))) return false;
        continue;
      }
      if (n < 0 && (failed == EAGAIN || failed == EINTR)) return true;
      if (n < 0 && failed == EPROTO) {
        wrong_one(channel_.why(failed, "read").text);
      } else {
        ask_again(n == 0 ? error_code(boost::asio::error::eof)
                         : error_code(failed, boost::system::generic_category()));
      }
      return false;
    }
  }

  // Returns true if there is more to come.
  bool take(std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
      switch (reader_.take(bytes)) {
        case Reader::Found::kNothing:
        case Reader::Found::kUpstream:
          break;
        case Reader::Found::kGreeting:
          if (std::string wrong = core::check_version(fmt::format("'{}'", node_.id),
                                                      reader_.greeting().oldest_version,
                                                      reader_.greeting().newest_version);
              !wrong.empty()) {
            fail(wrong);
            return false;
          }
          say(wire::native::encode_prepare(prepare_));
          break;
        case Reader::Found::kPromise:
          // A node that takes this one for a stranger tells no name, and promises nothing.
          if (reader_.promise().id != node_.id &&
              (reader_.promise().granted || !reader_.promise().id.empty())) {
            wrong_one(fmt::format("the node there calls itself '{}'", reader_.promise().id));
          } else {
            heard_.promise = reader_.promise();
            heard_.promise->id = node_.id;
            fail("it answered");  // there is nothing more to hear
          }
          return false;
        case Reader::Found::kBadBody:
          wrong_one(fmt::format(
              "its answer has what no such message may have (such as an epoch above {})",
              core::kMaxEpoch));
          return false;
        default:
          wrong_one("its answer is not a message of the native protocol");
          return false;
      }
    }
    return true;
  }

  Connector connector_;
  std::size_t wrong_ones_ = 0;
  TlsPolicy& tls_;
  Channel channel_;
  Outbox outbox_;
  boost::asio::steady_timer pause_;
  const ReplicaList::Node& node_;
  const core::Prepare& prepare_;
  Reader reader_{Reader::Side::kCandidate};
  std::array<std::byte, 4096> received_{};
  core::Heard heard_;
};

}  // namespace

std::vector<core::Heard> ask_nodes(const std::vector<ReplicaList::Node>& nodes,
                                   const core::Prepare& prepare, std::chrono::milliseconds timeout,
                                   Resolver& resolver, TlsPolicy& tls, std::size_t enough,
                                   const std::function<bool()>& given_up) {
  boost::asio::io_context context(1);
  std::vector<std::unique_ptr<Question>> questions;
  for (const ReplicaList::Node& node : nodes) {
    questions.push_back(std::make_unique<Question>(context, resolver, tls, node, prepare));
    questions.back()->ask();
  }
  auto deadline = std::chrono::steady_clock::now() + timeout;
  bool moment = false;
  while (!context.stopped() && std::chrono::steady_clock::now() < deadline) {
    if (given_up && given_up()) break;
    context.run_one_until(std::min(deadline, std::chrono::steady_clock::now() + kLookUp));
    const auto granted = std::count_if(questions.begin(), questions.end(),
                                       [](const auto& question) { return question->granted(); });
    if (moment || static_cast<std::size_t>(granted) < enough) continue;
    moment = true;
    deadline = std::min(deadline, std::chrono::steady_clock::now() + kMoment);
  }
  std::vector<core::Heard> heard;
  heard.reserve(questions.size());
  for (auto& question : questions) heard.push_back(question->take());
  return heard;
}

}  // namespace ha::net
