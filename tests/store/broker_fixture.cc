// SPDX-License-Identifier: Apache-2.0
#include "broker_fixture.h"

#include <chrono>

#include "ha/ext/metadata.h"

namespace stub {

std::int32_t Fake::replicate(int from, int to, std::int64_t epoch) const {
  void* from_ctx = nullptr;
  void* to_ctx = nullptr;
  const ha_host_api& source = host(from, &from_ctx);
  const ha_host_api& target = host(to, &to_ctx);
  for (;;) {
    ha_bounds have{}, want{};
    source.bounds(from_ctx, &want);
    target.bounds(to_ctx, &have);
    if (have.end >= want.end) return HA_OK;
    char buffer[1000];
    std::int64_t got = 0;
    std::int32_t status = source.read(from_ctx, have.end, buffer, sizeof buffer, &got);
    if (status == HA_OK) status = target.append(to_ctx, epoch, have.end, buffer, got, nullptr);
    if (status != HA_OK) return status;
  }
}

std::int32_t copy_metadata(const Fake& fake, int from, int to) {
  void* from_ctx = nullptr;
  void* to_ctx = nullptr;
  const ha_host_api& source = fake.host(from, &from_ctx);
  const ha_host_api& target = fake.host(to, &to_ctx);
  const auto* read =
      static_cast<const ha_ext_metadata*>(source.get_extension(from_ctx, HA_EXT_METADATA));
  const auto* write =
      static_cast<const ha_ext_metadata*>(target.get_extension(to_ctx, HA_EXT_METADATA));
  std::string state;
  const auto sink = [](void* user, const char* text, std::int64_t size) noexcept {
    static_cast<std::string*>(user)->append(text, static_cast<std::size_t>(size));
    return 0;
  };
  const std::int32_t status = read->read(from_ctx, sink, &state);
  if (status != HA_OK) return status;
  return write->write(to_ctx, state.data(), static_cast<std::int64_t>(state.size()), nullptr);
}

BrokerOptions broker_options(const std::string& dir, Role role) {
  BrokerOptions options;
  options.store_dir = dir;
  options.segment_bytes = 64 * 1024;
  options.plugin_path = FAKE_PLUGIN_PATH;
  options.role = role;
  if (role == Role::kSlave) options.master_address = "10.0.0.1:10912";
  return options;
}

std::unique_ptr<Broker> open_broker(const BrokerOptions& options) {
  auto opened = Broker::open(options);
  if (const auto* error = std::get_if<Error>(&opened)) throw std::runtime_error(error->text);
  return std::move(std::get<std::unique_ptr<Broker>>(opened));
}

ProduceRequest request(const std::string& topic, const std::vector<std::string>& bodies,
                       std::int32_t acks) {
  ProduceRequest out;
  out.topic = topic;
  out.acks = acks;
  for (const auto& body : bodies) out.items.push_back({body, ""});
  return out;
}

ProduceResult produce(Broker& broker, ProduceRequest request) {
  std::promise<ProduceResult> result;
  broker.produce(std::move(request), [&](ProduceResult r) { result.set_value(std::move(r)); });
  return result.get_future().get();
}

std::vector<std::string> bodies(Broker& broker, const std::string& topic) {
  ConsumeQuery query;
  query.topic = topic;
  query.max = 1000;
  std::vector<std::string> out;
  const auto result = broker.consume(query);
  for (const auto& message : std::get<ConsumeResult>(result).messages) out.push_back(message.body);
  return out;
}

bool wait_until_holds(Broker& broker, const std::string& topic, std::int64_t messages) {
  for (;;) {
    ConsumeQuery query;
    query.topic = topic;
    query.max = messages;
    const auto held = std::get<ConsumeResult>(broker.consume(query));
    if (static_cast<std::int64_t>(held.messages.size()) == messages) return true;
    std::promise<void> woken;
    const auto id =
        broker.wait_for_messages(topic, std::nullopt, held.next, [&] { woken.set_value(); });
    const auto status = woken.get_future().wait_for(std::chrono::seconds(20));
    broker.cancel_wait(id);
    if (status != std::future_status::ready) return false;
  }
}

}  // namespace stub
