// SPDX-License-Identifier: Apache-2.0
// What the command line is made of: settings, the configuration file, lines, percentiles,
// promotion.

#include <fcntl.h>
#include <unistd.h>

#include <fstream>

#include "cli/broker_client.h"
#include "cli/latency.h"
#include "cli/line_reader.h"
#include "cli/nearest.h"
#include "cli/progress.h"
#include "cli/promotion.h"
#include "cli/serve_settings.h"
#include "cli/skip_report.h"
#include "http/fixture.h"

namespace stub::test {
namespace {

using ::testing::HasSubstr;

cli::ServeInput given(std::map<std::string, std::string> values) { return {std::move(values), {}}; }

std::string refusal(const cli::ServeInput& command_line, const cli::ServeInput& file = {}) {
  const auto result = cli::resolve(command_line, file);
  const auto* error = std::get_if<Error>(&result);
  return error != nullptr ? error->text : "(accepted)";
}

TEST(ServeSettings, HaveTheDocumentedDefaults) {
  const auto result = cli::resolve(given({{"role", "none"}, {"store", "d"}}), {});
  const auto& settings = std::get<cli::ServeSettings>(result);
  EXPECT_EQ(settings.http, "127.0.0.1:8080");
  EXPECT_EQ(settings.broker.ha_listen, "0.0.0.0:10912");
  EXPECT_EQ(settings.broker.metrics_listen, "");
  EXPECT_EQ(settings.broker.segment_bytes, 0);  // the store's own
  EXPECT_EQ(settings.broker.flush, FlushPolicy::kAsync);
  EXPECT_EQ(settings.broker.retention_ms, 0);
  EXPECT_FALSE(settings.broker.consensus_log);
}

TEST(ServeSettings, ASlaveNeedsItsStoreAndItsMasterAlone) {
  const auto result =
      cli::resolve(given({{"role", "slave"}, {"store", "d"}, {"master", "host.name:10912"}}), {});
  ASSERT_TRUE(std::holds_alternative<cli::ServeSettings>(result)) << std::get<Error>(result).text;
  const auto& broker = std::get<cli::ServeSettings>(result).broker;
  EXPECT_EQ(broker.master_address, "host.name:10912");
  EXPECT_EQ(broker.segment_bytes, 0);
}

TEST(ServeSettings, TakePlainWholeNumbersOnly) {
  for (const std::string bad :
       {"", "010", "0x1", "+1", "-0", "-1", " 1", "1 ", "1.0", "1e0", "99999999999999999999"}) {
    const auto with = [&](const std::string& key, const std::string& value) {
      return refusal(given({{"role", "slave"}, {"store", "d"}, {key, value}}));
    };
    EXPECT_THAT(with("queues", bad), HasSubstr("'" + bad + "' is not a whole number")) << bad;
    EXPECT_THAT(with("flush-interval-ms", bad), HasSubstr("is not a whole number")) << bad;
    EXPECT_THAT(with("retention-hours", bad), HasSubstr("is not a whole number")) << bad;
    EXPECT_THAT(with("segment-size", bad + "M"), HasSubstr("is not a number of bytes")) << bad;
  }
}

TEST(ServeSettings, TheCommandLineWins) {
  auto command_line = given({{"role", "slave"}, {"store", "d"}, {"segment-size", "4M"}});
  command_line.plugin_options = {{"a", "1"}};
  auto file = given({{"role", "master"}, {"segment-size", "8M"}, {"retention-hours", "2"}});
  file.plugin_options = {{"a", "2"}, {"b", "3"}};
  const auto result = cli::resolve(command_line, file);
  const auto& broker = std::get<cli::ServeSettings>(result).broker;
  EXPECT_EQ(broker.role, Role::kSlave);
  EXPECT_EQ(broker.segment_bytes, 4 << 20);
  EXPECT_EQ(broker.retention_ms, 2 * 3600 * 1000);
  EXPECT_THAT(broker.plugin_options,
              testing::ElementsAre(std::pair("a", "1"), std::pair("b", "3")));
}

TEST(ServeSettings, RefuseByKeyAndValue) {
  const auto with = [](const std::string& key, const std::string& value) {
    return refusal(given({{key, value}}), given({{"role", "slave"}, {"store", "d"}}));
  };
  EXPECT_THAT(refusal(given({{"store", "d"}})), HasSubstr("role is missing"));
  EXPECT_THAT(refusal(given({{"role", "master"}})), HasSubstr("store is missing"));
  EXPECT_THAT(with("role", "Master"), HasSubstr("role: 'Master' must be one of"));
  EXPECT_THAT(with("http", "8080"), HasSubstr("http: '8080' has no port"));
  EXPECT_THAT(with("segment-size", "1T"), HasSubstr("segment-size: '1T' is not a number of bytes"));
  EXPECT_THAT(with("flush", "always"), HasSubstr("flush: 'always'"));
  EXPECT_THAT(with("retention-bytes", "0"),
              HasSubstr("'0' keeps nothing; to keep all, leave it out"));
  EXPECT_THAT(with("retention-hours", "0"), HasSubstr("retention-hours: '0'"));
  EXPECT_THAT(with("log-level", "loud"), HasSubstr("log-level: 'loud'"));
  for (const std::string bad : {"", "10.0.0.1:8080", "http://0.0.0.0:8080", "http://a:0"})
    EXPECT_THAT(with("client-address", bad), HasSubstr("client-address: ")) << bad;
  EXPECT_EQ(with("client-address", "https://a.example"), "(accepted)");
  EXPECT_THAT(with("consensus-log", "1"), HasSubstr("consensus-log: '1'"));
  EXPECT_THAT(refusal(given({{"role", "master"}, {"store", "d"}, {"master", "a:1"}})),
              HasSubstr("for --role slave only"));
}

TEST(ServeSettings, UnderstandSizes) {
  const auto bytes = [](std::string_view text) {
    const auto result = cli::parse_bytes(text, "x");
    const auto* number = std::get_if<std::int64_t>(&result);
    return number != nullptr ? *number : -1;
  };
  EXPECT_EQ(bytes("1048576"), 1 << 20);
  EXPECT_EQ(bytes("64k"), 64 << 10);
  EXPECT_EQ(bytes("2G"), std::int64_t{2} << 30);
  for (const auto* bad : {"", "k", "0", "-1", "1.5M", "1 M", "9223372036854775807k", "1MB"}) {
    EXPECT_EQ(bytes(bad), -1) << bad;
  }
}

TEST(ServeSettings, PluginOptionsAreKeyValue) {
  const auto option = cli::parse_plugin_option("a=b=c");
  EXPECT_EQ((std::get<std::pair<std::string, std::string>>(option)),
            (std::pair<std::string, std::string>("a", "b=c")));
  EXPECT_TRUE(std::holds_alternative<Error>(cli::parse_plugin_option("a")));
  EXPECT_TRUE(std::holds_alternative<Error>(cli::parse_plugin_option("=b")));
}

constexpr std::size_t kTooMuch = (std::size_t{1} << 20) + 1;

class ConfigFile : public ::testing::Test {
 protected:
  void SetUp() override {
    path_ = testing::TempDir() + "stub_config_test." + std::to_string(::getpid()) + ".toml";
  }
  void TearDown() override { ::unlink(path_.c_str()); }
  Result<cli::ServeInput> read(const std::string& text) {
    std::ofstream(path_) << text;
    return cli::read_config(path_);
  }
  std::string fault(const std::string& text) {
    const auto result = read(text);
    const auto* error = std::get_if<Error>(&result);
    return error != nullptr ? error->text : "(accepted)";
  }
  std::string path_;
};

TEST_F(ConfigFile, HasTheFlagsKeys) {
  const auto result = read(
      "role = \"slave\"\nflush-interval-ms = 100\nconsensus-log = true\n"
      "[option]\nheartbeat_ms = 5000\nallow = \"10.0.0.0/8\"\n");
  ASSERT_TRUE(std::holds_alternative<cli::ServeInput>(result)) << std::get<Error>(result).text;
  const auto& input = std::get<cli::ServeInput>(result);
  EXPECT_EQ(input.values,
            (std::map<std::string, std::string>{
                {"role", "slave"}, {"flush-interval-ms", "100"}, {"consensus-log", "true"}}));
  EXPECT_THAT(input.plugin_options,
              testing::UnorderedElementsAre(std::pair("heartbeat_ms", "5000"),
                                            std::pair("allow", "10.0.0.0/8")));
}

TEST_F(ConfigFile, ErrorsNameFileLineAndKey) {
  EXPECT_THAT(
      fault("role = \"none\"\nsegment_size = 1\n"),
      HasSubstr(path_ + ", line 2: unknown key 'segment_size' (did you mean 'segment-size'?)"));
  EXPECT_THAT(fault("nosuch = 1\n"),
              HasSubstr("unknown key 'nosuch' (`ha_stub serve --help` lists the keys)"));
  EXPECT_THAT(fault("role = \n"), HasSubstr(path_ + ", line 1: "));
  EXPECT_THAT(fault("queues = 1.5\n"), HasSubstr("'queues' must be text"));
  EXPECT_THAT(fault("option = 3\n"), HasSubstr("option is not a table"));
  EXPECT_THAT(fault("[option]\na = [1]\n"), HasSubstr("option 'a' must be text"));
  const auto absent = cli::read_config(path_ + ".absent");
  ASSERT_TRUE(std::holds_alternative<Error>(absent));
  EXPECT_THAT(std::get<Error>(absent).text, HasSubstr(path_ + ".absent"));
}

TEST_F(ConfigFile, SaysWhenItIsNotATextFile) {
  const auto of = [](const std::string& path) {
    const auto result = cli::read_config(path);
    const auto* error = std::get_if<Error>(&result);
    return error != nullptr ? error->text : "(accepted)";
  };
  EXPECT_THAT(of(testing::TempDir()),
              HasSubstr("config: '" + testing::TempDir() + "' is a directory"));
  EXPECT_THAT(of(path_ + ".absent"), HasSubstr("cannot be opened: No such file"));
  EXPECT_THAT(of("/dev/zero"), HasSubstr("'/dev/zero' is larger than 1048576 bytes"));
  EXPECT_THAT(of("/dev/null"), "(accepted)");
  EXPECT_THAT(fault(std::string("role = \"no\0ne\"", 14)),
              HasSubstr("is not a text file: it has a NUL byte at position 10"));
  EXPECT_THAT(fault("\x7f"
                    "ELF\x02\x01\x01\x03"),
              HasSubstr(path_ + ", line 1: "));
  EXPECT_THAT(fault("role = \"\xff\xfe\"\n"), HasSubstr(path_ + ", line 1: "));
  EXPECT_THAT(fault("{\"role\": \"none\"}\n"), HasSubstr(path_ + ", line 1: "));
  EXPECT_THAT(fault(std::string(kTooMuch, '#')), HasSubstr("is larger than"));
  // An escaped one would cut the value, wherever it goes.
  EXPECT_THAT(fault("store = \"/tmp/a\\u0000b\"\n"), HasSubstr("line 1: 'store' must be text"));
  EXPECT_THAT(fault("[option]\nallow = \"10.0.0.7\\u0000,\"\n"),
              HasSubstr("line 2: option 'allow' must be text"));
}

TEST(Nearest, IsTheFewestEditsAndNothingFar) {
  const std::vector<std::string> names = {"http", "store", "role", "segment-size"};
  EXPECT_EQ(cli::nearest("stor", names), "store");
  EXPECT_EQ(cli::nearest("segment_size", names), "segment-size");
  EXPECT_EQ(cli::nearest("nosuch", names), "");
  EXPECT_EQ(cli::nearest("x", {}), "");
}

class Lines : public ::testing::Test {
 protected:
  // Feeds the bytes through a pipe in pieces of that size; the lines, then the error's text if any.
  static std::vector<std::string> read(const std::string& bytes, std::size_t piece) {
    int ends[2];
    EXPECT_EQ(::pipe(ends), 0);
    std::vector<std::string> lines;
    cli::LineReader reader(ends[0]);
    std::size_t written = 0;
    bool open = true;
    while (!reader.finished()) {
      if (const auto line = reader.next()) {
        lines.emplace_back(*line);
        continue;
      }
      if (reader.ended()) break;
      const auto n = std::min(piece, bytes.size() - written);
      if (n > 0) {
        EXPECT_EQ(::write(ends[1], bytes.data() + written, n), static_cast<ssize_t>(n));
      }
      written += n;
      if (n == 0 && open) {
        ::close(ends[1]);
        open = false;
      }
      const auto filled = reader.fill();
      if (const auto* error = std::get_if<Error>(&filled)) lines.push_back("error: " + error->text);
    }
    if (open) ::close(ends[1]);
    ::close(ends[0]);
    return lines;
  }
};

TEST_F(Lines, AreTheSameAtEverySplit) {
  const std::string bytes = std::string("a\n\n\xFF\0x\r\nlast", 12);
  for (std::size_t piece = 1; piece <= bytes.size(); ++piece) {
    EXPECT_THAT(read(bytes, piece),
                testing::ElementsAre("a", "", std::string("\xFF\0x\r", 4), "last"))
        << piece;
  }
}

TEST_F(Lines, AreZeroOfAnEmptyInput) {
  EXPECT_TRUE(read("", 1).empty());
  EXPECT_THAT(read("\n", 1), testing::ElementsAre(""));
}

TEST_F(Lines, TooLongAreNamedByNumber) {
  const std::string longest(cli::kMaxLineBytes, 'x');
  EXPECT_THAT(read("a\n" + longest + "\n", 60'000), testing::ElementsAre("a", longest));
  EXPECT_THAT(read("a\n" + longest + "x\nb\n", 60'000),
              testing::ElementsAre("a", HasSubstr("error: line 2 is longer than 4194304 bytes")));
}

TEST(Latency, PercentilesAreTrueToThreePerCent) {
  cli::Latency latency;
  EXPECT_EQ(latency.percentile(0.5), 0);
  for (std::int64_t us = 1; us <= 100'000; ++us) latency.add(us);
  EXPECT_NEAR(static_cast<double>(latency.percentile(0.5)), 50'000, 1'600);
  EXPECT_NEAR(static_cast<double>(latency.percentile(0.99)), 99'000, 3'100);
  EXPECT_GE(latency.percentile(1.0), 100'000);
  cli::Latency small;
  small.add(7, 3);
  EXPECT_EQ(small.percentile(0.5), 7);
  small.add(INT64_MAX);
  EXPECT_GT(small.percentile(1.0), std::int64_t{1} << 39);
}

TEST(Progress, FormatsForPeople) {
  EXPECT_EQ(cli::grouped(0), "0");
  EXPECT_EQ(cli::grouped(-1234567), "-1,234,567");
  EXPECT_EQ(cli::grouped(999), "999");
  EXPECT_EQ(cli::duration_text(850), "850 us");
  EXPECT_EQ(cli::duration_text(1'250), "1.2 ms");
  EXPECT_EQ(cli::bytes_text(1536), "1.5 KiB");
  EXPECT_EQ(cli::bar(0.5, 10), "[#####-----]  50%");
  EXPECT_EQ(cli::bar(2.0, 4), "[####] 100%");
}

TEST(Degraded, ARangeIsOpenHealedOrLost) {
  cli::DegradedRange range{.from = 1000, .to = 5000, .since_ms = 86'400'000};
  EXPECT_EQ(cli::to_text(range), "1,000 .. now, since 1970-01-02 00:00:00 UTC, NOT healed");
  range.healed_ms = 86'500'000;
  EXPECT_EQ(cli::to_text(range), "1,000 .. 5,000, since 1970-01-02 00:00:00 UTC, healed");
  range.lost_from = 2000;
  EXPECT_EQ(cli::to_text(range),
            "1,000 .. 5,000, since 1970-01-02 00:00:00 UTC, LOST from 2,000 on");
}

// A broker whose status names the end of its last whole record.
class HoldingBroker : public FakeBroker {
 public:
  explicit HoldingBroker(std::int64_t whole_end) : whole_end_(whole_end) {}
  std::string status_json() override {
    return "{\"role\":\"slave\",\"whole_end\":" + std::to_string(whole_end_) + "}";
  }
  Result<std::monostate> promote(bool) override {
    promoted = true;
    return std::monostate{};
  }
  std::atomic<bool> promoted = false;

 private:
  std::int64_t whole_end_;
};

class Promotion : public ::testing::Test {
 protected:
  static std::unique_ptr<http::Server> serve(Broker& broker) {
    http::ServerOptions options;
    options.listen = "127.0.0.1:0";
    auto bound = http::Server::bind(options);
    auto server = std::get<std::unique_ptr<http::Server>>(std::move(bound));
    server->start(broker);
    return server;
  }
  static std::string url(const http::Server& server) { return "http://" + server.address(); }

  HoldingBroker less_{100};
  HoldingBroker more_{200};
  std::unique_ptr<http::Server> less_server_ = serve(less_);
  std::unique_ptr<http::Server> more_server_ = serve(more_);
};

TEST_F(Promotion, RefusesWhenAPeerHoldsMore) {
  const auto result = cli::promote(url(*less_server_), {url(*more_server_)});
  ASSERT_TRUE(std::holds_alternative<Error>(result));
  EXPECT_THAT(std::get<Error>(result).text,
              testing::AllOf(HasSubstr(url(*more_server_) + " holds whole records up to 200"),
                             HasSubstr("this one up to 100")));
  EXPECT_FALSE(less_.promoted);
}

TEST_F(Promotion, TakesTheOneThatHoldsMost) {
  const auto best = cli::fullest({url(*less_server_), url(*more_server_), "http://127.0.0.1:1"});
  ASSERT_TRUE(std::holds_alternative<cli::Fullest>(best));
  EXPECT_EQ(std::get<cli::Fullest>(best).index, 1u);
  EXPECT_THAT(std::get<cli::Fullest>(best).whole_ends, testing::ElementsAre(100, 200, -1));
  EXPECT_TRUE(std::holds_alternative<Error>(cli::fullest({"http://127.0.0.1:1"})));
}

TEST_F(Promotion, PassesOverPeersThatAreDownAndSaysSo) {
  const auto result = cli::promote(url(*more_server_), {"http://127.0.0.1:1", url(*less_server_)});
  ASSERT_TRUE(std::holds_alternative<cli::Promotion>(result)) << std::get<Error>(result).text;
  EXPECT_THAT(
      std::get<cli::Promotion>(result).notes,
      testing::ElementsAre(HasSubstr("peer http://127.0.0.1:1 was not asked: cannot connect")));
  EXPECT_TRUE(more_.promoted);
}

TEST_F(Promotion, RefusesPeersThatAreNotUrls) {
  EXPECT_TRUE(std::holds_alternative<Error>(cli::promote(url(*more_server_), {"ftp://x"})));
  EXPECT_FALSE(more_.promoted);
}

Message in_queue(int queue, std::int64_t queue_offset) {
  Message out;
  out.queue = queue;
  out.queue_offset = queue_offset;
  return out;
}

TEST(SkipReport, CountsWhatAQueuesReaderSkipped) {
  cli::SkipReport report(3);
  EXPECT_TRUE(report.on_page(0, {.first = 0, .next = 5, .end = 20}).empty());
  ConsumeResult page{.first = 9, .next = 10, .end = 20};
  page.skipped = {5, 9};
  EXPECT_THAT(report.on_page(5, page),
              testing::ElementsAre(HasSubstr("4 messages of queue 3 (queue offsets 5 to 8)")));
  page.skipped = {10, 11};
  EXPECT_THAT(report.on_page(10, page),
              testing::ElementsAre(HasSubstr("1 message of queue 3 (queue offset 10)")));
}

TEST(SkipReport, CountsWhatATopicsReaderSkippedQueueByQueue) {
  cli::SkipReport report(std::nullopt);
  ConsumeResult page{.first = 0, .next = 300, .end = 900};
  EXPECT_TRUE(report.on_page(0, page).empty());
  EXPECT_EQ(report.on_message(in_queue(0, 0)), "");
  EXPECT_EQ(report.on_message(in_queue(1, 0)), "");
  EXPECT_EQ(report.on_message(in_queue(1, 9)), "") << "a gap that is no skip";
  page.skipped = {300, 500};
  EXPECT_THAT(report.on_page(300, page), testing::ElementsAre(HasSubstr("log from 300 to 500")));
  EXPECT_THAT(report.on_message(in_queue(0, 5)), HasSubstr("4 messages of queue 0"));
  EXPECT_EQ(report.on_message(in_queue(0, 6)), "");
  EXPECT_EQ(report.on_message(in_queue(1, 10)), "") << "nothing of this queue was skipped";
  // It read from the first byte on, and this queue began in what it skipped.
  EXPECT_THAT(report.on_message(in_queue(2, 2)), HasSubstr("2 messages of queue 2"));
}

TEST(SkipReport, SaysOnceThatTheCursorLiesBeyondTheEnd) {
  cli::SkipReport report(std::nullopt);
  const ConsumeResult page{.first = 0, .next = 700, .end = 300};
  EXPECT_THAT(report.on_page(700, page), testing::ElementsAre(HasSubstr("700 lies beyond 300")));
  EXPECT_TRUE(report.on_page(700, page).empty());
}

}  // namespace
}  // namespace stub::test
