// SPDX-License-Identifier: Apache-2.0
#include "ha_plugin/net/master/accept_service.h"

#include <fmt/format.h>
#include <sys/socket.h>

#include <boost/asio/ip/v6_only.hpp>
#include <cerrno>
#include <utility>

#include "ha_plugin/base/clock.h"
#include "ha_plugin/net/io/cloexec_socket.h"
#include "metrics/adopt_descriptor.h"
#include "metrics/names.h"

namespace ha::net {

using boost::asio::ip::tcp;
using core::Reason;

namespace {

// Kept short of the kernel's usual 4096: slaves are few, and a flood of probes should queue there.
constexpr int kBacklog = 128;

// After accept ran out of descriptors or memory: trying at once would spin.
constexpr auto kAcceptRetry = std::chrono::milliseconds(100);

// IPv4 that came through an IPv6 socket is shown and judged as IPv4.
Address remote_of(const tcp::endpoint& endpoint) {
  boost::asio::ip::address ip = endpoint.address();
  if (ip.is_v6() && ip.to_v6().is_v4_mapped()) {
    ip = boost::asio::ip::make_address_v4(boost::asio::ip::v4_mapped, ip.to_v6());
  }
  return {ip.to_string(), endpoint.port()};
}

}  // namespace

AcceptService::AcceptService(boost::asio::io_context& context, const MasterParts& parts,
                             ReplicaSet& replicas)
    : parts_(parts), replicas_(replicas), acceptor_(context), retry_(context) {}

std::string AcceptService::open(int& os_errno) {
  const std::string shown = parts_.settings.listen.text();
  boost::system::error_code error;
  const auto ip = boost::asio::ip::make_address(parts_.settings.listen.host, error);
  if (error) {
    os_errno = 0;
    return fmt::format("option 'listen': '{}' needs an IP address, not a name (try 0.0.0.0:{})",
                       shown, parts_.settings.listen.port);
  }
  if (const std::string missing = missing_interface(parts_.settings.listen.host);
      !missing.empty()) {
    os_errno = ENODEV;
    return fmt::format("option 'listen': cannot bind {}: {}", shown, missing);
  }
  const auto fail = [&](const char* what) {
    os_errno = error.value();
    boost::system::error_code ignored;
    acceptor_.close(ignored);
    return fmt::format(
        "option 'listen': cannot {} {}: {} (choose a free port, or 0 to let the system pick)", what,
        shown, error.message());
  };
  const tcp::endpoint endpoint(ip, parts_.settings.listen.port);
  error = open_cloexec(acceptor_, endpoint.protocol());
  if (error) return fail("open a socket for");
  acceptor_.set_option(tcp::acceptor::reuse_address(true), error);
  if (!error && ip.is_v6()) acceptor_.set_option(boost::asio::ip::v6_only(false), error);
  if (!error) acceptor_.bind(endpoint, error);
  if (error) return fail("bind");
  acceptor_.listen(kBacklog, error);
  if (error) return fail("listen on");
  acceptor_.non_blocking(true, error);
  local_ = {parts_.settings.listen.host, acceptor_.local_endpoint(error).port()};
  return "";
}

void AcceptService::start() {
  accepting_ = true;
  wait_acceptable();
}

void AcceptService::stop() {
  accepting_ = false;
  parts_.log.turn(steady_now(), true);
  retry_.cancel();
  boost::system::error_code ignored;
  acceptor_.close(ignored);
}

void AcceptService::wait_acceptable() {
  acceptor_.async_wait(tcp::acceptor::wait_read, [this](const boost::system::error_code& error) {
    if (!accepting_) return;
    if (error) return wait_acceptable();
    try {
      on_acceptable();
    } catch (const std::exception& e) {
      parts_.host.warn(fmt::format("accept on {}: {}", local_.text(), e.what()));
      wait_acceptable();
    }
  });
}

void AcceptService::on_acceptable() {
  tcp::endpoint endpoint;
  auto size = static_cast<socklen_t>(endpoint.capacity());
  const int fd =
      ::accept4(acceptor_.native_handle(), endpoint.data(), &size, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (fd < 0) {
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
      return on_out_of_resources(errno);
    }
    return wait_acceptable();  // the peer has gone, or another passing error of its own
  }
  endpoint.resize(size);
  boost::system::error_code error;
  tcp::socket socket(acceptor_.get_executor());
  adopt_descriptor(socket, endpoint.protocol(), fd, error);
  if (!error) admit(std::move(socket), remote_of(endpoint));
  wait_acceptable();
}

void AcceptService::on_out_of_resources(int error) {
  parts_.log.log(HA_LOG_WARN, "failures to accept a connection",
                 fmt::format("accept on {}: {}; trying again", local_.text(),
                             std::generic_category().message(error)));
  retry_.expires_after(kAcceptRetry);
  retry_.async_wait([this](const boost::system::error_code& cancelled) {
    if (!cancelled && accepting_) wait_acceptable();
  });
}

void AcceptService::admit(tcp::socket socket, const Address& remote) {
  const Settings& settings = parts_.settings;
  parts_.metrics.connections_accepted.add();
  if (!settings.allow.allows(remote.host)) {
    return reject(remote, Reason::kNotAllowed,
                  fmt::format("not on the allow list (option 'allow': {})", settings.allow.text()));
  }
  // A node that keeps epochs answers candidates in any role, and without one too.
  if (!replicas_.serving() && !parts_.terms.keeps_epochs()) {
    return reject(remote, Reason::kNotServing, "this node has no role yet");
  }
  if (const core::Refusal full = replicas_.make_room(remote); !full.ok()) {
    return reject(remote, full.reason, full.text);
  }
  replicas_.add(std::move(socket), remote);
}

void AcceptService::reject(const Address& remote, Reason reason, const std::string& text) {
  parts_.metrics.rejected[static_cast<std::size_t>(reason)].add();
  const std::string name = metrics::reason_name(static_cast<std::int32_t>(reason));
  parts_.log.log(HA_LOG_WARN, fmt::format("refused connections ({})", name),
                 fmt::format("connection from {} refused: {}", remote.text(), text));
  replicas_.report_replica_event(HA_REPLICA_REFUSED, reason, remote);
}

}  // namespace ha::net
