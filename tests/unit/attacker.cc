// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/attacker.h"

#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <utility>

namespace ha::testing {
namespace {

bool send_output(net::TlsSession& tls, Peer& to) {
  const auto output = tls.output();
  const bool sent = to.send(output);
  tls.sent(output.size());
  return sent;
}

// What was decrypted goes to plain, what TLS has to say to its peer.
bool decrypt(net::TlsSession& tls, std::span<const std::byte> bytes, Peer& peer, Peer& plain) {
  std::array<std::byte, 16384> room;
  tls.feed(bytes);
  for (;;) {
    std::size_t size = 0;
    const auto found = tls.read(room, size);
    if (!send_output(tls, peer)) return false;
    if (found == net::TlsSession::Read::kWantsMore) return true;
    if (found != net::TlsSession::Read::kBytes) return false;
    if (!plain.send(std::span(room).first(size))) return false;
  }
}

}  // namespace

void Port::serve(std::function<bool(Caller&)> on_call, Take take) {
  on_call_ = std::move(on_call);
  take_ = std::move(take);
  thread_ = std::thread([this] { run(); });
}

void Port::end() {
  ended_ = true;
  const Peer wakes_it = Peer::to(port());
  thread_.join();
}

void Port::run() {
  for (;;) {
    std::vector<pollfd> watched = {{listener_.fd(), POLLIN, 0}};
    for (const Caller& caller : callers_) {
      watched.push_back({caller.near.fd(), POLLIN, 0});
      watched.push_back({caller.far.fd(), POLLIN, 0});  // -1: not there, not looked at
    }
    ::poll(watched.data(), watched.size(), -1);
    if (ended_) return;
    std::size_t at = 1;
    for (auto caller = callers_.begin(); caller != callers_.end(); at += 2) {
      const auto one = caller++;
      const bool goes_on = (watched[at].revents == 0 || read(*one, false)) &&
                           (watched[at + 1].revents == 0 || read(*one, true));
      if (!goes_on) callers_.erase(one);
    }
    if (watched[0].revents == 0) continue;
    callers_.push_back({listener_.accept(), {}, {}});
    if (!on_call_(callers_.back())) callers_.pop_back();
  }
}

bool Port::read(Caller& caller, bool from_far) {
  std::array<std::byte, 65536> room;
  const int fd = from_far ? caller.far.fd() : caller.near.fd();
  const ssize_t n = ::recv(fd, room.data(), room.size(), 0);
  return n > 0 && take_(caller, from_far, std::span(room).first(static_cast<std::size_t>(n)));
}

Road::Road(std::int64_t target, std::shared_ptr<net::TlsContext> context, Tls tls,
           const std::string& dialled)
    : tls_(tls) {
  serve(
      [=, this](Caller& caller) {
        caller.far = Peer::to(target);
        if (!context) return true;
        caller.tls = tls_ == Tls::kToTarget ? context->dial(dialled) : context->accept();
        if (tls_ == Tls::kFromCaller) return true;
        return decrypt(*caller.tls, {}, caller.far, caller.near);  // a client begins
      },
      [this](Caller& caller, bool from_far, std::span<const std::byte> bytes) {
        return carry(caller, from_far, bytes);
      });
}

bool Road::carry(Caller& caller, bool from_far, std::span<const std::byte> bytes) {
  Peer& from = from_far ? caller.far : caller.near;
  Peer& to = from_far ? caller.near : caller.far;
  if (caller.tls && from_far == (tls_ == Tls::kToTarget)) {
    return decrypt(*caller.tls, bytes, from, to);
  }
  if (caller.tls) return caller.tls->write(bytes) && send_output(*caller.tls, to);
  std::vector<std::byte> copy(bytes.begin(), bytes.end());
  if (flip_[from_far ? 1 : 0].exchange(false)) copy.back() ^= std::byte{1};
  return to.send(copy);
}

Impostor::Impostor(std::vector<wire::native::Bytes> words) {
  serve(
      [this, words = std::move(words)](Caller& caller) {
        ++called_;
        for (const auto& message : words) caller.near.send(message);
        return true;
      },
      [this](Caller&, bool, std::span<const std::byte> bytes) {
        heard_ += bytes.size();
        return true;
      });
}

}  // namespace ha::testing
