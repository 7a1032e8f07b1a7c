// SPDX-License-Identifier: Apache-2.0
#include "tests/interop/rocketmq.h"

#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <map>
#include <random>
#include <set>
#include <sstream>

#include "tests/system/deadline.h"
#include "tests/system/descriptor.h"

namespace ha::interop {

using system::Descriptor;
using system::Failure;

namespace {

constexpr std::size_t kLogTail = 3000;

// RocketMQ's request codes (RequestCode.java).
constexpr int kUpdateAndCreateTopic = 17;
constexpr int kGetBrokerRuntimeInfo = 28;
constexpr int kGetBrokerHaStatus = 907;

// Not valid when somebody has that port.
Descriptor bind_to(int port, int type) {
  Descriptor socket(::socket(AF_INET6, type | SOCK_CLOEXEC, 0));
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_port = htons(static_cast<std::uint16_t>(port));
  if (::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0)
    return Descriptor();
  return socket;
}

std::string read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void write_text(const std::filesystem::path& path, const std::string& text) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream(path) << text;
}

std::filesystem::path write_properties(const std::filesystem::path& path, const Properties& all) {
  std::map<std::string, std::string> last;  // of several with one name the last counts
  for (const auto& [key, value] : all) last[key] = value;
  std::string text;
  for (const auto& [key, value] : last) text += key + "=" + value + "\n";
  write_text(path, text);
  return path;
}

std::vector<std::filesystem::path> logs_under(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> found;
  if (!std::filesystem::exists(folder)) return found;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (entry.path().extension() == ".log" && entry.is_regular_file() && entry.file_size() > 0)
      found.push_back(entry.path());
  }
  return found;
}

}  // namespace

std::filesystem::path built(const std::string& version) {
  const char* folder = std::getenv("HA_INTEROP_DIR");
  const auto path =
      std::filesystem::path(folder != nullptr ? folder : HA_INTEROP_BUILD_DIR) / version;
  return std::filesystem::exists(path / "classpath") ? path : std::filesystem::path();
}

std::filesystem::path plugin_jar() {
  const auto path =
      std::filesystem::path(HA_INTEROP_BUILD_DIR).parent_path() / "rocketmq_host/ha-rocketmq.jar";
  return std::filesystem::exists(path) ? path : std::filesystem::path();
}

int free_ports(int count) {
  // Below the range from which the system picks for itself.
  static std::mt19937 random{std::random_device{}()};
  // Somebody may listen there later. Nothing here speaks UDP: a UDP socket with a port's number
  // keeps it from this process and from the tests that run beside it.
  static std::map<int, Descriptor> held;
  std::uniform_int_distribution<int> pick(15000, 31000);
  for (;;) {
    const int first = pick(random);
    std::map<int, Descriptor> taken;
    for (int port = first; port < first + count; ++port) {
      Descriptor hold = bind_to(port, SOCK_DGRAM);
      if (!hold || !bind_to(port, SOCK_STREAM)) break;
      taken.emplace(port, std::move(hold));
    }
    if (static_cast<int>(taken.size()) < count) continue;
    held.merge(taken);
    return first;
  }
}

// ---- a JVM ----

Java::Java(const std::string& version, std::filesystem::path folder, std::string name)
    : version_(version), folder_(std::move(folder)), name_(std::move(name)) {
  std::filesystem::create_directories(folder_);
  // 4.x reads its logging from here; 5.x has its own and writes under the user's home.
  const std::string logging =
      "<configuration><appender name='f' class='ch.qos.logback.core.FileAppender'><file>" +
      (folder_ / "rocketmq.log").string() +
      "</file><encoder><pattern>%d %p %t %logger - %m%n</pattern></encoder></appender>"
      "<root level='INFO'><appender-ref ref='f'/></root></configuration>";
  for (const char* part : {"broker", "namesrv", "tools"})
    write_text(folder_ / "home/conf" / ("logback_" + std::string(part) + ".xml"), logging);
}

