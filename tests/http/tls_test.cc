// SPDX-License-Identifier: Apache-2.0
// The client API over https: certificates of both sides, good and bad, replaced while it runs; what
// is sent in pieces, at once, or in plain.

#include <unistd.h>

#include <filesystem>
#include <random>
#include <thread>

#include "http/certs.h"
#include "http/fixture.h"
#include "http/raw_tls.h"
#include "http/secret_file.h"
#include "http/tls_context.h"

using namespace std::string_literals;

namespace stub::test {
namespace {

using http::TlsContext;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr long kDay = 24L * 3600;

class Tls : public HttpTest {
 protected:
  void SetUp() override { serve_with(ca_.issue({.cn = "broker"})); }

  http::ServerOptions options_with(const Pem& own, const std::string& client_ca = "") {
    cert_.write(own.cert);
    key_.write(own.key);
    http::ServerOptions options;
    options.tls = {.cert = cert_.path(), .key = key_.path(), .ca = ""};
    if (!client_ca.empty()) {
      client_ca_.write(client_ca);
      options.tls.ca = client_ca_.path();
    }
    return options;
  }
  void serve_with(const Pem& own, const std::string& client_ca = "") {
    serve(options_with(own, client_ca));
  }
  std::string start_fault(const http::ServerOptions& given) {
    auto options = given;
    options.listen = "127.0.0.1:0";
    const auto bound = http::Server::bind(options);
    const auto* error = std::get_if<Error>(&bound);
    return error != nullptr ? error->text : "(started)";
  }

  // A client that takes certificates of that CA and shows its own, if it has one.
  Result<std::shared_ptr<TlsContext>> context(const std::string& ca, const Pem& own = {}) {
    SecretFile ca_file;
    SecretFile own_file;
    http::TlsFiles files;
    ca_file.write(ca);
    files.ca = ca_file.path();
    if (!own.cert.empty()) {
      own_file.write(own.both());
      files.cert = own_file.path();
    }
    return TlsContext::load(files, TlsContext::Side::kClient, {"cert", "key", "ca"});
  }
  http::Client client_to(const std::string& host, const std::string& ca, const Pem& own = {}) {
    auto loaded = context(ca, own);
    if (const auto* error = std::get_if<Error>(&loaded)) ADD_FAILURE() << error->text;
    auto address = std::get<http::HostPort>(http::parse_host_port(server_->address(), "server"));
    return http::Client({host, address.port},
                        {.tls = std::get<std::shared_ptr<TlsContext>>(std::move(loaded))});
  }
  // Status, or the failure's words.
  static std::string outcome(http::Client& client, const http::ClientRequest& request) {
    const auto answer = client.call(request, kPatience);
    if (const auto* error = std::get_if<Error>(&answer)) return error->text;
    return std::to_string(std::get<http::ClientResponse>(answer).status);
  }
  std::string get(const std::string& host, const std::string& ca, const Pem& own = {}) {
    auto client = client_to(host, ca, own);
    return outcome(client, {"GET", "/healthz"});
  }
  std::string promote(const Pem& own) {
    auto client = client_to("127.0.0.1", ca_.pem(), own);
    return outcome(client, {"POST", "/v1/promote"});
  }

