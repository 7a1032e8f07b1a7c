// SPDX-License-Identifier: Apache-2.0
// From a client's request to its answer: see local_broker.h for the way.

#include <spdlog/spdlog.h>

#include <algorithm>

#include "broker/local_broker.h"
#include "broker/names.h"

namespace stub {
namespace {

// One append writes about this much. Other producers wait for the append mutex meanwhile.
constexpr std::size_t kRunBytes = std::size_t{1} << 20;
// To write a record in three pieces costs about as much as to copy a body of a few kilobytes.
constexpr std::size_t kLargeBodyBytes = 8 << 10;

std::int64_t system_now_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

std::optional<std::string> item_fault(const ProduceItem& item, std::size_t number) {
  const std::string which = "message " + std::to_string(number) + ": ";
  const auto size = static_cast<std::int64_t>(item.body.size());
  if (size > store::kMaxBodyBytes)
    return which + "its body has " + std::to_string(size) + " bytes, allowed are " +
           std::to_string(store::kMaxBodyBytes);
  if (item.key.size() > kMaxKeyBytes)
    return which + "its key has " + std::to_string(item.key.size()) + " bytes, allowed are " +
           std::to_string(kMaxKeyBytes);
  if (item.key.find_first_of("\x01\x02") != std::string::npos)
    return which + "its key contains a byte 1 or 2, which the log uses to end properties";
  return std::nullopt;
}

// The log stores them in order: how many, from the first on.
std::size_t stored_of(std::span<const store::NewMessage> messages) {
  const auto end = std::find_if(messages.begin(), messages.end(),
                                [](const auto& message) { return message.offset < 0; });
  return static_cast<std::size_t>(end - messages.begin());
}

// As a client asks for them.
std::string acks_name(std::int32_t acks) {
  switch (acks) {
    case HA_ACKS_DEFAULT:
      return "default";
    case HA_ACKS_ALL_IN_SYNC:
      return "all";
    case HA_ACKS_QUORUM:
      return "quorum";
    default:
      return std::to_string(acks);
  }
}

}  // namespace

struct LocalBroker::Pending {
  std::function<void(ProduceResult)> done;
  ProduceResult result;
  std::size_t messages = 0;
  std::int32_t acks = 0;
  std::int32_t durability = HA_DURABILITY_DEFAULT;
  std::chrono::steady_clock::time_point deadline;
  std::int64_t timeout_ms = 0;
  std::int64_t epoch = 0;  // in which the messages were appended