void Java::start(const std::vector<std::string>& arguments, const std::string& ready) {
  const auto where = built(version_);
  std::string class_path =
      first_ + (where / "classes").string() + ":" + read_file(where / "classpath");
  while (class_path.ends_with('\n')) class_path.pop_back();
  std::vector<std::string> all = {
      "java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto", "-Xms64m", "-Xmx768m",
      "-XX:MaxDirectMemorySize=512m",
      // RocketMQ 4.x unmaps its files through what Java 17 hides.
      "--add-opens=java.base/java.nio=ALL-UNNAMED", "--add-opens=java.base/sun.nio.ch=ALL-UNNAMED",
      "--add-exports=java.base/jdk.internal.ref=ALL-UNNAMED", "-Duser.home=" + folder_.string(),
      "-Drocketmq.home.dir=" + (folder_ / "home").string(),
      "-Drocketmq.client.logRoot=" + (folder_ / "client").string(),
      // The disk of a test machine may be rather full, which is not what is tested.
      "-Drocketmq.broker.diskSpaceWarningLevelRatio=0.99",
      "-Drocketmq.broker.diskSpaceCleanForciblyRatio=0.98", "-cp", class_path};
  all.insert(all.end(), jvm_options_.begin(), jvm_options_.end());
  all.insert(all.end(), arguments.begin(), arguments.end());
  if (!environment_.empty()) {
    all.insert(all.begin(), environment_.begin(), environment_.end());
    all.insert(all.begin(), "env");
  }
  process_ = std::make_unique<system::Process>(
      all, system::ProcessOptions{.error_file = folder_ / (name_ + ".err"), .input_pipe = true});
  printed_.clear();
  for (;;) {
    const auto line = process_->read_line(kJavaDeadline);
    if (!line)
      throw Failure(name_ + " (RocketMQ " + version_ + ") ended before it was ready:\n" + printed_ +
                    log_text());
    if (line->find(ready) != std::string::npos) return;
    printed_ += *line + "\n";
  }
}

int Java::stop() {
  if (!process_) return kTerminated;
  process_->kill(SIGTERM);
  printed_ += process_->read_all(kJavaDeadline);
  const int exit_code = process_->wait(kJavaDeadline);
  process_.reset();
  return exit_code;
}

void Java::kill() {
  if (!process_) return;
  process_->kill(SIGKILL);
  process_->wait();
  process_.reset();
}

std::string Java::log_text() const {
  std::string text;
  for (const auto& path : logs_under(folder_)) {
    const std::string all = read_file(path);
    text += "--- " + path.string() + " ends:\n" +
            (all.size() > kLogTail ? all.substr(all.size() - kLogTail) : all) + "\n";
  }
  const std::string errors = read_file(folder_ / (name_ + ".err"));
  if (!errors.empty()) text += "--- " + name_ + " said:\n" + errors.substr(0, kLogTail) + "\n";
  return text;
}

bool Java::has_logged(const std::string& text) const {
  const auto logs = logs_under(folder_);
  return std::any_of(logs.begin(), logs.end(), [&](const auto& path) {
    return read_file(path).find(text) != std::string::npos;
  });
}

std::string Java::said() const { return printed_ + read_file(folder_ / (name_ + ".err")); }

// ---- name server ----

NameServer::NameServer(const std::string& version, const std::filesystem::path& folder,
                       Properties more)
    : port_(free_ports(1)), java_(version, folder / "namesrv", "namesrv") {
  Properties all = {{"listenPort", std::to_string(port_)}};
  all.insert(all.end(), more.begin(), more.end());
  java_.start({"org.apache.rocketmq.namesrv.NamesrvStartup", "-c",
               write_properties(java_.folder() / "namesrv.conf", all).string()},
              "The Name Server boot success");
}

// ---- broker ----

Broker::Broker(const std::string& version, const std::filesystem::path& folder,
               const std::string& name_server, BrokerOptions options)
    : version_(version),
      name_server_(name_server),
      options_(std::move(options)),
      // A broker listens on port - 2 too; its HA port is port + 1, in 4.x without a choice.
      port_(free_ports(4) + 2),
      java_(version, folder / options_.name, options_.name) {
  if (options_.store.empty()) options_.store = java_.folder() / "store";
  if (options_.plugin) java_.prepend(plugin_jar());
}

void Broker::start() {
  java_.set_jvm_options(options_.jvm);
  java_.set_environment(options_.environment);
  java_.start({"org.apache.rocketmq.broker.BrokerStartup", "-c", write_configuration().string()},
              "boot success");
}

