// SPDX-License-Identifier: Apache-2.0
// Every file that a broker reads when it starts, damaged in every way: cut, empty, garbage, zeros,
// gone, a directory in its place, read-only.
//
// The broker starts, with an ERROR or WARN that names the file if anything is missing because of
// it, or it refuses with an error that names the file. It never crashes, hangs or loses messages
// in silence. The files are those that a store has, whatever they are: a new one is tried by
// itself.

#include <spdlog/sinks/base_sink.h>
#include <spdlog/spdlog.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <mutex>

#include "broker_fixture.h"
#include "ha/plugin.h"

namespace stub {
namespace {

namespace fs = std::filesystem;
using store::TempDir;

constexpr int kMessages = 300;  // over several segments
constexpr const char* kTopic = "t";

// Keeps what is logged as WARN and worse.
class Complaints : public spdlog::sinks::base_sink<std::mutex> {
 public:
  bool tell_of(const std::string& name) {
    const std::lock_guard lock(mutex_);
    return text_.find(name) != std::string::npos;
  }
  std::string take() {
    const std::lock_guard lock(mutex_);
    return std::exchange(text_, "");
  }

 private:
  void sink_it_(const spdlog::details::log_msg& message) override {
    if (message.level < spdlog::level::warn) return;
    text_.append(message.payload.data(), message.payload.size());
    text_ += '\n';
  }
  void flush_() override {}

