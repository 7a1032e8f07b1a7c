// SPDX-License-Identifier: Apache-2.0
#include "tests/torture/readers.h"

#include <algorithm>
#include <functional>
#include <random>

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
  Place place;
  while (!stopping_) {
    // Now and then something old, since it might have changed, or be gone.
    const bool back = place.cursor > 0 && random() % kLookBackEvery == 0;
    Place old;
    if (back) old.cursor = static_cast<std::int64_t>(random()) % place.cursor;
    Place& at = back ? old : place;
    const std::int64_t from = at.cursor;
    try {
      const Answer answer = client.get("/v1/topics/T/messages?from=" + std::to_string(from) +
                                           "&max=" + std::to_string(kMost) + "&wait_ms=300",
                                       kAnswerWithin);
      if (answer.status == 200) take(node, at, answer.body);
    } catch (const Failure&) {
      // It is away.
    }
    if (at.cursor == from) std::this_thread::sleep_for(kPause);
  }
}

void Readers::take(std::size_t node, Place& place, const std::string& body) {
  const system::json::value document = system::parse_json(body);
  const auto* skipped = document.as_object().if_contains("skipped");
  const std::int64_t first = system::number_at(document, "first");
  const std::int64_t next = system::number_at(document, "next");
  const std::string who = "the reader of '" + names_[node] + "' ";
  if (skipped != nullptr) {
    ++skips_;
    if (system::number_at(*skipped, "from") != place.cursor ||
        system::number_at(*skipped, "to") != first || first <= place.cursor)
      complain(who + "at " + std::to_string(place.cursor) + " was told " + body.substr(0, 300));
  } else if (place.cursor < first) {
    complain(who + "at " + std::to_string(place.cursor) + " was not told that the log begins at " +
             std::to_string(first));
  }
  if (next < place.cursor) complain(who + "was sent back to " + std::to_string(next));
  if (system::number_at(document, "end") < place.cursor) ++went_back_;
  // A queue whose messages were skipped shows it when it goes on, which may be later.
  if (skipped != nullptr) place.queues.clear();
  for (const auto& message : system::at(document, "messages").as_array())
    take_message(node, place, message);
  place.cursor = std::max(place.cursor, next);
}

void Readers::take_message(std::size_t node, Place& place, const system::json::value& message) {
  const auto offset = system::number_at(message, "offset");
  const auto queue = system::number_at(message, "queue");
  const auto queue_offset = system::number_at(message, "queue_offset");
  const std::uint64_t hash = std::hash<std::string>{}(system::text_at(message, "body"));
  const std::string where = "the reader of '" + names_[node] + "': message " +
                            std::to_string(queue_offset) + " of queue " + std::to_string(queue) +
                            " at offset " + std::to_string(offset) + " ";
  if (offset < place.cursor) complain(where + "lies before the cursor or the one before it");
  place.cursor = offset + 1;
  const auto [due, first_of_queue] = place.queues.emplace(queue, queue_offset);
  if (due->second != queue_offset)
    complain(where + "comes where " + std::to_string(due->second) + " was due");
  due->second = queue_offset + 1;
  const std::lock_guard lock(mutex_);
  const Seen now{queue, queue_offset, hash, static_cast<std::uint8_t>(node)};
  const Seen& seen = seen_.emplace(offset, now).first->second;
  if ((seen.queue != queue || seen.queue_offset != queue_offset || seen.hash != hash) &&
      wrong_.empty()) {
    wrong_ = where + "is not the one that the reader of '" + names_[seen.by] +
             "' was shown there earlier";
  }
  ++read_;
}

}  // namespace ha::torture