std::filesystem::path Broker::write_configuration() const {
  const std::string segment = std::to_string(kSegmentBytes);
  Properties all = {
      {"brokerClusterName", "C"},
      {"brokerName", options_.broker_name},
      {"brokerId", std::to_string(options_.id)},
      {"brokerRole", options_.role},
      {"brokerIP1", "127.0.0.1"},
      {"brokerIP2", "127.0.0.1"},
      {"namesrvAddr", name_server_},
      {"listenPort", std::to_string(port_)},
      {"haListenPort", std::to_string(ha_port())},
      {"registerNameServerPeriod", "10000"},
      {"storePathRootDir", store().string()},
      {"storePathCommitLog", (store() / "commitlog").string()},
      {"mappedFileSizeCommitLog", segment},
      {"mapedFileSizeCommitLog", segment},  // up to 4.5
      {"mappedFileSizeConsumeQueue", "600000"},
      {"maxHashSlotNum", "10000"},
      {"maxIndexNum", "40000"},
      {"timerWheelEnable", "false"},
      {"slaveReadEnable", "true"},
      {"haSendHeartbeatInterval", "500"},
      {"haHousekeepingInterval", "3000"},
      // A loaded machine is not a broken one.
      {"brokerFastFailureEnable", "false"},
      {"osPageCacheBusyTimeOutMills", "60000"},
      {"diskMaxUsedSpaceRatio", "95"},
  };
  all.insert(all.end(), options_.more.begin(), options_.more.end());
  return write_properties(java_.folder() / "broker.conf", all);
}

int Broker::ha_connections() const {
  constexpr const char* kEstablished = "01";
  int count = 0;
  for (const char* table : {"/proc/net/tcp", "/proc/net/tcp6"}) {
    std::ifstream file(table);
    std::string line;
    std::getline(file, line);  // headings
    while (std::getline(file, line)) {
      std::istringstream words(line);
      std::string number;
      std::string local;
      std::string remote;
      std::string state;
      words >> number >> local >> remote >> state;
      const int port = std::stoi(local.substr(local.find(':') + 1), nullptr, 16);
      if (port == ha_port() && state == kEstablished) ++count;
    }
  }
  return count;
}

// ---- driver ----

Manifest read_manifest(const std::filesystem::path& file) {
  std::ifstream in(file);
  Manifest lines;
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  std::sort(lines.begin(), lines.end());
  return lines;
}

Driver::Driver(const std::string& version, const std::filesystem::path& folder)
    : java_(version, folder / "driver", "driver"), produced_file_(folder / "produced") {
  java_.start({"interop.Driver"}, "ok ready");
}

json::value Driver::Answer::document() const {
  if (code != 0) throw Failure("refused with code " + std::to_string(code) + ": " + remark);
  return system::parse_json(body);
}

std::string Driver::ask(const std::string& line) {
  java_.process().write_line(line);
  for (;;) {
    const auto answer = java_.process().read_line(kJavaDeadline);
    if (!answer) throw Failure("the driver ended at '" + line + "':\n" + java_.log_text());
    if (answer->starts_with("error ")) throw Failure("'" + line + "': " + *answer);
    if (answer->starts_with("ok")) return answer->size() > 3 ? answer->substr(3) : "";
  }
}

Driver::Outcomes Driver::produce(const std::string& name_server, const Produce& what) {
  // Their places in their queues are not known yet.
  const bool plain = !what.half && what.delay_level == 0;
  const std::string manifest = !what.acknowledged.empty()
                                   ? what.acknowledged.string() + " only=SEND_OK"
                               : plain ? produced_file_.string()
                                       : "/dev/null";
  std::istringstream words(
      ask("produce namesrv=" + name_server + " topic=" + what.topic + " prefix=" + what.prefix +
          " from=" + std::to_string(what.from) + " count=" + std::to_string(what.count) +
          " max=" + std::to_string(what.max) + " threads=" + std::to_string(what.threads) +
          " timeout=" + std::to_string(what.timeout_ms) + (what.half ? " half=true" : "") +
          " poll=" + std::to_string(route_poll_ms) + " delay=" + std::to_string(what.delay_level) +
          " manifest=" + manifest));
  Outcomes outcomes;
  for (std::string word; words >> word;) {
    const auto equals = word.rfind('=');
    outcomes[word.substr(0, equals)] = std::stoi(word.substr(equals + 1));
  }
  return outcomes;
}

Manifest Driver::consume(const std::string& name_server, const std::string& topic,
                         std::size_t count, int seconds) {
  return consume_as("group-" + std::to_string(++groups_), name_server, topic, count, seconds);
}

