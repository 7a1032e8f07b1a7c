// SPDX-License-Identifier: Apache-2.0
// Kinds of input over every route of a real broker: names, numbers, encodings, bodies, headers.
//
// Whatever is sent, there is one well-formed answer; a refusal is JSON with a code and a message
// and never "internal error"; what was taken is there after a restart.

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <map>

#include "http/api.h"
#include "http/query.h"
#include "http/raw_socket.h"
#include "http/server.h"
#include "http/text.h"
#include "store/broker_fixture.h"

using namespace std::string_literals;

namespace stub::test {
namespace {

using http::in_quotes;

std::string percent_encoded(std::string_view bytes) {
  std::string out;
  for (const char c : bytes) {
    char hex[4];
    std::snprintf(hex, sizeof hex, "%%%02X", static_cast<unsigned char>(c));
    out += hex;
  }
  return out;
}

// As bytes; none is a legal segment of a target without its percent signs.
const std::vector<std::string> kNames = {"t",
                                         "",
                                         "a\0b"s,
                                         "\0"s,
                                         "caf\xC3\xA9",
                                         "caf\xE9",
                                         "\xC0\xAF",
                                         "\xED\xA0\x80",
                                         "\xF0\x9F\x98\x80",
                                         "a@b",
                                         "a b",
                                         " ",
                                         "\"",
                                         "\\",
                                         "'",
                                         "a/b",
                                         "..",
                                         ".",
                                         "a\nb",
                                         "\r\n\r\n",
                                         "%RETRY%g",
                                         "%zz",
                                         "\x7F",
                                         "{\"x\":1}",
                                         "null",
                                         "\xEF\xBB\xBFt",
                                         "SCHEDULE_TOPIC_XXXX",
                                         "TBW102",
                                         "a\x01"
                                         "b\x02",
                                         std::string(127, 'x'),
                                         std::string(128, 'x'),
                                         std::string(255, 'x'),
                                         std::string(256, 'x'),
                                         std::string(1000, 'x')};

const std::vector<std::string> kNumbers = {"0",
                                           "1",
                                           "3",
                                           "007",
                                           "00",
                                           "-1",
                                           "-0",
                                           "+1",
                                           " 1",
                                           "1 ",
                                           "1.0",
                                           "1e0",
                                           "0x0",
                                           "",
                                           "1_0",
                                           "1,0",
                                           "0\0"s,
                                           "\xEF\xBC\x91",
                                           "65535",
                                           "65536",
                                           "2147483647",
                                           "2147483648",
                                           "4294967296",
                                           "9223372036854775807",
                                           "9223372036854775808",
                                           "-9223372036854775808",
                                           "99999999999999999999",
                                           "NaN",
                                           "true",
                                           std::string(1000, '1')};

std::string field_of(const std::string& answer, const std::string& name) {
  const auto header = answer.substr(0, answer.find("\r\n\r\n") + 2);
  const auto at = header.find("\r\n" + name + ": ");
  if (at == std::string::npos) return "";
  const auto begin = at + name.size() + 4;
  return header.substr(begin, header.find("\r\n", begin) - begin);
}

class Kinds : public ::testing::Test {
 protected:
  void SetUp() override { start(); }

  void start() {
    server_.reset();
    broker_.reset();
    broker_ = open_broker(broker_options(dir_.path(), Role::kMaster));
    auto bound = http::Server::bind({.listen = "127.0.0.1:0"});
    server_ = std::get<std::unique_ptr<http::Server>>(std::move(bound));
    server_->start(*broker_);
  }

  // Sends these bytes on a connection of their own and checks what must hold for any answer.
  std::string ask(const std::string& bytes) {
    RawSocket socket(server_->address());
    socket.send(bytes);
    const auto answer = socket.read_answer();
    const int status = status_of(answer);
    const std::string shown = in_quotes(bytes) + " -> " + answer;
    EXPECT_GE(status, 200) << shown;
    EXPECT_NE(status, 500) << shown;
    EXPECT_EQ(field_of(answer, "Content-Length"), std::to_string(body_of(answer).size())) << shown;
    if (field_of(answer, "Content-Type") != "application/json") {
      EXPECT_EQ(status, 200) << shown;
      return answer;
    }
    boost::system::error_code wrong;
    const auto value = boost::json::parse(body_of(answer), wrong);
    EXPECT_TRUE(!wrong && value.is_object()) << shown;
    if (status >= 400 && !wrong && value.is_object()) {
      const auto* error = value.get_object().if_contains("error");
      EXPECT_NE(error, nullptr) << shown;
      if (error != nullptr) {
        EXPECT_GT(error->at("code").as_string().size(), 0u) << shown;
        EXPECT_GT(error->at("message").as_string().size(), 0u) << shown;
      }
    }
    return answer;
  }

