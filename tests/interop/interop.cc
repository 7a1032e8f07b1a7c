// SPDX-License-Identifier: Apache-2.0
#include "tests/interop/interop.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <random>
#include <sstream>
#include <utility>

#include "tests/system/deadline.h"
#include "tests/system/lines.h"

namespace ha::interop {

using system::Node;

namespace {

std::string from_base64(std::string_view text) {
  static constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  static const auto kValues = [] {
    std::array<int, 256> values{};
    values.fill(-1);
    for (std::size_t i = 0; i < kDigits.size(); ++i)
      values[static_cast<unsigned char>(kDigits[i])] = static_cast<int>(i);
    return values;
  }();
  std::string bytes;
  bytes.reserve(text.size() / 4 * 3);
  unsigned bits = 0;
  int held = 0;
  for (const char c : text) {
    const int value = kValues[static_cast<unsigned char>(c)];
    if (value < 0) break;  // the padding at the end
    bits = bits << 6 | static_cast<unsigned>(value);
    held += 6;
    if (held >= 8) bytes += static_cast<char>(bits >> (held -= 8));
  }
  return bytes;
}

std::string bytes_of(const json::object& message, const char* text, const char* base64) {
  if (const auto* plain = message.if_contains(text)) return std::string(plain->as_string());
  return from_base64(message.at(base64).as_string());
}

std::string manifest_line(const json::object& message) {
  const std::string body = bytes_of(message, "body", "body_base64");
  const auto crc =
      crc32(0, reinterpret_cast<const Bytef*>(body.data()), static_cast<uInt>(body.size()));
  return std::to_string(message.at("queue").as_int64()) + " " +
         std::to_string(message.at("queue_offset").as_int64()) + " " +
         bytes_of(message, "key", "key_base64") + " " + std::to_string(body.size()) + " " +
         std::to_string(crc);
}

// RocketMQ's topic table with that topic in it, as a broker registers and stores it.
json::object topic_table(const std::string& topic, int queues) {
  const auto config = [&](const std::string& name) {
    return json::object{{"topicName", name},
                        {"readQueueNums", queues},
                        {"writeQueueNums", queues},
                        {"perm", 6},
                        {"order", false},
                        {"topicSysFlag", 0},
                        {"topicFilterType", "SINGLE_TAG"}};
  };
  // 5.x takes a table of one topic for a change of that topic, not for a broker's registration.
  return {{"dataVersion", {{"counter", 1}, {"timestamp", 1}}},
          {"topicConfigTable", {{topic, config(topic)}, {"b", config("b")}}}};
}

}  // namespace

void Interop::SetUp() {
  if (!built(version()).empty()) return;
  const char* why = std::getenv("HA_INTEROP_SKIP");
  const std::string text = "RocketMQ " + version() + " is not there: " +
                           (why != nullptr ? why : "tests/interop/build.sh was not run");
  if (const char* required = std::getenv("HA_REQUIRE_INTEROP"); required != nullptr) {
    FAIL() << text;
  }
  GTEST_SKIP() << text;
}

void Interop::TearDown() {
  if (HasFailure()) {
    for (const auto& broker : brokers_) std::cerr << broker->java().log_text();
    if (driver_) std::cerr << driver_->java().log_text();
  }
  Cluster::TearDown();
}

void Interop::start_name_server(Properties more) {
  name_server_ = std::make_unique<NameServer>(version(), folder_.path(), std::move(more));
}

NameServer& Interop::name_server() {
  if (!name_server_) start_name_server({});
  return *name_server_;
}

Driver& Interop::driver() {
  if (!driver_) driver_ = std::make_unique<Driver>(version(), folder_.path());
  return *driver_;
}

Broker& Interop::add_broker(const std::string& version, BrokerOptions options) {
  brokers_.push_back(std::make_unique<Broker>(version, folder_.path(), name_server().address(),
                                              std::move(options)));
  brokers_.back()->start();
  return *brokers_.back();
}

Node& Interop::add_our_slave(const std::string& name, const Broker& master,
                             std::vector<std::string> options) {
  options.insert(options.begin(), {"heartbeat_ms=500", "housekeeping_ms=3000"});
  return add({.name = name,
              .role = "slave",
              .master = master.ha(),
              .segment_size = kSegmentBytes,
              .options = std::move(options)});
}

void Interop::wait_until_connected(const Node& slave) {
  slave.wait_for("is connected", [](const json::value& now) {
    return system::text_at(now, "ha/client/state") == "transfer";
  });
}

Node& Interop::add_our_master(const std::string& name, std::vector<std::string> options) {
  options.insert(options.begin(), {"heartbeat_ms=500", "housekeeping_ms=3000"});
  return add({.name = name,
              .role = "master",
              .segment_size = kSegmentBytes,
              .options = std::move(options)});
}

void Interop::create_topic(const Broker& broker, const std::string& topic, int queues) {
  driver().create_topic(broker, topic, queues);
  system::wait_until("the name server knows topic " + topic, [&] {
    constexpr int kGetRouteInfoByTopic = 105;
    return driver().call(name_server().address(), kGetRouteInfoByTopic, {{"topic", topic}}).code ==
           0;
  });
}

void Interop::expect_copy(const Node& master, const Broker& slave) {
  const std::int64_t end = master.log_end();
  system::wait_until("the real slave holds the log up to " + std::to_string(end),
                     [&] { return driver().max_offset(slave) >= end; });
  EXPECT_EQ(driver().max_offset(slave), end);
  EXPECT_EQ(system::compare_logs(master.store(), slave.store(), driver().min_offset(slave), end,
                                 kSegmentBytes),
            "");
}

void Interop::expect_copy(const Broker& master, const Node& slave) {
  const std::int64_t end = driver().max_offset(master);
  slave.wait_for("holds the log up to " + std::to_string(end), [&](const json::value& now) {
    return system::number_at(now, "ha/bounds/end") >= end;
  });
  EXPECT_EQ(slave.log_end(), end);
  EXPECT_EQ(
      system::compare_logs(master.store(), slave.store(), slave.log_min(), end, kSegmentBytes), "")
      << slave.name();
}

void Interop::produce(Driver::Produce what) {
  const int count = what.count;
  const auto outcomes = driver().produce(name_server().address(), what);
  EXPECT_EQ(outcomes, (Driver::Outcomes{{"SEND_OK", count}}));
}

void Interop::register_our_master(const Node& master, const std::string& topic, int queues,
                                  const std::string& ha) {
  constexpr int kRegisterBroker = 103;
  const json::object body = {{"filterServerList", json::array()},
                             {"topicConfigSerializeWrapper", topic_table(topic, queues)}};
  const auto answer = driver().hold(name_server().address(), kRegisterBroker,
                                    {{"brokerName", "b"},
                                     {"brokerAddr", "127.0.0.1:" + std::to_string(free_ports(1))},
                                     {"clusterName", "C"},
                                     {"haServerAddr", ha.empty() ? master.ha() : ha},
                                     {"brokerId", "0"},
                                     {"compressed", "false"}},
                                    json::serialize(body));
  if (answer.code != 0) throw system::Failure("registering our master: " + answer.remark);
}

void Interop::produce_to(const Node& master, const std::string& topic, int count) {
  constexpr int kBatch = 50;
  constexpr double kMostBytes = 128 * 1024;
  std::minstd_rand random(1);
  std::uniform_real_distribution<double> fraction(0, 1);
  auto http = master.http();
  for (int done = 0; done < count;) {
    json::array messages;
    for (int i = 0; i < kBatch && done < count; ++i, ++done) {
      const double skew = std::pow(fraction(random), 2);
      std::string body(static_cast<std::size_t>(std::pow(kMostBytes, skew)), 'x');
      for (char& c : body) c = static_cast<char>('a' + random() % 26);
      messages.push_back({{"key", "k-" + std::to_string(done)}, {"body", std::move(body)}});
    }
    const auto response = http.post("/v1/topics/" + topic + "/messages?timeout_ms=30000",
                                    json::serialize(json::object{{"messages", messages}}));
    if (response.status != 200) throw system::Failure(master.name() + ": " + response.body);
  }
}

void Interop::produce_expecting(const std::string& outcome) {
  const auto outcomes =
      driver().produce(name_server().address(), {.prefix = "single-" + std::to_string(++singles_)});
  EXPECT_EQ(outcomes, (Driver::Outcomes{{outcome, 1}}));
}

void write_topic_table(const std::filesystem::path& store, const std::string& topic, int queues) {
  std::filesystem::create_directories(store / "config");
  std::ofstream(store / "config/topics.json") << json::serialize(topic_table(topic, queues));
}

void copy_full_segments(const std::filesystem::path& from_store,
                        const std::filesystem::path& to_store, std::int64_t end) {
  std::filesystem::create_directories(to_store / "commitlog");
  for (const auto& entry : std::filesystem::directory_iterator(from_store / "commitlog")) {
    const auto name = entry.path().filename();
    if (std::stoll(name.string()) + kSegmentBytes <= end)
      std::filesystem::copy_file(entry.path(), to_store / "commitlog" / name);
  }
}

Manifest read_queue(const Node& node, const std::string& topic, int queue) {
  Manifest lines;
  auto http = node.http();
  for (std::int64_t from = 0;;) {
    const auto response =
        http.get("/v1/topics/" + topic + "/messages?max=1000&queue=" + std::to_string(queue) +
                 "&from=" + std::to_string(from));
    if (response.status != 200) throw system::Failure(node.name() + ": " + response.body);
    const json::value document = response.document();
    const auto& messages = system::at(document, "messages").as_array();
    if (messages.empty()) break;
    for (const auto& message : messages) lines.push_back(manifest_line(message.as_object()));
    from = system::number_at(document, "next");
  }
  return lines;
}

Manifest read_from(const Node& node, const std::string& topic, int queues) {
  Manifest all;
  for (int queue = 0; queue < queues; ++queue) {
    const Manifest lines = read_queue(node, topic, queue);
    all.insert(all.end(), lines.begin(), lines.end());
  }
  std::sort(all.begin(), all.end());
  return all;
}

std::string difference(const Manifest& wanted, const Manifest& got) {
  Manifest missing;
  Manifest extra;
  std::set_difference(wanted.begin(), wanted.end(), got.begin(), got.end(),
                      std::back_inserter(missing));
  std::set_difference(got.begin(), got.end(), wanted.begin(), wanted.end(),
                      std::back_inserter(extra));
  if (missing.empty() && extra.empty()) return "";
  std::ostringstream text;
  text << missing.size() << " of " << wanted.size() << " are missing";
  if (!missing.empty()) text << " (first: " << missing.front() << ")";
  text << ", " << extra.size() << " are too many";
  if (!extra.empty()) text << " (first: " << extra.front() << ")";
  return text.str();
}

std::string version_name(const testing::TestParamInfo<const char*>& info) {
  std::string name = "v" + std::string(info.param);
  std::replace(name.begin(), name.end(), '.', '_');
  return name;
}

}  // namespace ha::interop
