#include "tests/torture/readers.h"

#include <algorithm>
#include <functional>
#include <random>

#include "tests/system/json.h"

namespace ha::torture {
namespace {

constexpr Milliseconds kAnswerWithin{2000};
constexpr Milliseconds kPause{100};
constexpr std::int64_t kMost = 1000;
constexpr unsigned kLookBackEvery = 8;  // polls

}  // namespace

Readers::Readers(std::vector<Endpoint> nodes, std::vector<std::string> names)
    : nodes_(std::move(nodes)), names_(std::move(names)) {
  for (std::size_t i = 0; i < nodes_.size(); ++i) threads_.emplace_back([this, i] { work(i); });
}

Readers::~Readers() {
  stopping_ = true;
  for (std::thread& thread : threads_) thread.join();
}

std::string Readers::wrong() const {
  const std::lock_guard lock(mutex_);
  return wrong_;
}

void Readers::complain(const std::string& text) {
  const std::lock_guard lock(mutex_);
  if (wrong_.empty()) wrong_ = text;
}

void Readers::work(std::size_t node) {
  std::minstd_rand random(static_cast<unsigned>(node) + 11);
  Client client(nodes_[node]);
  std::int64_t next = 0;
  while (!stopping_) {
    // Now and then something old, since it might have changed.
    const bool back = next > kMost && random() % kLookBackEvery == 0;
    const std::int64_t from = back ? static_cast<std::int64_t>(random()) % next : next;
    std::int64_t then = from;
    try {
      const Answer answer = client.get("/v1/topics/T/messages?from=" + std::to_string(from) +
                                           "&max=" + std::to_string(kMost) + "&wait_ms=300",
                                       kAnswerWithin);
      if (answer.status == 200) then = take(node, from, answer.body);
    } catch (const Failure&) {
      // It is away.
    }
    if (!back) next = std::max(then, next);
    if (then == from) std::this_thread::sleep_for(kPause);
  }
}

std::int64_t Readers::take(std::size_t node, std::int64_t from, const std::string& body) {
  const system::json::value document = system::parse_json(body);
  std::int64_t expected = from;
  std::int64_t last_offset = -1;
  for (const auto& message : system::at(document, "messages").as_array()) {
    const auto number = system::number_at(message, "number");
    const auto offset = system::number_at(message, "offset");
    const std::uint64_t hash = std::hash<std::string>{}(system::text_at(message, "body"));
    const std::string where = "the reader of '" + names_[node] + "': message " +
                              std::to_string(number) + " at offset " + std::to_string(offset) + " ";
    if (number != expected++) complain(where + "comes where another number was due");
    if (offset <= last_offset) complain(where + "lies before the one before it");
    last_offset = offset;
    const std::lock_guard lock(mutex_);
    const auto at = static_cast<std::size_t>(number);
    if (seen_.size() <= at) seen_.resize(at + 1);
    Seen& seen = seen_[at];
    if (seen.offset < 0) seen = {offset, hash, static_cast<std::uint8_t>(node)};
    if ((seen.offset != offset || seen.hash != hash) && wrong_.empty()) {
      wrong_ = where + "is not the one that the reader of '" + names_[seen.by] +
               "' was shown earlier at offset " + std::to_string(seen.offset);
    }
    ++read_;
  }
  if (system::number_at(document, "end") < from) ++went_back_;
  return expected;
}

}  // namespace ha::torture