  std::string send(const std::string& method, const std::string& target,
                   const std::string& body = "", const std::string& fields = "") {
    return ask(bytes_of(method, target, body, fields));
  }
  static std::string bytes_of(const std::string& method, const std::string& target,
                              const std::string& body = "", const std::string& fields = "") {
    return method + " " + target + " HTTP/1.1\r\nHost: test\r\n" + fields +
           (body.empty() ? "" : "Content-Length: " + std::to_string(body.size()) + "\r\n") +
           "\r\n" + body;
  }

  // Method and path of all routes but HEAD, as the server itself names them; every place is
  // `name`.
  std::vector<std::pair<std::string, std::string>> routes(const std::string& name) {
    const std::string known = body_of(send("GET", "/none"));
    std::vector<std::pair<std::string, std::string>> out;
    auto at = known.find("(known: ") + 8;
    const auto end = known.find(')', at);
    while (at < end) {
      const auto stop = std::min(known.find(", ", at), end);
      std::string path;
      for (const char c : known.substr(at, stop - at)) path += c == '*' ? name : std::string(1, c);
      at = stop + 2;
      std::string allow = field_of(send("BREW", path), "Allow");
      while (!allow.empty()) {
        const auto method = allow.substr(0, allow.find(", "));
        if (method != "HEAD") out.emplace_back(method, path);
        allow.erase(0, std::min(allow.size(), method.size() + 2));
      }
    }
    EXPECT_GE(out.size(), 10u) << known;
    return out;
  }

