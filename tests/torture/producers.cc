// SPDX-License-Identifier: Apache-2.0
#include "tests/torture/producers.h"

#include <algorithm>
#include <random>

#include "tests/system/json.h"

namespace ha::torture {
namespace {

// How long a request waits for its copies, and how long its producer waits for the answer: a master
// that is stopped gives none, and another may have taken over.
constexpr const char* kWaitMs = "1000";
constexpr Milliseconds kAnswerWithin{2000};
constexpr const char* kNoAnswer = "no answer";
// Some hundreds of messages a second from all of them: the faults are the load.
constexpr Milliseconds kPause{12};
constexpr Milliseconds kPauseAfterRefusal{50};
// A node that gave no answer is left alone for up to that long, each producer as it likes: if all
// waited for it at once, nobody would see that another one has become master.
constexpr unsigned kLeaveAloneMs = 4000;
constexpr std::size_t kMostLines = 6;
constexpr std::size_t kMostBytes = 600;

}  // namespace

void AckClock::on_ack() {
  const std::lock_guard lock(mutex_);
  const auto now = system::Clock::now();
  longest_ = std::max(longest_, now - last_);
  last_ = now;
  ++acks_;
}

void AckClock::restart() {
  const std::lock_guard lock(mutex_);
  last_ = system::Clock::now();
  longest_ = {};
}

Milliseconds AckClock::longest_gap() const {
  const std::lock_guard lock(mutex_);
  return std::chrono::duration_cast<Milliseconds>(std::max(longest_, system::Clock::now() - last_));
}

Producers::Producers(std::vector<Endpoint> nodes, Ledger& ledger, int count)
    : nodes_(std::move(nodes)), ledger_(ledger) {
  for (int i = 0; i < count; ++i) threads_.emplace_back([this, i] { work(i); });
}

Producers::~Producers() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void Producers::pause() {
  std::unique_lock lock(mutex_);
  paused_ = true;
  changed_.wait(lock, [this] { return busy_ == 0; });
}

void Producers::resume() {
  clock_.restart();
  const std::lock_guard lock(mutex_);
  paused_ = false;
  changed_.notify_all();
}

std::map<std::string, std::size_t> Producers::answers() const {
  const std::lock_guard lock(mutex_);
  return answers_;
}

// False = the end.
bool Producers::wait_while_paused() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return stopping_ || !paused_; });
  if (stopping_) return false;
  ++busy_;
  return true;
}

void Producers::work(int number) {
  std::minstd_rand random(static_cast<unsigned>(number) + 1);
  std::size_t target = 0;
  std::vector<system::Clock::time_point> not_before(nodes_.size());
  std::unique_ptr<Client> client;
  while (wait_while_paused()) {
    if (!client) client = std::make_unique<Client>(nodes_[target]);
    const std::size_t count = 1 + random() % kMostLines;
    const std::size_t first = ledger_.issue(number, count);
    std::string lines;
    for (std::size_t i = 0; i < count; ++i) {
      lines += std::to_string(number) + "-" + std::to_string(first + i) + " " +
               std::string(random() % kMostBytes, static_cast<char>('a' + (first + i) % 26)) + "\n";
    }
    // The default of a set is its quorum: the same by two names.
    const std::string acks = random() % 2 == 0 ? "quorum" : "default";
    std::string word;
    Range place;
    const Fate fate =
        send(*client, "/v1/topics/T/messages?lines=1&acks=" + acks + "&timeout_ms=" + kWaitMs,
             lines, word, place);
    ledger_.settle(number, first, count, fate, place);
    if (fate == Fate::kAcknowledged) clock_.on_ack();
    {
      const std::lock_guard lock(mutex_);
      ++answers_[word];
      --busy_;
    }
    changed_.notify_all();
    if (fate != Fate::kAcknowledged) {
      client.reset();
      const auto now = system::Clock::now();
      if (word == kNoAnswer) not_before[target] = now + Milliseconds(random() % kLeaveAloneMs);
      for (std::size_t i = 0; i < nodes_.size(); ++i) {
        target = (target + 1) % nodes_.size();
        if (now >= not_before[target]) break;
      }
    }
    std::this_thread::sleep_for(fate == Fate::kAcknowledged ? kPause : kPauseAfterRefusal);
  }
}

Fate Producers::send(Client& client, const std::string& target, const std::string& lines,
                     std::string& word, Range& place) {
  try {
    const Answer answer = client.post(target, lines, kAnswerWithin);
    const system::json::value document = system::parse_json(answer.body);
    const auto* status = document.as_object().if_contains("status");
    word = status != nullptr ? std::string(status->as_string())
                             : system::text_at(document, "error/code");
    if (answer.status == 200) {
      place = {system::number_at(document, "first_offset"),
               system::number_at(document, "end_offset")};
      return Fate::kAcknowledged;
    }
    const auto* stored = document.as_object().if_contains("stored");
    return stored != nullptr && stored->to_number<int>() > 0 ? Fate::kUnknown : Fate::kRefused;
  } catch (const NobodyThere&) {
    word = "nobody there";
    return Fate::kRefused;
  } catch (const Failure&) {
    word = kNoAnswer;
    return Fate::kUnknown;
  }
}

}  // namespace ha::torture
