// SPDX-License-Identifier: Apache-2.0
#include "http/server.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/post.hpp>
#include <future>

#include "ha/plugin.h"
#include "http/address.h"
#include "http/loop.h"
#include "http/session.h"

namespace stub::http {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using ErrorCode = boost::system::error_code;

// As often as the shortest timeout asks for, but never busily.
constexpr std::chrono::milliseconds kSweepMax{1000};
constexpr std::chrono::milliseconds kSweepMin{20};
// When descriptors run out, a new try at once would spin.
constexpr std::chrono::milliseconds kAcceptPause{100};
// A wake-up takes longer than most pauses under load, so a loop whose last sleep was short looks
// for more work before the next one.
constexpr std::chrono::microseconds kLookForMore{50};
// This much is appended before the turn's end, while the CPU's cache still holds it.
constexpr std::size_t kAppendAtOnceBytes = 1024 * 1024;
// For a port that is free on all addresses of a name.
constexpr int kPortTries = 10;

std::chrono::milliseconds sweep_interval(const ServerOptions& options) {
  const auto shortest = std::min(
      {options.idle_timeout, options.header_timeout, options.body_timeout, options.write_timeout});
  return std::clamp(shortest / 4, kSweepMin, kSweepMax);
}

}  // namespace

// ---- Loop
// -----------------------------------------------------------------------------------------

Loop::~Loop() { stop(); }

void Loop::start() {
  asio::post(context_, [this] { run_sweep(); });
  thread_ = std::thread([this] { run(); });
}

void Loop::run() {
  using Clock = Session::Clock;
  for (auto before = Clock::now(); context_.run_one() > 0; before = Clock::now()) {
    // Twice, because a sleep lasts as long as the pause in the work and the wake-up after it.
    const bool short_sleep = Clock::now() - before < 2 * kLookForMore;
    context_.poll();  // runs what else is ready, so that the next run_one does sleep
    if (!short_sleep) continue;
    for (auto last = Clock::now(); Clock::now() - last < kLookForMore;) {
      if (context_.poll() > 0)
        last = Clock::now();
      else
        std::this_thread::yield();
    }
  }
}

void Loop::stop() {
  if (!thread_.joinable()) return;
  asio::post(context_, [this] {
    draining_ = true;
    sweep_.cancel();
    for (const auto& session : std::set(sessions_)) session->close();
    work_.reset();
  });
  thread_.join();
}

void Loop::add(std::shared_ptr<Session> session) {
  if (draining_) return;
  const auto& added = *sessions_.insert(std::move(session)).first;
  added->start();
}

void Loop::remove(const std::shared_ptr<Session>& session) { sessions_.erase(session); }

void Loop::answer(std::weak_ptr<Session> session, std::uint64_t slot, Response response) {
  bool first = false;
  {
    const std::lock_guard lock(answers_mutex_);
    first = answers_.empty();
    answers_.push_back({std::move(session), slot, std::move(response)});
  }
  if (first) asio::post(context_, [this] { give_answers(); });
}

void Loop::give_answers() {
  std::vector<Answer> answers;
  {
    const std::lock_guard lock(answers_mutex_);
    answers.swap(answers_);
  }
  std::vector<std::shared_ptr<Session>> answered;
  answered.reserve(answers.size());
  for (auto& answer : answers) {
    auto session = answer.session.lock();
    if (!session) continue;
    session->take_reply(answer.slot, std::move(answer.response));
    answered.push_back(std::move(session));
  }
  // After all are taken: several answers to one client leave in one write.
  for (const auto& session : answered) session->write_ready();
}

void Loop::produce(Produce what) {
  if (produces_.empty()) asio::post(context_, [this] { append(); });
  for (const auto& item : what.request.items) produce_bytes_ += item.body.size();
  produces_.push_back(std::move(what));
  if (produce_bytes_ >= kAppendAtOnceBytes) append();
}

void Loop::append() {
  produce_bytes_ = 0;
  if (!produces_.empty()) shared_.broker->produce_all(std::exchange(produces_, {}));
}

void Loop::drain() {
  append();  // after drain no request may call the broker
  draining_ = true;
  for (const auto& session : std::set(sessions_)) session->drain();
}