  const store::TempDir dir_;
  std::unique_ptr<Broker> broker_;
  std::unique_ptr<http::Server> server_;
};

TEST_F(Kinds, NamesInEveryPlace) {
  std::map<std::string, std::string> offsets;
  for (const auto& bytes : kNames) {
    const auto name = percent_encoded(bytes);
    for (const auto& [method, path] : routes(name)) {
      send(method, path);
      send(method, path + "?" + name + "=" + name);
    }
    for (const auto* parameter :
         {"key", "group", "queue", "acks", "durability", "lines", "force"}) {
      send("POST", "/v1/topics/names/messages?"s + parameter + "=" + name, "x");
      send("GET", "/v1/topics/names/messages?queue=0&"s + parameter + "=" + name);
    }
    for (const auto& path : {"/v1/groups/" + name + "/topics/t/queues/0/offset",
                             "/v1/groups/g/topics/" + name + "/queues/0/offset"}) {
      const auto put = send("PUT", path, "{\"next\":0}");
      if (status_of(put) == 200) offsets[path] = body_of(put);
    }
    send("POST", "/v1/follow", "{\"master\":" + http::json_string(bytes) + "}");
    EXPECT_EQ(status_of(send("POST", "/v1/promote")), 200);
    send("PUT", "/v1/options/" + name, "{\"value\":" + http::json_string(bytes) + "}");
    const auto put = send("POST", "/v1/topics/names/messages",
                          "{\"body\":\"x\",\"key\":" + http::json_string(bytes) + "}",
                          "Content-Type: application/json\r\n");
    EXPECT_TRUE(status_of(put) == 200 || status_of(put) == 400) << put;
  }
  EXPECT_FALSE(offsets.empty());
  const auto messages = body_of(send("GET", "/v1/topics/names/messages?max=10000"));
  start();
  for (const auto& [path, body] : offsets) EXPECT_EQ(body_of(send("GET", path)), body) << path;
  EXPECT_EQ(body_of(send("GET", "/v1/topics/names/messages?max=10000")), messages);
}

TEST_F(Kinds, NumbersInEveryPlace) {
  for (int i = 0; i < 4; ++i) send("POST", "/v1/topics/t/messages?queue=0", "x");
  const auto within = [](const std::string& text, std::int64_t min, std::int64_t max) {
    const auto number = http::parse_integer(text);
    return number && *number >= min && *number <= max;
  };
  for (const auto& text : kNumbers) {
    SCOPED_TRACE(in_quotes(text));
    const auto encoded = percent_encoded(text);
    const auto taken = [&](const std::string& method, const std::string& target, bool right,
                           const std::string& body = "") {
      const auto answer = send(method, target, body);
      if (!right) {
        EXPECT_EQ(status_of(answer), 400) << target;
        return;
      }
      // The number itself may be more than this broker has, and is refused as that.
      EXPECT_TRUE(status_of(answer) == 200 || status_of(answer) == 400) << target << answer;
      EXPECT_EQ(answer.find("is not a whole number"), std::string::npos) << target << answer;
    };
    taken("GET", "/v1/groups/g/topics/t/queues/" + encoded + "/offset", within(text, 0, 65'535));
    taken("PUT", "/v1/groups/g/topics/t/queues/" + encoded + "/offset", within(text, 0, 65'535),
          "{\"next\":0}");
    taken("GET", "/v1/topics/t/messages?queue=" + encoded, within(text, 0, 65'535));
    taken("GET", "/v1/topics/t/messages?from=" + encoded, within(text, 0, INT64_MAX));
    taken("GET", "/v1/topics/t/messages?max=" + encoded, within(text, 1, http::kMaxConsumeCount));
    taken("GET", "/v1/topics/t/messages?wait_ms=" + encoded, within(text, 0, http::kMaxLongPollMs));
    taken("POST", "/v1/topics/t/messages?timeout_ms=" + encoded,
          within(text, 1, http::kMaxAckTimeoutMs), "x");
    taken("POST", "/v1/topics/t/messages?delay_ms=" + encoded, within(text, 0, kMaxDelayMs), "x");
    taken("POST", "/v1/topics/t/messages?queue=" + encoded, within(text, 0, 65'535), "x");
    const auto put =
        send("PUT", "/v1/groups/g/topics/t/queues/0/offset", "{\"next\":" + text + "}");
    const auto next = text == "-0" ? "0" : text == " 1" || text == "1 " ? "1" : text;
    if (within(next, 0, INT64_MAX)) {
      EXPECT_LT(status_of(put), 500) << put;  // it may be more than the queue has
    } else {
      EXPECT_EQ(status_of(put), 400) << put;
    }
  }
}

TEST_F(Kinds, NumbersInAnswersAreTheBrokersOwn) {
  EXPECT_EQ(status_of(send("PUT", "/v1/groups/g/topics/t/queues/007/offset", "{\"next\":0}")), 400);
  EXPECT_EQ(body_of(send("GET", "/v1/groups/g/topics/t/queues/%37/offset")),
            "{\"group\":\"g\",\"topic\":\"t\",\"queue\":7,\"next\":-1}\n");
}

TEST_F(Kinds, EncodedBodiesAreRefusedOnEveryRoute) {
  for (const auto& [method, path] : routes("t")) {
    for (const std::string coding :
         {"gzip", "deflate", "br", "zstd", "x-gzip", "identity, gzip", "GZIP", "", "aws-chunked"}) {
      const auto answer = send(method, path, "x", "Content-Encoding: " + coding + "\r\n");
      EXPECT_EQ(status_of(answer), 415) << method << path << coding;
      EXPECT_EQ(field_of(answer, "Accept-Encoding"), "identity");
    }
    for (const std::string coding : {"gzip", "gzip, chunked", "identity", "chunked, gzip"}) {
      const auto answer = send(method, path, "", "Transfer-Encoding: " + coding + "\r\n");
      EXPECT_EQ(status_of(answer), 501) << method << path << coding;
    }
    EXPECT_EQ(status_of(send(method, path, "x", "Expect: a-miracle\r\n")), 417);
  }
  EXPECT_EQ(status_of(send("POST", "/v1/topics/t/messages", "x", "Content-Encoding: identity\r\n")),
            200);
  EXPECT_EQ(body_of(send("GET", "/v1/topics/t/messages")).find("\"offset\":100"),
            std::string::npos);
}

TEST_F(Kinds, JsonIsUtf8) {
  const std::string path = "/v1/topics/t/messages";
  const std::string body = "{\"body\":\"x\"}";
  const auto type = [&](const std::string& value, const std::string& bytes) {
    return status_of(send("POST", path, bytes, "Content-Type: application/json" + value + "\r\n"));
  };
  for (const auto* charset : {"", "; charset=utf-8", ";charset=UTF-8", " ; charset=\"utf-8\"",
                              "\t;charset=us-ascii", "; profile=x"}) {
    EXPECT_EQ(type(charset, body), 200) << charset;
  }
  for (const auto* charset : {"; charset=latin1", ";Charset=UTF-16", "; charset=\"iso-8859-1\"",
                              "; profile=x; charset=utf-16le"}) {
    EXPECT_EQ(type(charset, body), 415) << charset;
  }
  EXPECT_EQ(type("", "\xEF\xBB\xBF" + body), 400);
  EXPECT_EQ(type("", "\xFF\xFE{\0}\0"s), 400);
  // Any other body is bytes.
  EXPECT_EQ(status_of(send("POST", path, "\xE9", "Content-Type: text/plain; charset=latin1\r\n")),
            200);
}

TEST_F(Kinds, BodiesOnEveryRoute) {
  std::vector<std::string> bodies = {
      "x",
      "{",
      "{}",
      "[]",
      "null",
      "true",
      "0",
      "\"\"",
      "{}x",
      "{\"next\":1,\"next\":0}",
      "{\"body\":\"a\",\"body\":\"b\"}",
      "{\"body\":\"a\",\"bo\\u0064y\":\"b\"}",
      "{\"\":1,\"\":2}",
      "{\"messages\":[{\"body\":\"a\",\"key\":\"1\",\"key\":\"2\"}]}",
      "{\"master\":\"a:1\",\"master\":\"b:1\"}",
      "{\"value\":\"1\",\"value\":\"2\"}",
      "{\"next\":1e400}",
      "{\"next\":0.5}",
      "{\"next\":-1}",
      "{\"next\":\"0\"}",
      "{\"next\":null}",
      "{\"next\":9223372036854775808}",
      "{\"body\":\"\\ud800\"}",
      "{\"body\":\"\xC0\xAF\"}",
      "{\"body\":\"a\0\"}"s,
      "{\"body_base64\":\"=\"}",
      "{\"body\":1}",
      "{'body':'x'}",
      "{\"body\":\"x\",}",
      "\xEF\xBB\xBF{}",
      std::string(100'000, '['),
      std::string("\0", 1),
      "{\"messages\":[[]]}",
      "{\"messages\":[{\"messages\":[]}]}",
      "NaN"};
  std::string deep = "1";
  for (int i = 0; i < 1000; ++i) deep = "{\"a\":" + deep + "}";
  bodies.push_back(deep);
  std::string wide = "{\"a\":1";
  for (int i = 0; i < 20'000; ++i) wide += ",\"m" + std::to_string(i) + "\":1";
  bodies.push_back(wide + "}");
  for (const auto& [method, path] : routes("t")) {
    for (const auto& body : bodies) {
      const auto answer = send(method, path, body, "Content-Type: application/json\r\n");
      EXPECT_GE(status_of(answer), 400) << method << path << in_quotes(body);
      EXPECT_LT(status_of(answer), 500) << method << path << in_quotes(body);
    }
  }
  EXPECT_EQ(body_of(send("GET", "/v1/topics/t/messages")).find("\"offset\""), std::string::npos);
}

TEST_F(Kinds, HeadersThatMayBeReadInTwoWays) {
  const std::string line = "POST /v1/topics/t/messages HTTP/1.1\r\n";
  const std::string host = "Host: test\r\n";
  const struct {
    std::string bytes;
    int status;
  } cases[] = {
      {line + host + "Content-Length: 1\r\n\r\nx", 200},
      {line + "Content-Length: 1\r\n\r\nx", 400},
      {line + host + host + "Content-Length: 1\r\n\r\nx", 400},
      {line + host + "Content-Length: 1\r\nContent-Length: 1\r\n\r\nx", 400},
      {line + host + "Content-Length: 1\r\nContent-Length: 2\r\n\r\nxy", 400},
      {line + host + "Content-Length: 1, 2\r\n\r\nxy", 400},
      {line + host + "Content-Length: +1\r\n\r\nx", 400},
      {line + host + "Content-Length: 0x1\r\n\r\nx", 400},
      {line + host + "Content-Length: \r\n\r\nx", 400},
      {line + host + "Content-Length: 18446744073709551616\r\n\r\nx", 400},
      {line + host + "Content-Length: 18446744073709551615\r\n\r\nx", 413},
      {line + host + "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
       400},
      {line + host + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
       400},
      {line + host + "Transfer-Encoding: chunked\r\n\r\nzz\r\nx\r\n0\r\n\r\n", 400},
      {line + host + "Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\nx\r\n0\r\n\r\n", 400},
      {line + host + "Content-Type: text/plain\r\nContent-Type: application/json\r\n\r\n", 400},
      {"POST /v1/topics/t/messages HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
      {"GET /healthz HTTP/1.0\r\n\r\n", 200},
      {"GET http://test/healthz HTTP/1.1\r\n" + host + "\r\n", 200},
      {"GET http://test HTTP/1.1\r\n" + host + "\r\n", 404},
      {"GET https://test/healthz HTTP/1.1\r\n" + host + "\r\n", 400},
      {"GET //healthz HTTP/1.1\r\n" + host + "\r\n", 404},
      {"GET healthz HTTP/1.1\r\n" + host + "\r\n", 400},
      {"OPTIONS * HTTP/1.1\r\n" + host + "\r\n", 400},
      {"CONNECT test:80 HTTP/1.1\r\n" + host + "\r\n", 400},
      {"GET /healthz? HTTP/1.1\r\n" + host + "\r\n", 200},
      {"GET /healthz?a HTTP/1.1\r\n" + host + "\r\n", 200},
      {"GET /healthz#a HTTP/1.1\r\n" + host + "\r\n", 400},
      {"GET /%68ealthz HTTP/1.1\r\n" + host + "\r\n", 200},
      {"GET /healthz%00 HTTP/1.1\r\n" + host + "\r\n", 404},
      {"GET /healthz%2 HTTP/1.1\r\n" + host + "\r\n", 400},
      {"GET /healthz/.. HTTP/1.1\r\n" + host + "\r\n", 404},
      {"GET /v1/topics/t/messages?max=1&max=1 HTTP/1.1\r\n" + host + "\r\n", 400},
      {"GET /v1/topics/t/messages?max=1&m%61x=2 HTTP/1.1\r\n" + host + "\r\n", 400},
      {"get /healthz HTTP/1.1\r\n" + host + "\r\n", 405},
      {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400},
      {"GET /healthz HTTP/1.1\r\n" + host + "A : b\r\n\r\n", 400},
      {"GET /healthz HTTP/1.1\r\n" + host + "A: b\0\r\n\r\n"s, 400},
  };
  for (const auto& one : cases) {
    EXPECT_EQ(status_of(ask(one.bytes)), one.status) << in_quotes(one.bytes) << one.bytes;
  }
}

TEST_F(Kinds, WhatARouteDoesNotReadIsRefused) {
  EXPECT_EQ(status_of(send("POST", "/v1/promote", "{\"force\":true}")), 400);
  EXPECT_EQ(status_of(send("POST", "/v1/demote?force=true")), 400);
  EXPECT_EQ(status_of(send("POST", "/v1/demote", "x")), 400);
  EXPECT_EQ(status_of(send("GET", "/v1/status?verbose=1")), 400);
  EXPECT_EQ(status_of(send("GET", "/readyz?verbose=1")), 200) << "a probe may say what it likes";
  EXPECT_EQ(broker_->role(), Role::kMaster);
  EXPECT_EQ(status_of(send("POST", "/v1/promote")), 200);
}

// One that is refused by its header is told so in a HEAD's way too, and after the answers before
// it.
TEST_F(Kinds, ARefusedHeaderKeepsTheOrderOfAnswers) {
  RawSocket socket(server_->address());
  socket.send(bytes_of("GET", "/healthz") +
              bytes_of("HEAD", "/healthz", "", "Content-Encoding: gzip\r\n") +
              bytes_of("GET", "/healthz"));
  EXPECT_EQ(status_of(socket.read_answer()), 200);
  const auto rest = socket.read_all();
  EXPECT_EQ(status_of(rest), 415);
  EXPECT_EQ(body_of(rest), "");
  EXPECT_TRUE(socket.at_end());
}

}  // namespace
}  // namespace stub::test