  const TestCa ca_{"good-ca"};
  const TestCa other_ca_{"other-ca"};
  SecretFile cert_;
  SecretFile key_;
  SecretFile client_ca_;
};

// ---- what clients take

TEST_F(Tls, ACertificateOfTheCaIsTaken) {
  EXPECT_EQ(get("127.0.0.1", ca_.pem()), "200");
  EXPECT_EQ(get("localhost", ca_.pem()), "200");
  EXPECT_EQ(get("127.0.0.1", other_ca_.pem() + ca_.pem()), "200");
}

TEST_F(Tls, ACertificateOfAnotherCaIsNot) {
  const auto words = get("127.0.0.1", other_ca_.pem());
  EXPECT_THAT(words, HasSubstr("no TLS with " + server_->address() +
                               ": the certificate 'CN=broker' is signed by 'CN=good-ca', which is "
                               "not in ca '"));
  EXPECT_THAT(words, Not(HasSubstr("is a broker running")));
}

TEST_F(Tls, DatesAreSaid) {
  serve_with(ca_.issue({.cn = "old", .from_s = -30 * kDay, .until_s = -27 * kDay - 60}));
  EXPECT_THAT(get("127.0.0.1", ca_.pem()),
              AllOf(HasSubstr("the certificate 'CN=old' expired on 20"),
                    HasSubstr(" UTC, 27 days ago; this clock says 20")));
  serve_with(ca_.issue({.cn = "new", .from_s = 3 * kDay + 60, .until_s = 9 * kDay}));
  EXPECT_THAT(get("127.0.0.1", ca_.pem()),
              AllOf(HasSubstr("the certificate 'CN=new' is not valid before 20"),
                    HasSubstr(", in 3 days; this clock says 20")));
}

TEST_F(Tls, ASelfSignedOneIsTakenOnlyByName) {
  const auto own = self_signed({.cn = "self"});
  serve_with(own);
  EXPECT_THAT(get("127.0.0.1", ca_.pem()),
              HasSubstr("the certificate 'CN=self' is signed by itself and is not in ca '"));
  EXPECT_EQ(get("127.0.0.1", own.cert), "200");
}

TEST_F(Tls, TheHostIsOneOfItsNames) {
  const auto with = [&](const std::string& names, const std::string& host) {
    serve_with(ca_.issue({.cn = "localhost", .names = names}));
    return get(host, ca_.pem());
  };
  EXPECT_EQ(with("DNS:localhost", "localhost"), "200");
  EXPECT_EQ(with("DNS:LOCALHOST", "localhost"), "200");
  EXPECT_EQ(with("IP:127.0.0.1", "127.0.0.1"), "200");
  EXPECT_EQ(with("DNS:a,DNS:b,IP:10.0.0.1,IP:127.0.0.1", "127.0.0.1"), "200");
  EXPECT_THAT(with("DNS:localhost,IP:10.0.0.5", "127.0.0.1"),
              HasSubstr("the certificate 'CN=localhost' is for 'DNS:localhost, IP:10.0.0.5', not "
                        "for the host that was asked for"));
  // The common name does not count, an address is not a name, and a star is one whole label.
  for (const auto* names : {"", "DNS:other", "IP:127.0.0.1", "DNS:*", "DNS:l*", "DNS:*.localhost",
                            "URI:http://localhost", "email:a@localhost"}) {
    EXPECT_THAT(with(names, "localhost"), HasSubstr("not for the host that was asked for"))
        << names;
  }
  for (const auto* names : {"DNS:127.0.0.1", "DNS:localhost", "IP:127.0.0.2", "IP:::1"}) {
    EXPECT_THAT(with(names, "127.0.0.1"), HasSubstr("not for the host that was asked for"))
        << names;
  }
}

TEST_F(Tls, AChainIsSentWhole) {
  const TestCa between("between", ca_);
  auto own = between.issue({.cn = "leaf"});
  serve_with(own);
  EXPECT_THAT(get("127.0.0.1", ca_.pem()),
              HasSubstr("'CN=leaf' is signed by 'CN=between', which is not in ca"));
  EXPECT_EQ(get("127.0.0.1", between.pem()), "200") << "a CA in between may be the one trusted";
  own.cert += between.pem();
  serve_with(own);
  EXPECT_EQ(get("127.0.0.1", ca_.pem()), "200");
}

TEST_F(Tls, WhatAPeerCallsItselfIsQuoted) {
  serve_with(other_ca_.issue({.cn = "a\nb\x1b[2J" + std::string(40, 'x')}));
  const auto words = get("127.0.0.1", ca_.pem());
  EXPECT_THAT(words, Not(HasSubstr("\n")));
  EXPECT_THAT(words, Not(HasSubstr("\x1b")));
}

// ---- versions

TEST_F(Tls, SpeaksTwoVersionsAndPrefersTheNewer) {
  EXPECT_EQ(RawTls(server_->address()).version(), TLS1_3_VERSION);
  RawTls old(server_->address(), {.max_version = TLS1_2_VERSION});
  ASSERT_TRUE(old.connected()) << old.error();
  EXPECT_EQ(old.version(), TLS1_2_VERSION);
  old.send(request("GET", "/healthz"));
  EXPECT_EQ(status_of(old.read_answer()), 200);
  for (const int version : {TLS1_VERSION, TLS1_1_VERSION}) {
    EXPECT_FALSE(
        RawTls(server_->address(), {.min_version = version, .max_version = version}).connected());
  }
  // Without forward secrecy, or with an old mode.
  for (const auto* ciphers : {"AES256-GCM-SHA384", "AES128-SHA", "ECDHE-ECDSA-AES128-SHA"}) {
    EXPECT_FALSE(
        RawTls(server_->address(), {.max_version = TLS1_2_VERSION, .ciphers = ciphers}).connected())
        << ciphers;
  }
}

TEST_F(Tls, SpeaksHttp11Only) {
  EXPECT_EQ(RawTls(server_->address(), {.alpn = "\x02h2\x08http/1.1"}).alpn(), "http/1.1");
  EXPECT_EQ(RawTls(server_->address()).alpn(), "");
  EXPECT_FALSE(RawTls(server_->address(), {.alpn = "\x02h2"}).connected());
  EXPECT_FALSE(RawTls(server_->address(), {.alpn = "\x04imap"}).connected());
}

// ---- clients' certificates

TEST_F(Tls, AClientsCertificateIsControl) {
  serve_with(ca_.issue({.cn = "broker"}), other_ca_.pem());
  EXPECT_EQ(promote(other_ca_.issue({.cn = "operator"})), "200");
  EXPECT_EQ(promote({}), "403");
  EXPECT_EQ(get("127.0.0.1", ca_.pem()), "200") << "what is open needs none";
  auto client = client_to("127.0.0.1", ca_.pem());
  const auto answer = client.call({"POST", "/v1/promote"}, kPatience);
  EXPECT_THAT(std::get<http::ClientResponse>(answer).body,
              HasSubstr("POST /v1/promote needs a client certificate that --http-client-ca knows"));
  EXPECT_THAT(call("POST", "/v1/promote").body, Not(HasSubstr("OK"))) << "in plain";
}

TEST_F(Tls, WithoutAClientCaACertificateIsNothing) {
  EXPECT_EQ(promote(other_ca_.issue({.cn = "operator"})), "200");  // of this machine
  SecretFile tokens;
  tokens.write("control-token-0123456789");
  auto options = options_with(ca_.issue({.cn = "broker"}));
  options.access.control_token_file = tokens.path();
  serve(options);
  EXPECT_EQ(promote(other_ca_.issue({.cn = "operator"})), "401");
}

TEST_F(Tls, ATokenOrACertificateWillDo) {
  SecretFile tokens;
  SecretFile clients;
  tokens.write("control-token-0123456789");
  clients.write("client-token-0123456789");
  auto options = options_with(ca_.issue({.cn = "broker"}), other_ca_.pem());
  options.access.control_token_file = tokens.path();
  options.access.client_token_file = clients.path();
  serve(options);
  const auto own = other_ca_.issue({.cn = "operator"});
  EXPECT_EQ(promote(own), "200");
  EXPECT_EQ(promote({}), "401");
  auto with = client_to("127.0.0.1", ca_.pem(), own);
  EXPECT_EQ(outcome(with, {"POST", "/v1/topics/t/messages", "x", "text/plain"}), "200");
  auto without = client_to("127.0.0.1", ca_.pem());
  EXPECT_EQ(outcome(without, {"POST", "/v1/topics/t/messages", "x", "text/plain"}), "401");
  RawTls token(server_->address());
  token.send(
      request("POST", "/v1/demote", "", "Authorization: Bearer control-token-0123456789\r\n"));
  EXPECT_EQ(status_of(token.read_answer()), 200);
}

TEST_F(Tls, ABadClientCertificateIsSaidOnBothSides) {
  const TestCa stranger("stranger-ca");
  const struct {
    Pem cert;
    const char* in_log;
    const char* at_client;
  } kCases[] = {
      {stranger.issue({.cn = "c"}),
       "the certificate 'CN=c' is signed by 'CN=stranger-ca', which is not in http-client-ca '",
       "does not know who signed our certificate"},
      {other_ca_.issue({.cn = "c", .from_s = -9 * kDay, .until_s = -kDay}),
       "the certificate 'CN=c' expired on 20", "our certificate has expired"},
      {other_ca_.issue({.cn = "c", .from_s = kDay, .until_s = 9 * kDay}),
       "the certificate 'CN=c' is not valid before 20", "the other side"},
      {other_ca_.issue({.cn = "c", .usage = "serverAuth"}), "'CN=c' is for another purpose",
       "the other side did not take our certificate"},
      {self_signed({.cn = "c"}), "'CN=c' is signed by itself",
       "does not know who signed our certificate"},
  };
  for (const auto& one : kCases) {
    SCOPED_TRACE(one.in_log);
    serve_with(ca_.issue({.cn = "broker"}), other_ca_.pem());
    testing::internal::CaptureStdout();  // spdlog's default logger
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
      RawTls raw(server_->address(), {.max_version = version, .cert = one.cert});
      raw.send(request("POST", "/v1/promote"));
      EXPECT_EQ(raw.read_all(), "");
      EXPECT_THAT(raw.error(), HasSubstr("alert")) << "it was cut off instead of told";
      raw.await_close();  // the log has it by then
    }
    const std::string log = testing::internal::GetCapturedStdout();
    EXPECT_THAT(log, HasSubstr("http: no TLS with 127.0.0.1:"));
    EXPECT_THAT(log, HasSubstr(one.in_log));
    EXPECT_EQ(std::count(log.begin(), log.end(), '\n'), 1) << log;
    auto loaded = context(ca_.pem(), one.cert);
    if (std::holds_alternative<Error>(loaded)) continue;  // its own side says it first
    EXPECT_THAT(promote(one.cert), HasSubstr(one.at_client));
  }
  EXPECT_FALSE(broker_.forced());
}

TEST_F(Tls, AClientsOwnFilesAreChecked) {
  const auto fault = [&](const Pem& own) {
    const auto loaded = context(ca_.pem(), own);
    const auto* error = std::get_if<Error>(&loaded);
    return error != nullptr ? error->text : "(taken)";
  };
  EXPECT_EQ(fault(ca_.issue({})), "(taken)");
  EXPECT_THAT(
      fault(ca_.issue({.cn = "s", .usage = "serverAuth"})),
      AllOf(HasSubstr("cert: '"), HasSubstr("('CN=s') is not a certificate for TLS clients; "
                                            "its extended key usage must have clientAuth")));
  EXPECT_THAT(fault({ca_.issue({.cn = "a"}).cert, ca_.issue({.cn = "b"}).key}),
              AllOf(HasSubstr("is not the certificate of the key in '"), HasSubstr("'CN=a'")));
  EXPECT_THAT(fault({ca_.issue({}).cert, ""}), HasSubstr("holds no private key in PEM"));
}

// ---- the server's files

TEST_F(Tls, BadFilesEndTheStart) {
  const auto good = ca_.issue({.cn = "broker"});
  const auto fault = [&](const std::string& cert, const std::string& key) {
    return start_fault(options_with({cert, key}));
  };
  const std::string of_cert = "http-tls-cert: '" + cert_.path() + "' ";
  const std::string of_key = "http-tls-key: '" + key_.path() + "' ";
  EXPECT_EQ(fault(good.cert, good.key), "(started)");
  EXPECT_EQ(fault(good.cert + good.key, good.key), "(started)");
  EXPECT_THAT(fault("", good.key), HasSubstr(of_cert + "holds no certificate in PEM"));
  EXPECT_THAT(fault("hello\n", good.key), HasSubstr(of_cert + "holds no certificate in PEM"));
  EXPECT_THAT(fault(good.key, good.key), HasSubstr(of_cert + "holds no certificate in PEM"));
  EXPECT_THAT(fault("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", good.key),
              HasSubstr(of_cert + "has a damaged certificate, the one numbered 1"));
  EXPECT_THAT(fault(good.cert.substr(0, good.cert.size() - 40), good.key),
              HasSubstr(of_cert + "has a damaged certificate, the one numbered 1"));
  EXPECT_THAT(fault(good.cert + good.cert.substr(0, 100), good.key),
              HasSubstr(of_cert + "has a damaged certificate, the one numbered 2"));
  EXPECT_THAT(fault(good.cert, ""), HasSubstr(of_key + "holds no private key in PEM"));
  EXPECT_THAT(fault(good.cert, good.cert), HasSubstr(of_key + "holds no private key in PEM"));
  EXPECT_THAT(fault(good.cert, encrypted(good.key)),
              HasSubstr(of_key + "is encrypted; give a key without a passphrase"));
  EXPECT_THAT(fault(good.cert, ca_.issue({}).key),
              HasSubstr(of_cert + "is not the certificate of the key in '" + key_.path() +
                        "' (it is for 'CN=broker')"));
  const auto client = ca_.issue({.cn = "c", .usage = "clientAuth"});
  EXPECT_THAT(
      fault(client.cert, client.key),
      HasSubstr("('CN=c') is not a certificate for TLS servers; its extended key usage must "
                "have serverAuth"));
  EXPECT_THAT(fault(std::string((1 << 20) + 1, '\n'), good.key),
              HasSubstr("is longer than 1048576"));
  auto options = options_with(good, "no ca");
  EXPECT_THAT(start_fault(options),
              HasSubstr("http-client-ca: '" + client_ca_.path() + "' holds no"));
  options = options_with(good);
  key_.write(good.key, 0604);
  EXPECT_THAT(start_fault(options), HasSubstr(of_key + "is open to others than its owner"));
  key_.write(good.key, 0640);
  EXPECT_EQ(start_fault(options), "(started)");
  options.tls.key = "/no/such/key";
  EXPECT_THAT(start_fault(options), HasSubstr("http-tls-key: cannot read '/no/such/key': No such"));
  options.tls.key = "/dev/null";
  EXPECT_THAT(start_fault(options), HasSubstr("is a device; give a regular file"));
  options.tls.key.clear();
  cert_.write(good.both());
  EXPECT_EQ(start_fault(options), "(started)");
}

// Replication must not stay down for the certificate of this door.
TEST_F(Tls, AnExpiredCertificateOrOneThatSoonWillBeIsSaidAndUsed) {
  const auto log_of = [&](const CertPlan& plan) {
    testing::internal::CaptureStdout();
    serve_with(ca_.issue(plan));
    return testing::internal::GetCapturedStdout();
  };
  EXPECT_THAT(
      log_of({.cn = "old", .from_s = -9 * kDay, .until_s = -kDay - 60}),
      AllOf(HasSubstr("[error] http: http-tls-cert: '" + cert_.path() + "' ('CN=old', valid"),
            HasSubstr("expired on 20"), HasSubstr("1 day ago"), HasSubstr("renew it")));
  EXPECT_TRUE(RawTls(server_->address()).connected());
  EXPECT_THAT(log_of({.until_s = 13 * kDay}), HasSubstr("expires soon, on 20"));
  EXPECT_EQ(log_of({.until_s = 16 * kDay}), "");
}

TEST_F(Tls, ACertificateIsReplacedWhileTheBrokerRuns) {
  RawTls before(server_->address());
  EXPECT_EQ(before.peer(), "broker");
  const auto next = ca_.issue({.cn = "next"});
  cert_.write(next.cert);  // the key is still the old one's
  EXPECT_EQ(RawTls(server_->address()).peer(), "broker");
  key_.write(next.key);
  EXPECT_EQ(RawTls(server_->address()).peer(), "next");
  before.send(request("GET", "/healthz"));
  EXPECT_EQ(status_of(before.read_answer()), 200) << "an open connection goes on";
}

TEST_F(Tls, ABadChangeKeepsTheOldCertificateAndIsSaidOnce) {
  testing::internal::CaptureStdout();
  cert_.write("hello");
  for (int i = 0; i < 3; ++i) EXPECT_EQ(RawTls(server_->address()).peer(), "broker");
  cert_.remove();
  EXPECT_EQ(RawTls(server_->address()).peer(), "broker");
  const auto next = ca_.issue({.cn = "next"});
  cert_.write(next.cert);
  key_.write(next.key);
  EXPECT_EQ(RawTls(server_->address()).peer(), "next");
  const std::string log = testing::internal::GetCapturedStdout();
  const auto first = log.find(
      "holds no certificate in PEM (-----BEGIN CERTIFICATE-----); the files "
      "that were read before stay in use");
  ASSERT_NE(first, std::string::npos) << log;
  EXPECT_EQ(log.find("holds no certificate", first + 1), std::string::npos) << log;
  EXPECT_THAT(log, HasSubstr("[error] http: http-tls-cert: cannot read '" + cert_.path()));
  EXPECT_THAT(log, HasSubstr("[info] http: the certificate is 'CN=next', valid until 20"));
}

TEST_F(Tls, AnOpenConnectionLosesControlWithItsCa) {
  serve_with(ca_.issue({.cn = "broker"}), other_ca_.pem());
  auto client = client_to("127.0.0.1", ca_.pem(), other_ca_.issue({.cn = "operator"}));
  EXPECT_EQ(outcome(client, {"POST", "/v1/promote"}), "200");
  client_ca_.write(ca_.pem());
  EXPECT_EQ(outcome(client, {"POST", "/v1/promote"}), "403");
  EXPECT_EQ(outcome(client, {"GET", "/healthz"}), "200");
  client_ca_.write(ca_.pem() + other_ca_.pem());
  auto again = client_to("127.0.0.1", ca_.pem(), other_ca_.issue({.cn = "operator"}));
  EXPECT_EQ(outcome(again, {"POST", "/v1/promote"}), "200");
}

TEST_F(Tls, AnOpenConnectionLosesControlWhenItsCertificateExpires) {
  serve_with(ca_.issue({.cn = "broker"}), other_ca_.pem());
  auto client = client_to("127.0.0.1", ca_.pem(), other_ca_.issue({.cn = "o", .until_s = 3}));
  EXPECT_EQ(outcome(client, {"POST", "/v1/promote"}), "200");
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  std::string last;
  while (last != "403" && std::chrono::steady_clock::now() < deadline) {
    last = outcome(client, {"POST", "/v1/promote"});
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  EXPECT_EQ(last, "403");
}

// ---- plain beside TLS

TEST_F(Tls, PlainHttpIsToldToSpeakHttps) {
  for (const auto* path : {"/healthz", "/v1/promote", "/nothing"}) {
    auto socket = raw();
    socket.send(request("POST", path));
    const auto answer = socket.read_all();
    EXPECT_EQ(status_of(answer), 400);
    EXPECT_THAT(answer, HasSubstr("this port speaks https; put https:// instead of http://"));
  }
  const auto answer = call("POST", "/v1/promote?force=1");
  EXPECT_EQ(answer.status, 400);
  EXPECT_THAT(answer.body, HasSubstr("\"code\":\"TLS_REQUIRED\""));
  EXPECT_FALSE(broker_.forced());
}

TEST_F(Tls, HttpsToAPlainPortIsSaid) {
  serve({});
  EXPECT_THAT(get("127.0.0.1", ca_.pem()), HasSubstr("the other side does not speak TLS there"));
}

TEST_F(Tls, GarbageEndsItsConnectionOnly) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  for (int round = 0; round < 100; ++round) {
    std::string bytes = "\x16\x03\x01"s;
    while (bytes.size() < 20 + random() % 600) bytes += static_cast<char>(random());
    auto socket = raw();
    socket.send(bytes);
    socket.shut_sending();
    socket.read_all();
    ASSERT_TRUE(socket.at_end()) << round;
  }
  EXPECT_EQ(get("127.0.0.1", ca_.pem()), "200");
}

TEST_F(Tls, AClientThatStopsInTheHandshakeIsClosed) {
  auto options = options_with(ca_.issue({.cn = "broker"}));
  options.header_timeout = std::chrono::milliseconds(50);
  serve(options);
  auto silent = raw();
  auto started = raw();
  started.send("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"s);
  EXPECT_EQ(silent.read_all(), "");
  EXPECT_EQ(started.read_all(), "");
  EXPECT_TRUE(silent.at_end() && started.at_end());
}

// ---- bytes

TEST_F(Tls, LongBodiesGoBothWays) {
  std::string body(4 << 20, '\0');
  std::mt19937 random(1);
  for (auto& byte : body) byte = static_cast<char>('a' + random() % 26);
  auto client = client_to("127.0.0.1", ca_.pem());
  EXPECT_EQ(outcome(client, {"POST", "/v1/topics/t/messages", body, "text/plain"}), "200");
  EXPECT_EQ(broker_.produced().at(0).items.at(0).body, body);
  const auto answer = client.call({"GET", "/v1/topics/t/messages"}, kPatience);
  ASSERT_TRUE(std::holds_alternative<http::ClientResponse>(answer)) << std::get<Error>(answer).text;
  EXPECT_THAT(std::get<http::ClientResponse>(answer).body, HasSubstr(body));
}

TEST_F(Tls, PipelinedRequestsInOneRecordAreAllAnswered) {
  RawTls socket(server_->address());
  std::string all;
  for (int i = 0; i < 40; ++i) all += request("POST", "/v1/topics/t/messages", "x");
  socket.send(all);
  for (int i = 0; i < 40; ++i) {
    EXPECT_THAT(socket.read_answer(),
                HasSubstr("\"first_offset\":" + std::to_string(100 * i) + ","));
  }
}

TEST_F(Tls, EveryByteMayComeInARecordOfItsOwn) {
  RawTls socket(server_->address());
  for (const char byte : request("POST", "/v1/topics/t/messages", "hello")) {
    socket.send(std::string_view(&byte, 1));
  }
  EXPECT_EQ(status_of(socket.read_answer()), 200);
  EXPECT_EQ(broker_.produced().at(0).items.at(0).body, "hello");
}

TEST_F(Tls, TheClientPipelinesAndSeesWhatWaits) {
  auto client = client_to("127.0.0.1", ca_.pem());
  for (int i = 0; i < 10; ++i) {
    ASSERT_FALSE(std::holds_alternative<Error>(
        client.send({"POST", "/v1/topics/t/messages", "x", "text/plain"}, kPatience)));
  }
  for (int i = 0; i < 10; ++i) {
    const auto answer = client.receive(kPatience);
    ASSERT_TRUE(std::holds_alternative<http::ClientResponse>(answer));
    EXPECT_THAT(std::get<http::ClientResponse>(answer).body,
                HasSubstr("\"first_offset\":" + std::to_string(100 * i) + ","));
  }
  EXPECT_FALSE(client.has_input());
}

TEST_F(Tls, ALongPollEndsWithItsMessageAndWithItsClient) {
  RawTls reader(server_->address());
  reader.send(request("GET", "/v1/topics/t/messages?wait_ms=20000"));
  ASSERT_TRUE(broker_.await_waiting(1));
  auto producer = client_to("127.0.0.1", ca_.pem());
  EXPECT_EQ(outcome(producer, {"POST", "/v1/topics/t/messages", "x", "text/plain"}), "200");
  EXPECT_THAT(reader.read_answer(), HasSubstr("\"body\":\"x\""));
  {
    RawTls gone(server_->address());
    gone.send(request("GET", "/v1/topics/t/messages?wait_ms=20000&from=100"));
    ASSERT_TRUE(broker_.await_waiting(1));
  }
  EXPECT_TRUE(broker_.await_waiting(0));
}

TEST_F(Tls, TheEndIsSaidBeforeTheConnectionCloses) {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    RawTls socket(server_->address(), {.max_version = version});
    socket.send(request("GET", "/healthz", "", "Connection: close\r\n"));
    EXPECT_EQ(status_of(socket.read_all()), 200);
    EXPECT_TRUE(socket.ended_well()) << socket.error();
  }
  RawTls refused(server_->address());
  refused.send(
      "POST /v1/topics/t/messages HTTP/1.1\r\nHost: x\r\nContent-Length: 90000000\r\n\r\n" +
      std::string(100'000, 'x'));
  EXPECT_EQ(status_of(refused.read_all()), 413);
  EXPECT_TRUE(refused.ended_well()) << refused.error();
}

TEST_F(Tls, TheClientConnectsAgainWhenTheServerClosedMeanwhile) {
  auto options = options_with(ca_.issue({.cn = "broker"}));
  options.idle_timeout = std::chrono::milliseconds(30);
  serve(options);
  auto client = client_to("127.0.0.1", ca_.pem());
  EXPECT_EQ(outcome(client, {"GET", "/healthz"}), "200");
  RawTls later(server_->address());
  EXPECT_EQ(later.read_all(), "");  // idle for longer than the connection above
  EXPECT_EQ(outcome(client, {"GET", "/healthz"}), "200");
}

TEST_F(Tls, ASilentServerIsGivenUp) {
  broker_.hold();
  auto client = client_to("127.0.0.1", ca_.pem());
  const auto answer = client.call({"POST", "/v1/topics/t/messages", "x", "text/plain"},
                                  std::chrono::milliseconds(100));
  ASSERT_TRUE(std::holds_alternative<Error>(answer));
  EXPECT_THAT(std::get<Error>(answer).text, HasSubstr("it took too long"));
}

TEST_F(Tls, ADrainAnswersAndCloses) {
  RawTls idle(server_->address());
  idle.send(request("GET", "/healthz"));
  EXPECT_EQ(status_of(idle.read_answer()), 200);
  RawTls poll(server_->address());
  poll.send(request("GET", "/v1/topics/t/messages?wait_ms=20000"));
  ASSERT_TRUE(broker_.await_waiting(1));
  auto opening = raw();
  server_->drain();
  EXPECT_EQ(status_of(poll.read_all()), 200);
  EXPECT_EQ(idle.read_all(), "");
  EXPECT_EQ(opening.read_all(), "");
  server_->stop(kPatience);
}

TEST_F(Tls, ManyClientsAtOnce) {
  std::vector<std::thread> threads;
  std::atomic<int> good{0};
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 10; ++i) good += get("127.0.0.1", ca_.pem()) == "200" ? 1 : 0;
    });
  }
  for (int i = 0; i < 10; ++i) {
    const auto next = ca_.issue({.cn = "n" + std::to_string(i)});
    cert_.write(next.both());
    key_.write(next.key);
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(good, 40);
}

}  // namespace
}  // namespace stub::test