void Loop::run_sweep() {
  const auto now = Session::Clock::now();
  for (const auto& session : std::set(sessions_)) session->sweep(now);
  sweep_.expires_after(sweep_interval(shared_.options));
  sweep_.async_wait([this](ErrorCode error) {
    if (!error && work_.owns_work()) run_sweep();
  });
}

// ---- Server
// ---------------------------------------------------------------------------------------

class Server::Impl {
 public:
  explicit Impl(ServerOptions options) : shared_(std::move(options)) {
    for (int i = 0; i < std::max(1, shared_.options.threads); ++i) {
      loops_.push_back(std::make_unique<Loop>(shared_));
    }
  }

  ~Impl() { stop(std::chrono::milliseconds(0)); }

  std::optional<Error> bind() {
    const auto& files = shared_.options.tls;
    if (!files.cert.empty()) {
      auto tls = TlsServer::open(files);
      if (auto* fault = std::get_if<Error>(&tls)) return std::move(*fault);
      shared_.tls = std::get<std::unique_ptr<TlsServer>>(std::move(tls));
    }
    auto access_options = shared_.options.access;
    access_options.certificates = shared_.tls && shared_.tls->knows_clients();
    auto access = Access::open(access_options);
    if (auto* fault = std::get_if<Error>(&access)) return std::move(*fault);
    shared_.access = std::get<std::unique_ptr<Access>>(std::move(access));
    const auto& text = shared_.options.listen;
    const auto parsed = parse_host_port(text, "http address");
    if (const auto* fault = std::get_if<Error>(&parsed)) return *fault;
    const auto& wanted = std::get<HostPort>(parsed);
    ErrorCode error;
    tcp::resolver resolver(loops_[0]->context());
    const auto found =
        resolver.resolve(wanted.host, std::to_string(wanted.port), tcp::resolver::passive, error);
    if (error) return failure("cannot find", error, "give an address of this machine");
    for (int i = 0; i < kPortTries; ++i) {
      error = listen_on_all(found);
      // With port 0 the first address decides, and another program may have that port at the next.
      if (error != asio::error::address_in_use || wanted.port != 0) break;
    }
    if (error) return failure("cannot listen on", error, "give another, or port 0");
    const auto local = listeners_.front()->acceptor.local_endpoint(error);
    address_ = to_string(HostPort{local.address().to_string(), local.port()});
    return std::nullopt;
  }

  const std::string& address() const { return address_; }

  void start(Broker& broker) {
    shared_.broker = &broker;
    shared_.api = std::make_unique<Api>(broker, *shared_.access);
    shared_.worker = std::make_unique<Worker>();
    for (auto& loop : loops_) loop->start();
    asio::post(loops_[0]->context(), [this] {
      for (const auto& listener : listeners_) accept(*listener);
    });
    started_ = true;
  }

  void drain() {
    if (!started_) return;
    run_on(*loops_[0], [this] {
      ErrorCode ignored;
      for (const auto& listener : listeners_) {
        listener->acceptor.close(ignored);
        listener->pause.cancel();
      }
    });
    for (auto& loop : loops_) run_on(*loop, [&loop] { loop->drain(); });
    shared_.worker->stop();
  }

  void stop(std::chrono::milliseconds timeout) {
    if (!started_) return;
    drain();
    // Sessions end on the loops' threads; what is waited for here is their number.
    const auto deadline = std::chrono::steady_clock::now() + timeout;
    auto left = shared_.connections.load();
    std::unique_lock lock(shared_.ended_mutex);
    shared_.ended.wait_until(lock, deadline, [&] {
      left = shared_.connections.load();
      return left == 0;
    });
    lock.unlock();
    if (left > 0) spdlog::info("http: closing {} connections that are not done", left);
    for (auto& loop : loops_) loop->stop();
    started_ = false;
  }

 private:
  Error failure(std::string_view what, const ErrorCode& error, std::string_view way_out) const {
    return Error{HA_IO, error.value(),
                 "http: " + std::string(what) + " '" + shared_.options.listen +
                     "': " + error.message() + " (" + std::string(way_out) + ")"};
  }

  // Runs task on the loop's thread and returns when it has run.
  template <class Task>
  static void run_on(Loop& loop, Task task) {
    std::promise<void> done;
    asio::post(loop.context(), [&] {
      task();
      done.set_value();
    });
    done.get_future().wait();
  }

