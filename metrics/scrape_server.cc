#include "metrics/scrape_server.h"

#include <CivetServer.h>
#include <arpa/inet.h>
#include <prometheus/exposer.h>
#include <sys/socket.h>

#include <charconv>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <new>
#include <optional>
#include <string_view>
#include <thread>
#include <vector>

#include "metrics/listening_socket.h"
#include "metrics/signal_guards.h"

namespace ha::metrics {
namespace {

// civetweb's threads begin within milliseconds; more than this means that the machine stands still.
constexpr std::chrono::seconds kThreadStartLimit{10};
constexpr unsigned kFeatureIpv6 = 8;  // mg_check_feature's number
constexpr int kAllThreads = ScrapeServer::kWorkers + 1;

// civetweb's callbacks carry nothing that leads back to who started it, hence one start at a time
// and one place that they report to.
struct Startup {
  std::mutex one_at_a_time;

  std::mutex mutex;
  std::condition_variable begun;
  int threads_begun = 0;
  std::thread::id starter;  // none: nobody is starting
  std::string first_message;
};

Startup& startup() {
  static Startup instance;
  return instance;
}

// Runs on each of civetweb's threads after it has changed SIGPIPE.
void* on_thread_begun(const mg_context*, int) {
  Startup& s = startup();
  const std::lock_guard lock(s.mutex);
  ++s.threads_begun;
  s.begun.notify_all();
  return nullptr;
}

// Failures to listen are said on the starter's thread; what workers say later has no reader.
int on_message(const mg_connection*, const char* text) {
  Startup& s = startup();
  const std::lock_guard lock(s.mutex);
  if (s.starter == std::this_thread::get_id() && s.first_message.empty()) s.first_message = text;
  return 1;
}

struct ListenAddress {
  bool ipv6 = false;
  std::string ip;
  std::uint16_t port = 0;
};

// Strict, since civetweb's own syntax has more in it: lists, "s" for TLS, "r" for redirects.
std::optional<ListenAddress> parse(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  std::string_view ip = text.substr(0, colon);
  const std::string_view port = text.substr(colon + 1);
  ListenAddress result;
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), result.port);
  if (port.empty() || error != std::errc{} || end != port.data() + port.size()) return std::nullopt;
  if (ip.size() >= 2 && ip.front() == '[' && ip.back() == ']') {
    result.ipv6 = true;
    ip = ip.substr(1, ip.size() - 2);
  }
  result.ip = ip;
  in6_addr binary{};
  const int family = result.ipv6 ? AF_INET6 : AF_INET;
  if (inet_pton(family, result.ip.c_str(), &binary) != 1) return std::nullopt;
  return result;
}

std::string wait_for_threads() {
  Startup& s = startup();
  std::unique_lock lock(s.mutex);
  if (s.begun.wait_for(lock, kThreadStartLimit, [&] { return s.threads_begun >= kAllThreads; })) {
    return "";
  }
  return "only " + std::to_string(s.threads_begun) + " of " + std::to_string(kAllThreads) +
         " threads began within " + std::to_string(kThreadStartLimit.count()) +
         " s (the machine is overloaded or out of threads; try again)";
}

}  // namespace

ScrapeServer::ScrapeServer() = default;
ScrapeServer::~ScrapeServer() { stop(); }

std::string ScrapeServer::start(const std::string& address,
                                const std::shared_ptr<prometheus::Collectable>& collectable) {
  const std::string subject = "cannot serve metrics on '" + address + "': ";
  if (exposer_) return subject + "already serving on '" + address_ + "' (stop that first)";
  const auto parsed = parse(address);
  if (!parsed) {
    return subject +
           "not an IP address and port (write ADDR:PORT, such as 127.0.0.1:9404 or [::1]:9404; "
           "port 0 "
           "lets the system pick)";
  }
  if (parsed->ipv6 && mg_check_feature(kFeatureIpv6) == 0) {
    return subject +
           "this system's civetweb was built without IPv6 (use an IPv4 address, such as "
           "127.0.0.1:" +
           std::to_string(parsed->port) + ", or serve the metrics' text from the host)";
  }

  Startup& s = startup();
  const std::lock_guard one(s.one_at_a_time);
  {
    const std::lock_guard lock(s.mutex);
    s.threads_begun = 0;
    s.starter = std::this_thread::get_id();
    s.first_message.clear();
  }
  std::string problem;
  {
    const KeepSigpipe keep_sigpipe;
    const BlockAllSignals block;
    try {
      CivetCallbacks callbacks;
      callbacks.init_thread = on_thread_begun;
      callbacks.log_message = on_message;
      exposer_ = std::make_unique<prometheus::Exposer>(
          std::vector<std::string>{"listening_ports", address, "num_threads",
                                   std::to_string(kWorkers), "request_timeout_ms",
                                   std::to_string(kRequestTimeoutMs)},
          &callbacks);
      problem = wait_for_threads();
      exposer_->RegisterCollectable(collectable);
      const std::vector<int> ports = exposer_->GetListeningPorts();
      port_ = ports.empty() ? 0 : ports.front();
      ip_ = parsed->ip;
    } catch (const std::bad_alloc&) {
      throw;
    } catch (const std::exception& e) {
      const std::lock_guard lock(s.mutex);
      problem = (s.first_message.empty() ? e.what() : s.first_message) +
                " (choose another address or port; port 0 lets the system pick one)";
    }
    if (!problem.empty()) stop();
  }
  {
    const std::lock_guard lock(s.mutex);
    s.starter = {};
  }
  if (!problem.empty()) return subject + problem;
  address_ = address;
  return "";
}

void ScrapeServer::stop() {
  if (exposer_ && port_ != 0) {
    // The accepting thread polls for two seconds at a time and only then looks for its stop flag. A
    // socket that is shut down ends the poll at once. (A connection would too, but civetweb never
    // closes one that it has accepted and not begun to serve when it stops.)
    if (const int fd = find_listening_socket(ip_, port_); fd >= 0) shutdown(fd, SHUT_RDWR);
  }
  exposer_.reset();
  address_.clear();
  port_ = 0;
}

}  // namespace ha::metrics