  std::string text_;
};

using Damage = std::pair<const char*, std::function<void(const fs::path&)>>;

void write(const fs::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

std::string garbage(std::size_t size) {
  std::string out(size, '\0');
  std::uint32_t state = 12345;
  for (auto& c : out) c = static_cast<char>((state = state * 1664525u + 1013904223u) >> 24);
  return out;
}

const std::vector<Damage> kDamages = {
    {"as it was", [](const fs::path&) {}},
    {"cut to half", [](const fs::path& p) { fs::resize_file(p, fs::file_size(p) / 2); }},
    {"cut by a byte",
     [](const fs::path& p) { fs::resize_file(p, fs::file_size(p) - (fs::file_size(p) > 0)); }},
    {"empty", [](const fs::path& p) { fs::resize_file(p, 0); }},
    {"longer", [](const fs::path& p) { std::ofstream(p, std::ios::app) << garbage(100); }},
    {"garbage", [](const fs::path& p) { write(p, garbage(fs::file_size(p))); }},
    {"short garbage", [](const fs::path& p) { write(p, garbage(10)); }},
    {"zeros", [](const fs::path& p) { write(p, std::string(fs::file_size(p), '\0')); }},
    {"{}", [](const fs::path& p) { write(p, "{}"); }},
    {"null", [](const fs::path& p) { write(p, "null"); }},
    {"gone", [](const fs::path& p) { fs::remove(p); }},
    {"a directory",
     [](const fs::path& p) {
       fs::remove(p);
       fs::create_directory(p);
     }},
    {"a full directory",
     [](const fs::path& p) {
       fs::remove(p);
       fs::create_directory(p);
       write(p / "x", "x");
     }},
    {"a link to nothing",
     [](const fs::path& p) {
       fs::remove(p);
       fs::create_symlink("nothing", p);
     }},
    {"read-only", [](const fs::path& p) { fs::permissions(p, fs::perms::owner_read); }},
    {"unreadable", [](const fs::path& p) { fs::permissions(p, fs::perms::none); }},
};

class SideFiles : public ::testing::Test {
 protected:
  void SetUp() override {
    complaints_ = std::make_shared<Complaints>();
    before_ = spdlog::default_logger();
    spdlog::set_default_logger(std::make_shared<spdlog::logger>("test", complaints_));
  }
  void TearDown() override { spdlog::set_default_logger(before_); }

  // Fills good_ with messages, a group's offset, and what the plugin keeps.
  virtual void fill(const BrokerOptions& options, const std::function<void(Broker&)>& more) {
    auto broker = open_broker(options);
    more(*broker);
    for (int i = 0; i < kMessages; ++i) {
      auto one = request(kTopic, {std::string(1000, 'x')});
      one.queue = 0;
      one.timeout_ms = 20'000;
      const auto result = produce(*broker, std::move(one));
      ASSERT_EQ(result.status, HA_OK) << result.text;
    }
    ASSERT_TRUE(wait_until_holds(*broker, kTopic, kMessages));
    ASSERT_TRUE(std::holds_alternative<std::monostate>(
        broker->set_group_offset("g", kTopic, 0, kMessages / 2)));
    // A stop leaves no journal of the offsets, a kill does.
    const TempDir killed;
    fs::copy(good_.path() + "/config", killed.path());
    broker->stop(1000);
    broker.reset();
    fs::copy(killed.path(), good_.path() + "/config", fs::copy_options::overwrite_existing);
  }

  std::vector<fs::path> files() const {
    std::vector<fs::path> out;
    for (const auto& entry : fs::recursive_directory_iterator(good_.path())) {
      if (entry.is_regular_file()) out.push_back(fs::relative(entry.path(), good_.path()));
    }
    std::sort(out.begin(), out.end());
    return out;
  }

  static std::int64_t messages(Broker& broker) {
    ConsumeQuery query;
    query.topic = kTopic;
    query.queue = 0;
    query.max = 10 * kMessages;
    query.max_bytes = INT64_MAX;
    const auto held = broker.consume(query);
    const auto* result = std::get_if<ConsumeResult>(&held);
    return result != nullptr ? static_cast<std::int64_t>(result->messages.size()) : -1;
  }

  // One start on a store of which one file is damaged.
  void try_one(BrokerOptions options, const fs::path& file, const Damage& damage,
               const std::function<void(Broker&)>& more) {
    SCOPED_TRACE(file.string() + " is " + damage.first);
    const TempDir dir;
    fs::copy(good_.path(), dir.path(),
             fs::copy_options::recursive | fs::copy_options::overwrite_existing);
    damage.second(fs::path(dir.path()) / file);
    const bool in_log = file.begin()->string() == "commitlog";
    const bool removed = !in_log && !fs::exists(fs::path(dir.path()) / file);
    options.store_dir = dir.path();
    const std::string name = file.filename().string();
    for (int start = 0; start < 2; ++start) {
      complaints_->take();
      auto opened = Broker::open(options);
      if (const auto* error = std::get_if<Error>(&opened)) {
        EXPECT_NE(error->text.find(name), std::string::npos) << error->text;
        return;
      }
      auto& broker = *std::get<std::unique_ptr<Broker>>(opened);
      more(broker);
      // A node of a set shows its messages a moment after it became master.
      if (start == 0 && !complaints_->tell_of(name)) wait_until_holds(broker, kTopic, kMessages);
      const auto held = messages(broker);
      const auto group = broker.group_offset("g", kTopic, 0);
      const auto* next = std::get_if<std::int64_t>(&group);
      broker.stop(1000);
      const auto said = complaints_->take();
      if (start > 0) continue;  // it was said the first time
      const bool lost = held != kMessages || next == nullptr || *next != kMessages / 2;
      // An operator who removes a file removes what only it says, and a broker cannot tell that
      // from a store that never had it. The log's own files are missed.
      if (lost && !removed) {
        EXPECT_NE(said.find(name), std::string::npos)
            << held << " messages of " << kMessages << ", offset " << (next != nullptr ? *next : -2)
            << ", and what was said is: " << said;
      }
      // What is no part of the log costs no message.
      if (!in_log) {
        EXPECT_EQ(held, kMessages) << said;
      }
    }
  }

  void try_all(const BrokerOptions& options, const std::function<void(Broker&)>& more) {
    for (const auto& file : files()) {
      for (const auto& damage : kDamages) try_one(options, file, damage, more);
    }
  }

  BrokerOptions options(Role role) const {
    auto out = broker_options(good_.path(), role);
    out.plugin_path = HA_PLUGIN_PATH;
    out.ha_listen = "127.0.0.1:0";
    out.master_address = "";
    return out;
  }

  const TempDir good_;
  std::shared_ptr<Complaints> complaints_;
  std::shared_ptr<spdlog::logger> before_;
};

TEST_F(SideFiles, OfABrokerAlone) {
  fill(options(Role::kMaster), [](Broker&) {});
  EXPECT_GE(files().size(), 8u);  // segments, the mark, the lock, the offsets and their journal
  try_all(options(Role::kMaster), [](Broker&) {});
}

// One of a set of two whose other node is away: it has promised, and once acknowledged below
// policy.
TEST_F(SideFiles, OfANodeOfASet) {
  auto set = options(Role::kNone);
  set.plugin_options = {
      {"replica_id", "a"}, {"replicas", "a@127.0.0.1:2,b@127.0.0.1:1"}, {"default_copies", "1"}};
  const auto lead = [](Broker& broker) { broker.promote(true); };
  fill(set, [&](Broker& broker) {
    lead(broker);
    ASSERT_EQ(broker.role(), Role::kMaster);
  });
  EXPECT_TRUE(fs::exists(good_.path() + "/ha_term.json"));
  write(good_.path() + "/ha_degraded.json",
        "{\"format\":1,\"ranges\":[{\"from\":0,\"to\":100,\"since_ms\":1700000000000,"
        "\"healed_ms\":1700000001000}]}");
  try_all(set, lead);
}

// A slave that follows RocketMQ's controller mode; its epochs as a RocketMQ broker wrote them.
TEST_F(SideFiles, OfALearner) {
  fill(options(Role::kMaster), [](Broker&) {});
  write(good_.path() + "/epochFileCheckpoint", "1\n0\n1-0\n");
  auto learner = options(Role::kSlave);
  learner.plugin_options = {{"wire", "rocketmq-autoswitch"}, {"rocketmq_broker_id", "2"}};
  try_all(learner, [](Broker&) {});
}

}  // namespace
}  // namespace stub