  struct Listener {
    explicit Listener(asio::io_context& context) : acceptor(context), pause(context) {}
    tcp::acceptor acceptor;
    asio::steady_timer pause;
    bool failed = false;  // said already, and not at each of the ten tries a second
  };

  // A name stands for all its addresses: a client may try any of them. One that this machine does
  // not have, such as ::1 where IPv6 is switched off, is left out unless it is the only one.
  ErrorCode listen_on_all(const tcp::resolver::results_type& found) {
    listeners_.clear();
    ErrorCode left_out;
    for (const auto& entry : found) {
      // A hosts file may have the same line twice.
      const auto is_same = [&](const auto& held) {
        ErrorCode ignored;
        return held->acceptor.local_endpoint(ignored).address() == entry.endpoint().address();
      };
      if (std::any_of(listeners_.begin(), listeners_.end(), is_same)) continue;
      auto listener = std::make_unique<Listener>(loops_[0]->context());
      tcp::endpoint endpoint = entry.endpoint();
      ErrorCode error;
      if (!listeners_.empty()) {
        endpoint.port(listeners_.front()->acceptor.local_endpoint(error).port());
      }
      error = listen(listener->acceptor, endpoint);
      if (error == std::errc::address_not_available ||
          error == std::errc::address_family_not_supported) {
        left_out = error;
        continue;
      }
      if (error) return error;
      listeners_.push_back(std::move(listener));
    }
    return listeners_.empty() ? left_out : ErrorCode();
  }

  static ErrorCode listen(tcp::acceptor& acceptor, const tcp::endpoint& endpoint) {
    ErrorCode error;
    acceptor.open(endpoint.protocol(), error);
    if (!error) acceptor.set_option(tcp::acceptor::reuse_address(true), error);
    if (!error && endpoint.address().is_v6()) acceptor.set_option(asio::ip::v6_only(false), error);
    if (!error) acceptor.bind(endpoint, error);
    if (!error) acceptor.listen(tcp::acceptor::max_listen_connections, error);
    return error;
  }

  void accept(Listener& from) {
    Loop& loop = *loops_[next_loop_++ % loops_.size()];
    from.acceptor.async_accept(
        loop.context(), [this, &from, &loop](ErrorCode error, tcp::socket socket) {
          if (error == asio::error::operation_aborted || !from.acceptor.is_open()) return;
          if (error) {
            if (!std::exchange(from.failed, true)) {
              spdlog::warn("http: cannot accept a connection: {} (raise the limit on open files?)",
                           error.message());
            }
            from.pause.expires_after(kAcceptPause);
            from.pause.async_wait([this, &from](ErrorCode cancelled) {
              if (!cancelled && from.acceptor.is_open()) accept(from);
            });
            return;
          }
          from.failed = false;
          take(loop, std::move(socket));
          accept(from);
        });
  }

  void take(Loop& loop, tcp::socket socket) {
    if (shared_.connections.load() >= shared_.options.max_connections) {
      static constexpr std::string_view kFull =
          "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
      ErrorCode ignored;
      socket.non_blocking(true, ignored);
      socket.write_some(asio::buffer(kFull), ignored);
      return;
    }
    auto session = std::make_shared<Session>(std::move(socket), loop);
    asio::post(loop.context(),
               [&loop, session = std::move(session)]() mutable { loop.add(std::move(session)); });
  }

  Shared shared_;
  std::vector<std::unique_ptr<Loop>> loops_;
  std::vector<std::unique_ptr<Listener>> listeners_;  // on the first loop
  std::size_t next_loop_ = 0;
  std::string address_;
  bool started_ = false;
};

Result<std::unique_ptr<Server>> Server::bind(ServerOptions options) {
  auto impl = std::make_unique<Impl>(std::move(options));
  if (auto error = impl->bind()) return std::move(*error);
  return std::unique_ptr<Server>(new Server(std::move(impl)));
}

Server::Server(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Server::~Server() = default;

std::string Server::address() const { return impl_->address(); }
void Server::start(Broker& broker) { impl_->start(broker); }
void Server::drain() { impl_->drain(); }
void Server::stop(std::chrono::milliseconds timeout) { impl_->stop(timeout); }

}  // namespace stub::http
