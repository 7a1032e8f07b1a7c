// SPDX-License-Identifier: Apache-2.0
// The answers of etcd, or of whatever answers in its place: bodies of the JSON gateway, values of
// the control key, and whole HTTP answers.
//
// The first byte says which. What must hold of a body: what is taken is in range and fit to be
// shown, and is taken again as the same when it is written again, be it as JSON or as etcd would
// write it. Of an answer in HTTP: it is whole or a clause says why not, a connection that failed is
// not used again, and an answer that is written again is heard as the same.
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>
#include <boost/json.hpp>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "ha_plugin/coordinator/etcd_json.h"
#include "ha_plugin/coordinator/http_client.h"
#include "ha_plugin/coordinator/orders.h"
#include "ha_plugin/core/one_line.h"
#include "tests/fuzz/fuzz.h"

namespace {

using namespace ha;
using fuzz::require;
namespace json = boost::json;
using boost::asio::ip::tcp;

constexpr std::int64_t kLease = 4390624973712276487;  // of the seeds
constexpr char kLeader[] = "/ha/c/leader";
constexpr char kControl[] = "/ha/c/control";

// What all parsers made of a body; only what was taken is set.
struct Read {
  bool granted = false;
  bool renewed = false;
  bool revoked = false;
  bool found = false;
  bool changed = false;
  bool token = false;
  bool version = false;
  etcd::Granted grant;
  etcd::Renewed renewal;
  etcd::Header header;
  etcd::Found keys;
  etcd::Changed change;
  std::string token_text;
  int version_number = 0;
  std::string version_text;
};

Read read(std::string_view body) {
  Read out;
  out.granted = etcd::parse_granted(body, out.grant);
  out.renewed = etcd::parse_renewed(body, kLease, out.renewal);
  out.revoked = etcd::parse_revoked(body, out.header);
  out.found = etcd::parse_found(body, "/ha/c/", out.keys);
  out.changed = etcd::parse_changed(body, out.change);
  out.token = etcd::parse_token(body, out.token_text);
  out.version = etcd::parse_version(body, out.version_number, out.version_text);
  return out;
}

void require_same(const etcd::Header& a, const etcd::Header& b) {
  require(a.cluster == b.cluster && a.term == b.term);
}
void require_same(const CoordinatorKey& a, const CoordinatorKey& b) {
  require(a.value == b.value && a.revision == b.revision && a.lease == b.lease);
}

void require_same(const Read& a, const Read& b) {
  require(a.granted == b.granted && a.renewed == b.renewed && a.revoked == b.revoked);
  require(a.found == b.found && a.changed == b.changed && a.token == b.token);
  require(a.version == b.version);
  if (a.granted) {
    require_same(a.grant.header, b.grant.header);
    require(a.grant.id == b.grant.id && a.grant.ttl_s == b.grant.ttl_s);
  }
  if (a.renewed) {
    require_same(a.renewal.header, b.renewal.header);
    require(a.renewal.ttl_s == b.renewal.ttl_s);
  }
  if (a.revoked) require_same(a.header, b.header);
  if (a.found) {
    require_same(a.keys.header, b.keys.header);
    require_same(a.keys.keys.leader, b.keys.keys.leader);
    require_same(a.keys.keys.control, b.keys.keys.control);
  }
  if (a.changed) {
    require_same(a.change.header, b.change.header);
    require(a.change.done == b.change.done);
  }
  if (a.token) require(a.token_text == b.token_text);
  if (a.version) {
    require(a.version_number == b.version_number && a.version_text == b.version_text);
  }
}

// A node reckons with it in nanoseconds from when it was started.
void require_time(std::int64_t seconds) {
  using Nanoseconds = std::chrono::nanoseconds;
  constexpr auto most = std::chrono::duration_cast<std::chrono::seconds>(Nanoseconds::max());
  require(seconds > 0 && seconds < most.count() / 2);
}

void require_whole(const etcd::Header& header) { require(header.cluster != 0 && header.term != 0); }

void require_key(const CoordinatorKey& key) {
  require(key.revision >= 0);
  if (key.revision == 0) require(key.value.empty() && key.lease == 0);
}

void check(const Read& read) {
  if (read.granted) {
    require_whole(read.grant.header);
    require(read.grant.id > 0);
    require_time(read.grant.ttl_s);
  }
  if (read.renewed) {
    require_whole(read.renewal.header);
    require(read.renewal.ttl_s >= 0);
  }
  if (read.revoked) require_whole(read.header);
  if (read.found) {
    require_whole(read.keys.header);
    require_key(read.keys.keys.leader);
    require_key(read.keys.keys.control);
  }
  if (read.changed) require_whole(read.change.header);
  if (read.token) {
    require(!read.token_text.empty());
    for (const char c : read.token_text) require(c > ' ' && c < '\x7f');
  }
  if (read.version) {
    require(read.version_number >= 0 && read.version_number < 101'000);
    require(core::one_line(read.version_text) == read.version_text);
  }
}

// As 3.4 writes them: what is zero, false or empty is left out.
json::object to_json(const etcd::Header& header) {
  return {{"cluster_id", std::to_string(header.cluster)},
          {"member_id", "1"},
          {"raft_term", std::to_string(header.term)}};
}

void add_key(json::array& list, const char* name, const CoordinatorKey& key) {
  if (key.revision == 0) return;
  json::object kv{{"key", etcd::to_base64(name)}, {"mod_revision", std::to_string(key.revision)}};
  if (!key.value.empty()) kv["value"] = etcd::to_base64(key.value);
  if (key.lease != 0) kv["lease"] = std::to_string(key.lease);
  list.push_back(std::move(kv));
}

// Each thing that was taken, as an answer of its own.
void write_again(const Read& was) {
  Read again;
  if (was.granted) {
    again = read(json::serialize(json::object{{"header", to_json(was.grant.header)},
                                              {"ID", std::to_string(was.grant.id)},
                                              {"TTL", std::to_string(was.grant.ttl_s)}}));
    require(again.granted && again.grant.id == was.grant.id);
    require(again.grant.ttl_s == was.grant.ttl_s);
    require_same(again.grant.header, was.grant.header);
  }
  if (was.renewed) {
    json::object result{{"header", to_json(was.renewal.header)}, {"ID", std::to_string(kLease)}};
    if (was.renewal.ttl_s != 0) result["TTL"] = std::to_string(was.renewal.ttl_s);
    again = read(json::serialize(json::object{{"result", std::move(result)}}));
    require(again.renewed && again.renewal.ttl_s == was.renewal.ttl_s);
    require_same(again.renewal.header, was.renewal.header);
  }
  if (was.found) {
    json::array list;
    add_key(list, kControl, was.keys.keys.control);
    add_key(list, kLeader, was.keys.keys.leader);
    json::object all{{"header", to_json(was.keys.header)}};
    if (!list.empty()) all["count"] = std::to_string(list.size());
    if (!list.empty()) all["kvs"] = std::move(list);
    again = read(json::serialize(all));
    require(again.found);
    require_same(again.keys.header, was.keys.header);
    require_same(again.keys.keys.leader, was.keys.keys.leader);
    require_same(again.keys.keys.control, was.keys.keys.control);
  }
  if (was.changed) {
    json::object all{{"header", to_json(was.change.header)}};
    if (was.change.done) {
      all["succeeded"] = true;
      all["responses"] = json::array{json::object{{"response_put", json::object{}}}};
    }
    again = read(json::serialize(all));
    require(again.changed && again.change.done == was.change.done);
    require_same(again.change.header, was.change.header);
  }
}

void faults(std::string_view body, const json::value* again) {
  for (const unsigned status : {200u, 400u, 401u, 503u}) {
    const etcd::Fault fault = etcd::parse_fault(status, body);
    require(!fault.text.empty() && core::one_line(fault.text) == fault.text);
    if (status == 401) require(fault.kind == etcd::Fault::Kind::kToken);
    if (again == nullptr) continue;
    const std::string text = json::serialize(*again);
    require(etcd::parse_fault(status, text).kind == fault.kind);
    require(etcd::parse_fault(status, text).text == fault.text);
    require(etcd::is_fault(text) == etcd::is_fault(body));
  }
}

void body(std::string_view text) {
  const Read was = read(text);
  check(was);
  write_again(was);
  json::error_code wrong;
  const json::value value = json::parse(json::string_view(text.data(), text.size()), wrong);
  faults(text, wrong ? nullptr : &value);
  if (!wrong) require_same(read(json::serialize(value)), was);
}

// The control key's value, and any bytes as base64.
void value(const std::string& text) {
  Orders orders;
  if (Orders::parse(text, orders).empty()) {
    Orders again;
    require(Orders::parse(orders.text(), again).empty());
    require(again.paused == orders.paused && again.wanted == orders.wanted);
  }
  std::string bytes;
  if (etcd::from_base64(text, bytes)) require(etcd::to_base64(bytes) == text);
  require(etcd::from_base64(etcd::to_base64(text), bytes) && bytes == text);
  const json::value put = json::parse(etcd::put_request(kControl, text, 0, 7));
  const std::string written(put.at("success").at(0).at("request_put").at("value").as_string());
  require(written == etcd::to_base64(text));
}

// A server that has said all it will say, and hung up, before it is asked.
class Server {
 public:
  Server() : listener_(context_, {boost::asio::ip::address_v4::loopback(), 0}) {}

  net::Address address() { return {"127.0.0.1", listener_.local_endpoint().port()}; }

  // The answer of that client, which is new or has just failed.
  HttpAnswer say(HttpClient& client, std::string_view bytes) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    bool fresh = false;
    require(client.open(deadline, fresh).empty() && fresh);
    tcp::socket peer = listener_.accept();
    boost::asio::write(peer, boost::asio::buffer(bytes));
    // With a reset: otherwise the kernel would keep thousands of ended connections for a minute.
    peer.set_option(boost::asio::socket_base::linger(true, 0));
    peer.close();
    HttpAnswer answer = client.ask("/v3/kv/range", "{}", "", deadline);
    require(answer.failure != "no answer in time");
    return answer;
  }

 private:
  boost::asio::io_context context_{1};
  tcp::acceptor listener_;
};

bool has_no_body(unsigned status) { return status / 100 == 1 || status == 204 || status == 304; }

void http(std::string_view bytes) {
  static Server server;
  static net::Resolver resolver;
  // More would not fit into the buffers between the two ends, which take turns.
  if (bytes.size() > 32 * 1024) return;
  HttpClient client({server.address()}, nullptr, resolver);
  const HttpAnswer answer = server.say(client, bytes);
  require(answer.sent);
  if (!answer.failure.empty()) return require(core::one_line(answer.failure) == answer.failure);
  require(answer.status < 1000);
  require(answer.body.size() <= bytes.size());
  const std::string status = std::to_string(1000 + answer.status).substr(1);
  std::string again = "HTTP/1.1 " + status + " \r\n";
  if (!has_no_body(answer.status)) {
    again += "Content-Length: " + std::to_string(answer.body.size()) + "\r\n";
  }
  again += "\r\n" + answer.body;
  client.next();
  const HttpAnswer same = server.say(client, again);
  require(same.failure.empty() && same.status == answer.status && same.body == answer.body);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  const std::string text(reinterpret_cast<const char*>(data + 1), size - 1);
  switch (data[0] % 3) {
    case 0:
      body(text);
      break;
    case 1:
      value(text);
      break;
    default:
      http(text);
  }
  return 0;
}
