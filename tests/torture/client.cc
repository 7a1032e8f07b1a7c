// SPDX-License-Identifier: Apache-2.0
#include "tests/torture/client.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <utility>

namespace ha::torture {
namespace {

// The length of the body that the head announces.
std::size_t content_length(std::string head) {
  std::transform(head.begin(), head.end(), head.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  constexpr std::string_view kName = "\r\ncontent-length:";
  const std::size_t at = head.find(kName);
  if (at == std::string::npos) throw Failure("an HTTP answer without a length: " + head);
  return std::strtoull(head.c_str() + at + kName.size(), nullptr, 10);
}

}  // namespace

Answer Client::get(const std::string& target, Milliseconds deadline) {
  return call("GET " + target + " HTTP/1.1\r\nHost: torture\r\n\r\n", deadline);
}

Answer Client::post(const std::string& target, std::string_view body, Milliseconds deadline) {
  return send("POST " + target, "text/plain", body, deadline);
}

Answer Client::put(const std::string& target, std::string_view json, Milliseconds deadline) {
  return send("PUT " + target, "application/json", json, deadline);
}

Answer Client::send(const std::string& what, const std::string& type, std::string_view body,
                    Milliseconds deadline) {
  const std::string token =
      server_.token.empty() ? "" : "Authorization: Bearer " + server_.token + "\r\n";
  return call(what + " HTTP/1.1\r\nHost: torture\r\n" + token + "Content-Type: " + type +
                  "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
                  std::string(body),
              deadline);
}

Answer Client::call(const std::string& request, Milliseconds deadline) {
  const auto end = system::Clock::now() + deadline;
  if (!connection_) {
    try {
      connection_.emplace(server_.address, server_.network);
    } catch (const Failure& failure) {
      throw NobodyThere(failure.what());
    }
  }
  try {
    connection_->send(request);
    std::string got;
    std::size_t head_end = 0;
    while ((head_end = got.find("\r\n\r\n")) == std::string::npos) got += receive(end);
    const std::string head = got.substr(0, head_end + 2);
    const std::size_t whole = head_end + 4 + content_length(head);
    while (got.size() < whole) got += receive(end);
    return {std::atoi(head.c_str() + std::min<std::size_t>(head.size(), 9)),
            got.substr(head_end + 4)};
  } catch (const Failure&) {
    connection_.reset();
    throw;
  }
}

std::string Client::receive(system::Clock::time_point end) {
  const auto left = std::chrono::duration_cast<Milliseconds>(end - system::Clock::now());
  std::string more = connection_->receive(65536, std::max(left, Milliseconds(0)));
  if (more.empty()) throw Failure(server_.address.text() + " closed without a whole answer");
  return more;
}

}  // namespace ha::torture
