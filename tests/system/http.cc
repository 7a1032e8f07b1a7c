// SPDX-License-Identifier: Apache-2.0
#include "tests/system/http.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <utility>

namespace ha::system {
namespace {

// The header's value, or "". Names are compared without regard to case.
std::string header(std::string_view head, std::string_view name) {
  std::string lower(head);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  const std::string wanted = "\r\n" + std::string(name) + ":";
  const std::size_t found = lower.find(wanted);
  if (found == std::string::npos) return "";
  std::size_t from = found + wanted.size();
  while (from < lower.size() && lower[from] == ' ') ++from;
  return lower.substr(from, lower.find('\r', from) - from);
}

int to_number(std::string_view text, const std::string& what) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{})
    throw Failure("bad " + what + " in an HTTP answer: " + std::string(text));
  return value;
}

}  // namespace

Http::Http(Address server, int network) : server_(std::move(server)), network_(network) {}

HttpResponse Http::get(const std::string& target) {
  return call("GET " + target + " HTTP/1.1\r\nHost: " + server_.text() + "\r\n\r\n", {});
}

HttpResponse Http::post(const std::string& target, std::string_view body,
                        std::string_view content_type) {
  return send("POST", target, body, content_type);
}

HttpResponse Http::put(const std::string& target, std::string_view body) {
  return send("PUT", target, body, "application/json");
}

HttpResponse Http::send(const std::string& method, const std::string& target, std::string_view body,
                        std::string_view content_type) {
  return call(method + " " + target + " HTTP/1.1\r\nHost: " + server_.text() +
                  "\r\nContent-Type: " + std::string(content_type) +
                  "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n",
              body);
}

HttpResponse Http::call(const std::string& head, std::string_view body) {
  if (!connection_) connection_.emplace(server_, network_);
  try {
    connection_->send(head + std::string(body));
    return read_response();
  } catch (const Failure&) {
    connection_.reset();
    buffered_.clear();
    throw;
  }
}

HttpResponse Http::read_response() {
  // A produce request may wait for its copies; its own timeout is well below this.
  std::size_t end = std::string::npos;
  while ((end = buffered_.find("\r\n\r\n")) == std::string::npos) {
    const std::string more = connection_->receive();
    if (more.empty()) throw Failure(server_.text() + " closed without an answer");
    buffered_ += more;
  }
  const std::string head = buffered_.substr(0, end + 2);
  buffered_.erase(0, end + 4);
  HttpResponse response;
  if (head.size() < 12) throw Failure("no HTTP answer: " + head);
  response.status = to_number(std::string_view(head).substr(9, 3), "status");
  const std::string length = header(head, "content-length");
  const bool until_close = length.empty();
  const auto size = static_cast<std::size_t>(until_close ? 0 : to_number(length, "length"));
  while (until_close || buffered_.size() < size) {
    const std::string more = connection_->receive();
    if (more.empty() && until_close) break;
    if (more.empty()) throw Failure(server_.text() + " closed within its answer");
    buffered_ += more;
  }
  response.body = until_close ? std::exchange(buffered_, {}) : buffered_.substr(0, size);
  if (!until_close) buffered_.erase(0, size);
  if (until_close || header(head, "connection") == "close") connection_.reset();
  return response;
}

}  // namespace ha::system
