// SPDX-License-Identifier: Apache-2.0
// One client connection: reads requests, hands them to the Api, sends the answers in order.
//
// Requests may be pipelined. Appends of one connection overlap: the next one is read and appended
// while the answer to the one before waits for its copies. Every other request waits until all
// before it are answered, and nothing overtakes it. So what a client sends happens in the order it
// was sent in.
//
// A connection that has been idle for a second or two holds no parser and no buffer: it waits for
// its socket to become readable. While requests wait for their answers the next header is read
// already, which also tells when a client has gone, so that a long poll ends with its client.
//
// Threads: the loop's, but for the reply and wake functions given out, which post to it.
// Lifecycle: owned by its loop's set and its own pending operations; close takes it out of the set.
// What is given out holds it weakly.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <chrono>
#include <deque>
#include <memory>
#include <optional>
#include <string>

#include "http/exchange.h"
#include "http/loop.h"
#include "http/message.h"
#include "http/stream.h"

namespace stub::http {

class Session : public std::enable_shared_from_this<Session> {
 public:
  using Clock = std::chrono::steady_clock;
  using ErrorCode = boost::system::error_code;

  Session(boost::asio::ip::tcp::socket socket, Loop& loop);
  ~Session();

  void start();
  void drain();
  void close();
  void sweep(Clock::time_point now);
  // Keeps an answer until write_ready may send it: after those to earlier requests.
  void take_reply(std::uint64_t slot, Response response);
  void write_ready();

 private:
  enum class Reading {
    kOpening,  // TLS: the first byte, then the handshake
    kIdle,     // waits for a first byte
    kHeader,   // of the next request
    kHeld,     // a header is here, and its request waits for its turn
    kBody,
    kPaused,  // max_pipelined answers are outstanding
    kEnded,   // nothing more is read: the client closed its side, or this side will close
    kLinger,  // drops what the client still sends, so that it gets to read the last answer
  };
  struct Slot {
    std::uint64_t number = 0;
    bool overlaps = false;
    bool keep_alive = true;
    bool head = false;  // HEAD: the answer's body stays here
    std::optional<Response> response;
  };
  struct Poll {
    LongPoll what;
    std::uint64_t slot = 0;
    std::uint64_t wait_id = 0;
    boost::asio::steady_timer timer;
  };
  using Parser = boost::beast::http::request_parser<boost::beast::http::string_body>;

  void open_tls();
  void shake_hands();
  void read_next();
  bool begin_request();  // false = nothing more is read for now
  void begin_header();
  void parse();
  void rest();
  void rest_if_quiet();
  std::size_t read_size() const;
  bool take_body(std::size_t& at_once);
  void receive();
  void on_received(ErrorCode error, std::size_t bytes);
  void on_header();
  void read_body();
  void on_read_error(ErrorCode error);
  void end_reading();
  // The answer to a header with a body to come whose client may not do that.
  std::optional<Response> refuse_early(std::string_view method, std::string_view target);
  std::optional<Response> refuse(const Api::Place& place, const Request& request);
  void dispatch(Message message);
  void answer_now(Response response);  // to a request that could not be read; ends the connection
  Slot& push_slot();

  void start_poll(LongPoll what, std::uint64_t slot);
  void finish_poll(std::uint64_t slot);
  void on_reply(std::uint64_t slot, Response response);

  void send();
  void on_written(ErrorCode error);
  void finish_if_done();
  void linger();
  void drop_rest();
  void on_linger(ErrorCode error, std::size_t bytes);

  Loop& loop_;
  Stream<boost::asio::ip::tcp::socket> stream_;
  Peer peer_;
  std::shared_ptr<TlsContext> tls_context_;  // that took, or did not take, the client's certificate
  Clock::time_point next_look_{};            // at the certificate, which may expire
  bool plain_ = false;                       // plain HTTP came to a port that speaks https
  Reading reading_ = Reading::kIdle;
  bool quiet_ = false;    // nothing has come since the last sweep
  bool resting_ = false;  // waits, or is about to, without a buffer
  boost::beast::flat_buffer buffer_;
  std::optional<Parser> parser_;
  Clock::time_point read_deadline_ = Clock::time_point::max();
  Clock::time_point write_deadline_ = Clock::time_point::max();

  std::deque<Slot> slots_;  // in the order of their requests
  std::uint64_t next_slot_ = 0;
  std::unique_ptr<Poll> poll_;

  std::string ready_;     // answers to send next
  std::string writing_;   // what the pending write sends
  bool closing_ = false;  // the answer that ends the connection is in ready_ or writing_
  bool unread_ = false;   // the last request was refused before all of it was read
  bool closed_ = false;
  std::string dropped_;  // where the client's last bytes go while lingering
  std::size_t lingered_ = 0;
};

}  // namespace stub::http