std::set<std::string> Driver::consume_keys(const std::string& name_server, const std::string& topic,
                                           std::size_t count, const Broker* popping_at) {
  constexpr int kSetRequestMode = 401;
  const std::string group = "group-" + std::to_string(++groups_);
  if (popping_at != nullptr) {
    const Answer set = call(popping_at->address(), kSetRequestMode, {},
                            R"({"topic":")" + topic + R"(","consumerGroup":")" + group +
                                R"(","mode":"POP","popShareQueueNum":0})");
    if (set.code != 0) throw Failure("the broker lets nobody pop: " + set.remark);
  }
  std::set<std::string> keys;
  for (const std::string& line :
       consume_as(group, name_server, topic, count, 120,
                  popping_at != nullptr ? " by=key pop=true" : " by=key")) {
    std::istringstream words(line);
    std::string queue;
    std::string offset;
    std::string key;
    words >> queue >> offset >> key;
    keys.insert(key);
  }
  return keys;
}

Manifest Driver::consume_as(const std::string& group, const std::string& name_server,
                            const std::string& topic, std::size_t count, int seconds,
                            const std::string& more) {
  const auto file = produced_file_.parent_path() / ("consumed-" + group);
  ask("consume namesrv=" + name_server + " topic=" + topic + " group=" + group +
      " count=" + std::to_string(count) + " seconds=" + std::to_string(seconds) +
      " manifest=" + file.string() + more);
  return read_manifest(file);
}

Driver::Answer Driver::request(const std::string& verb, const std::string& address, int code,
                               const Properties& fields, const std::string& body) {
  std::string line = verb + " addr=" + address + " code=" + std::to_string(code);
  for (const auto& [key, value] : fields) line += " " + key + "=" + value;
  if (!body.empty()) line += " body=" + body;
  const std::string text = ask(line);
  const auto between = [&](const std::string& from, const std::string& to) {
    const auto begin = text.find(from) + from.size();
    return text.substr(begin, to.empty() ? std::string::npos : text.find(to, begin) - begin);
  };
  return {std::stoi(between("code=", " fields=")), between("fields=", " remark="),
          between("remark=", " body="), between("body=", "")};
}

Driver::Answer Driver::call(const std::string& address, int code, const Properties& fields,
                            const std::string& body) {
  return request("call", address, code, fields, body);
}

Driver::Answer Driver::hold(const std::string& address, int code, const Properties& fields,
                            const std::string& body) {
  return request("hold", address, code, fields, body);
}

json::value Driver::runtime_info(const Broker& broker) {
  Answer answer;
  // In its first second a broker has no statistics yet and refuses.
  system::wait_until(
      "the broker gives its runtime information",
      [&] { return (answer = call(broker.address(), kGetBrokerRuntimeInfo)).code == 0; },
      [&] { return answer.remark; });
  return answer.document();
}

std::int64_t Driver::max_offset(const Broker& broker) {
  return std::stoll(system::text_at(runtime_info(broker), "table/commitLogMaxOffset"));
}

std::int64_t Driver::min_offset(const Broker& broker) {
  return std::stoll(system::text_at(runtime_info(broker), "table/commitLogMinOffset"));
}

std::int64_t Driver::undispatched(const Broker& broker) {
  return std::stoll(system::text_at(runtime_info(broker), "table/dispatchBehindBytes"));
}

std::size_t Driver::messages(const Broker& broker, const std::string& topic, int queues) {
  constexpr int kGetMaxOffset = 30;
  std::size_t all = 0;
  for (int queue = 0; queue < queues; ++queue) {
    const Answer answer = call(broker.address(), kGetMaxOffset,
                               {{"topic", topic}, {"queueId", std::to_string(queue)}});
    const std::string name = "offset=";
    const auto at = answer.fields.find(name);
    if (at == std::string::npos) throw Failure("no queue of " + topic + ": " + answer.remark);
    all += std::stoull(answer.fields.substr(at + name.size()));
  }
  return all;
}

void Driver::create_topic(const Broker& broker, const std::string& topic, int queues) {
  const Answer answer = call(broker.address(), kUpdateAndCreateTopic,
                             {{"topic", topic},
                              {"defaultTopic", "TBW102"},
                              {"readQueueNums", std::to_string(queues)},
                              {"writeQueueNums", std::to_string(queues)},
                              {"perm", "6"},
                              {"topicFilterType", "SINGLE_TAG"},
                              {"topicSysFlag", "0"},
                              {"order", "false"}});
  if (answer.code != 0) throw Failure("creating topic " + topic + ": " + answer.remark);
}

json::value Driver::ha_status(const Broker& broker) {
  return call(broker.address(), kGetBrokerHaStatus).document();
}

}  // namespace ha::interop
