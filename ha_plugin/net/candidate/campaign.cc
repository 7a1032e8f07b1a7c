// SPDX-License-Identifier: Apache-2.0
#include "ha_plugin/net/candidate/campaign.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include "ha_plugin/core/handshake.h"
#include "ha_plugin/net/io/connector.h"
#include "ha_plugin/wire/native.h"

namespace ha::net {
namespace {

using boost::asio::ip::tcp;
using boost::system::error_code;
using wire::native::Reader;

constexpr auto kAskAgain = std::chrono::milliseconds(20);
// A node that answers at all does so within this; one that is stopped must hold nobody up.
constexpr auto kMoment = std::chrono::milliseconds(200);
// stop waits no longer than that for a round.
constexpr auto kLookUp = std::chrono::milliseconds(50);

// One node that is asked: name look-up, connection, opening, greeting, PREPARE, PROMISE.
class Question {
 public:
  Question(boost::asio::io_context& context, Resolver& resolver, const ReplicaList::Node& node,
           const core::Prepare& prepare)
      : connector_(context, resolver),
        socket_(context),
        pause_(context),
        node_(node),
        prepare_(prepare) {
    heard_.id = node.id;
  }

  void ask() {
    connector_.connect(node_.address, [this](tcp::socket socket, const std::string& failure) {
      if (!failure.empty()) return fail(failure);
      socket_ = std::move(socket);
      reader_.restart();
      const wire::Report opening = wire::native::opening();
      say({opening.begin(), opening.end()});
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
    error_code ignored;
    socket_.close(ignored);
  }

  // It is there, but closes: a node that changes its role closes all connections.
  void ask_again(error_code error) {
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

  void say(wire::native::Bytes bytes) {
    said_ = std::move(bytes);
    boost::asio::async_write(socket_, boost::asio::buffer(said_),
                             [](error_code, std::size_t) {});  // a failure shows in what is read
  }

  void hear() {
    socket_.async_read_some(boost::asio::buffer(received_),
                            [this](error_code error, std::size_t size) {
                              if (!socket_.is_open()) return;
                              if (error) return ask_again(error);
                              if (take(std::span(received_).first(size))) hear();
                            });
  }

  // True = there is more to come.
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
  tcp::socket socket_;
  boost::asio::steady_timer pause_;
  const ReplicaList::Node& node_;
  const core::Prepare& prepare_;
  Reader reader_{Reader::Side::kCandidate};
  wire::native::Bytes said_;
  std::array<std::byte, 4096> received_{};
  core::Heard heard_;
};

}  // namespace

std::vector<core::Heard> ask_nodes(const std::vector<ReplicaList::Node>& nodes,
                                   const core::Prepare& prepare, std::chrono::milliseconds timeout,
                                   Resolver& resolver, std::size_t enough,
                                   const std::function<bool()>& given_up) {
  boost::asio::io_context context(1);
  std::vector<std::unique_ptr<Question>> questions;
  for (const ReplicaList::Node& node : nodes) {
    questions.push_back(std::make_unique<Question>(context, resolver, node, prepare));
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
  for (auto& question : questions) heard.push_back(question->take());
  return heard;
}

}  // namespace ha::net