  void finish(std::int32_t status, std::string text) {
    result.status = status;
    result.text = std::move(text);
    done(std::move(result));
  }
  // Returns whether all of the request's messages are stored.
  bool note_stored(std::span<const store::NewMessage> own) {
    const std::size_t count = stored_of(own);
    result.stored = static_cast<std::int64_t>(count);
    if (count > 0) {
      const store::NewMessage& last = own[count - 1];
      result.first_offset = own.front().offset;
      result.end_offset = last.offset + last.size();
    }
    return count == own.size();
  }
};

Error LocalBroker::not_master(const std::string& what) const {
  const std::string master = master_address();
  if (role() == Role::kSlave)
    return make_error(HA_NOT_MASTER,
                      "this node is a slave and " + what + "; its master is " +
                          (master.empty() ? std::string("not known") : "at " + master));
  return make_error(HA_NOT_MASTER, "this node is not a master and " + what +
                                       "; promote it, or ask the node that is");
}

std::optional<Error> LocalBroker::check_request(const ProduceRequest& request) const {
  const auto invalid = [](std::string text) { return make_error(HA_INVALID, std::move(text)); };
  if (auto wrong = check_send_topic(request.topic)) return wrong;
  if (request.items.empty())
    return invalid("there is no message in the request; send at least one");
  for (std::size_t i = 0; i < request.items.size(); ++i)
    if (auto fault = item_fault(request.items[i], i)) return invalid(std::move(*fault));
  if (request.queue && (*request.queue < 0 || *request.queue >= options_.queues_per_topic))
    return invalid("queue " + std::to_string(*request.queue) + ": allowed are 0 to " +
                   std::to_string(options_.queues_per_topic - 1));
  if (request.acks < HA_ACKS_ALL_IN_SYNC)
    return invalid("acks " + std::to_string(request.acks) +
                   ": allowed are copies from 1 up, 0 (the default), -1 (a quorum) and -2 (all)");
  if (request.timeout_ms < 1)
    return invalid("timeout_ms " + std::to_string(request.timeout_ms) + ": must be at least 1");
  if (request.delay_ms < 0 || request.delay_ms > kMaxDelayMs)
    return invalid("delay_ms " + std::to_string(request.delay_ms) + ": allowed are 0 to " +
                   std::to_string(kMaxDelayMs));
  if (index_.topic_count() >= kMaxTopics && !index_.has_topic(request.topic))
    return make_error(HA_AGAIN, "topic '" + request.topic + "' would be new, and there are " +
                                    std::to_string(kMaxTopics) + " already, the most there may be");
  return std::nullopt;
}

int LocalBroker::choose_queue(const ProduceRequest& request, const ProduceItem& item) {
  const auto queues = static_cast<unsigned>(options_.queues_per_topic);
  if (request.queue) return *request.queue;
  // body_crc as a hash: the same on every node and in every build, so a key keeps its queue.
  if (!item.key.empty()) return static_cast<int>(store::body_crc(item.key) % queues);
  return static_cast<int>(next_queue_.fetch_add(1, std::memory_order_relaxed) % queues);
}

store::NewMessage LocalBroker::encode(const ProduceRequest& request, const ProduceItem& item,
                                      std::int64_t now_ms) {
  store::NewMessage out;
  const int queue = choose_queue(request, item);
  store::Properties properties;
  if (!item.key.empty()) properties.emplace_back("KEYS", item.key);
  const bool scheduled = request.delay_ms > 0;
  if (scheduled) {
    properties.emplace_back(store::kRealTopic, request.topic);
    properties.emplace_back(store::kRealQueue, std::to_string(queue));
    properties.emplace_back(store::kDeliverAt, std::to_string(now_ms + request.delay_ms));
  }
  out.topic = scheduled ? store::kScheduleTopic : std::string_view(request.topic);
  out.queue = scheduled ? 0 : queue;
  const bool large = item.body.size() >= kLargeBodyBytes;
  if (large) out.left_out = store::summed(item.body);
  out.record = large ? store::encode_record(out.topic, out.queue, out.left_out, properties, now_ms)
                     : store::encode_record(out.topic, out.queue, item.body, properties, now_ms);
  return out;
}

void LocalBroker::produce_all(std::vector<Produce> asked) {
  const std::int64_t now_ms = system_now_ms();
  std::vector<std::shared_ptr<Pending>> run;
  std::vector<store::NewMessage> messages;
  std::size_t bytes = 0;
  const auto append_run = [&] {
    append(run, messages);
    run.clear();
    messages.clear();
    bytes = 0;
  };
  for (auto& one : asked) {
    // Each request may make a topic. Near the limit, the topics of those before it must count.
    if (index_.topic_count() + run.size() >= kMaxTopics) append_run();
    auto pending = accept(one.request, std::move(one.done));
    if (!pending) continue;
    for (const auto& item : one.request.items) {
      messages.push_back(encode(one.request, item, now_ms));
      bytes += static_cast<std::size_t>(messages.back().size());
    }
    run.push_back(std::move(pending));
    if (bytes >= kRunBytes) append_run();
  }
  append_run();
}

std::shared_ptr<LocalBroker::Pending> LocalBroker::accept(const ProduceRequest& request,
                                                          std::function<void(ProduceResult)> done) {
  auto pending = std::make_shared<Pending>();
  pending->done = std::move(done);
  pending->messages = request.items.size();
  pending->acks = request.acks;
  pending->durability =
      request.durability == HA_DURABILITY_DEFAULT ? default_durability_.load() : request.durability;
  pending->timeout_ms = request.timeout_ms;
  const auto refuse = [&](std::int32_t status, std::string text) {
    pending->finish(status, std::move(text));
    return nullptr;
  };
  if (auto error = check_request(request)) return refuse(error->status, error->text);
  if (stopping_) return refuse(HA_SHUTDOWN, "this node is stopping");
  if (role() != Role::kMaster) {
    const Error error = not_master();
    return refuse(error.status, error.text);
  }
  pending->deadline =
      std::chrono::steady_clock::now() + std::chrono::milliseconds(request.timeout_ms);
  const std::int32_t allowed = instance_->check_acks(request.acks, pending->durability);
  if (allowed < 0)
    return refuse(allowed,
                  allowed == HA_NOT_MASTER ? not_master().text : wait_text(allowed, *pending));
  // Before the append: if the master changes meanwhile the wait ends with EPOCH, not with another's
  // bytes.
  pending->epoch = epoch_;
  return pending;
}

void LocalBroker::append(std::span<const std::shared_ptr<Pending>> run,
                         std::span<store::NewMessage> messages) {
  const bool several = run.size() > 1;
  const store::Appended together = log_->append_messages(messages);
  for (const auto& pending : run) {
    const auto own = messages.first(pending->messages);
    messages = messages.subspan(own.size());
    std::optional<Error> error = together.error;
    // A request that the log refuses, for want of room or for its size, must not fail the others.
    if (error && several) error = log_->append_messages(own.subspan(stored_of(own))).error;
    if (pending->note_stored(own)) {
      flush(pending);
    } else {
      pending->finish(error->status,
                      error->status == HA_NOT_MASTER ? not_master().text : error->text);
    }
  }
}

void LocalBroker::flush(const std::shared_ptr<Pending>& pending) {
  // The slaves get it meanwhile.
  if (options_.flush != FlushPolicy::kSync && pending->durability != HA_DURABILITY_DURABLE)
    return replicate(pending);
  log_->when_durable(pending->result.end_offset,
                     [this, pending](const std::optional<Error>& error) {
                       if (error) return pending->finish(error->status, error->text);
                       replicate(pending);
                     });
}

void LocalBroker::replicate(const std::shared_ptr<Pending>& pending) {
  if (pending->acks == 1) return pending->finish(HA_OK, "");
  // What the flush took is gone, but an ack that is there already must still count.
  const auto left = std::max<std::chrono::nanoseconds>(
      pending->deadline - std::chrono::steady_clock::now(), std::chrono::milliseconds(1));
  const std::int32_t status =
      instance_->wait({.end = pending->result.end_offset,
                       .acks = pending->acks,
                       .timeout = left,
                       .durability = pending->durability,
                       .epoch = pending->epoch},
                      [this, pending](std::int32_t waited, std::int64_t) {
                        pending->finish(waited, wait_text(waited, *pending));
                      });
  if (status == HA_DONE) return pending->finish(HA_OK, "");
  if (status < 0) pending->finish(status, wait_text(status, *pending));
}

std::string LocalBroker::wait_text(std::int32_t status, const Pending& pending) const {
  if (status == HA_OK) return "";
  const std::string stored =
      pending.result.stored == 0
          ? "; nothing was stored"
          : "; stored here: " + std::to_string(pending.result.stored) +
                ", which may yet reach the slaves: sending again may duplicate them";
  const std::string acks = "acks " + acks_name(pending.acks);
  switch (status) {
    case HA_FLUSH_SLAVE_TIMEOUT:
      return acks + ": not enough copies within " + std::to_string(pending.timeout_ms) + " ms" +
             stored;
    case HA_SLAVE_NOT_AVAILABLE:
      return acks + ": no slave is connected; start one, or produce with acks 1" + stored;
    case HA_IN_SYNC_REPLICAS_NOT_ENOUGH:
      return acks + ": fewer replicas are in sync than min_in_sync_replicas asks for" + stored;
    case HA_UNSUPPORTED:
      return acks +
             (pending.acks == HA_ACKS_QUORUM
                  ? ": no set of replicas is configured (--replicas)"
                  : ": durable copies were asked for, and no slave is there that can say "
                    "what is durable (RocketMQ's cannot)") +
             stored;
    case HA_NOT_MASTER:
      return "this node stopped being the master before the copies were made" + stored;
    case HA_SHUTDOWN:
      return "this node stopped before the copies were made" + stored;
    default:
      return acks + ": the plugin answered " + instance_->plugin().status_text(status) + stored;
  }
}

}  // namespace stub
