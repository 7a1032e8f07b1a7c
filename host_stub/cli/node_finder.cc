// SPDX-License-Identifier: Apache-2.0
#include "cli/node_finder.h"

#include <algorithm>
#include <thread>

#include "cli/progress.h"
#include "ha/plugin.h"
#include "http/location.h"
#include "http/text.h"

namespace stub::cli {
namespace {

using std::chrono::milliseconds;

// As long as an operator, or a watcher, takes to promote another.
constexpr milliseconds kDefaultTimeout{30'000};
constexpr milliseconds kFirstPause{50};
constexpr milliseconds kLongestPause{500};
// A set has a handful of nodes. Each is tried in turn.
constexpr std::size_t kMaxBrokers = 32;
// A node that lies may name a new one each time.
constexpr std::size_t kMaxSaid = 2 * kMaxBrokers;

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(' ');
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(' ') - first + 1);
}

bool holds(const std::vector<http::BrokerUrl>& list, const http::BrokerUrl& url) {
  return std::any_of(list.begin(), list.end(),
                     [&](const auto& one) { return http::to_string(one) == http::to_string(url); });
}

}  // namespace

Result<std::vector<http::BrokerUrl>> parse_broker_list(std::string_view text) {
  const auto fail = [&](const std::string& why) {
    return Error{HA_INVALID, 0,
                 "broker: " + http::in_quotes(text) + " " + why +
                     " (try http://10.0.0.1:8080,http://10.0.0.2:8080)"};
  };
  std::vector<http::BrokerUrl> out;
  for (std::size_t place = 1, at = 0; at <= text.size(); ++place) {
    const auto comma = std::min(text.find(',', at), text.size());
    const auto item = trimmed(text.substr(at, comma - at));
    at = comma + 1;
    if (item.empty()) return fail("has no URL at place " + std::to_string(place));
    auto url = http::parse_broker_url(item);
    if (auto* error = std::get_if<Error>(&url)) return std::move(*error);
    if (!holds(out, std::get<http::BrokerUrl>(url)))
      out.push_back(std::get<http::BrokerUrl>(std::move(url)));
    if (out.size() > kMaxBrokers)
      return fail("names more than " + std::to_string(kMaxBrokers) + " brokers");
  }
  return out;
}

Result<NodeFinder> NodeFinder::open(std::string_view list, const BrokerAccess& access,
                                    std::optional<milliseconds> timeout) {
  auto urls = parse_broker_list(list);
  if (auto* error = std::get_if<Error>(&urls)) return std::move(*error);
  auto& found = std::get<std::vector<http::BrokerUrl>>(urls);
  const milliseconds usual = found.size() > 1 ? kDefaultTimeout : milliseconds(0);
  NodeFinder out(std::move(found), access, timeout.value_or(usual));
  if (auto error = out.go_to(out.list_.front())) return std::move(*error);
  return out;
}

Result<std::monostate> NodeFinder::next(const std::string& said, std::string_view location) {
  note(said);
  const auto now = Clock::now();
  if (!failing_since_) failing_since_ = now;
  const milliseconds wait = pause();
  if (now + wait - *failing_since_ >= timeout_) return give_up();
  std::this_thread::sleep_for(wait);
  ++tries_;
  if (auto error = go_to(choose(location))) return std::move(*error);
  return std::monostate{};
}

void NodeFinder::succeeded() {
  failing_since_.reset();
  tries_ = 0;
  said_.clear();
}

void NodeFinder::note(const std::string& said) {
  const std::string url = node_->url();
  // Most errors begin with the URL, which stands before them in the list.
  const std::string words = said.starts_with(url + " ") ? said.substr(url.size() + 1) : said;
  const auto known =
      std::find_if(said_.begin(), said_.end(), [&](const auto& one) { return one.first == url; });
  if (known != said_.end())
    known->second = words;
  else if (said_.size() < kMaxSaid)
    said_.emplace_back(url, words);
}

Error NodeFinder::give_up() const {
  std::string text = "no broker did it within " + duration_text(timeout_.count() * 1000) + ":";
  for (const auto& [url, words] : said_)
    text += (&words == &said_.front().second ? " " : "; ") + url + ": " + words;
  return Error{HA_TIMEOUT, 0, std::move(text)};
}

milliseconds NodeFinder::pause() const {
  const std::size_t round = tries_ / list_.size();
  if (round == 0) return milliseconds(0);
  return std::min(kFirstPause * (1 << std::min<std::size_t>(round - 1, 8)), kLongestPause);
}

http::BrokerUrl NodeFinder::choose(std::string_view location) {
  const auto named = http::parse_location(location);
  // A node that names itself is no help. Neither is plain HTTP, for what was meant for TLS.
  if (named && http::to_string(*named) != node_->url() &&
      (named->tls || !node_->connection().uses_tls()))
    return *named;
  at_ = (at_ + 1) % list_.size();
  return list_[at_];
}

bool NodeFinder::in_list(const http::BrokerUrl& url) const { return holds(list_, url); }

std::optional<Error> NodeFinder::go_to(const http::BrokerUrl& url) {
  BrokerAccess access = access_;
  if (!in_list(url))
    access = {.token_file = {}, .tls = {.cert = {}, .key = {}, .ca = access_.tls.ca}};
  auto opened = BrokerClient::open(url, access);
  if (auto* error = std::get_if<Error>(&opened)) return std::move(*error);
  node_.emplace(std::get<BrokerClient>(std::move(opened)));
  return std::nullopt;
}

}  // namespace stub::cli
