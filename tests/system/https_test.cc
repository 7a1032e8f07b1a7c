// SPDX-License-Identifier: Apache-2.0
// The client API over https, as an operator sets it up: certificates made with openssl, the flags
// and the environment of both sides, a certificate replaced while the node runs.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "tests/system/cluster.h"
#include "tests/system/command.h"
#include "tests/system/lines.h"
#include "tests/system/log_file.h"

namespace ha::system {
namespace {

class Https : public Cluster {
 protected:
  void SetUp() override {
    forget_environment();
    if (std::system("openssl version >/dev/null 2>&1") != 0) GTEST_SKIP() << "there is no openssl";
    make_ca("ca");
    make_ca("other");
    issue("ca", "node", "subjectAltName=IP:127.0.0.1,DNS:localhost\nextendedKeyUsage=serverAuth");
    issue("ca", "operator", "extendedKeyUsage=clientAuth");
    issue("other", "stranger", "extendedKeyUsage=clientAuth");
  }
  void TearDown() override {
    forget_environment();
    Cluster::TearDown();
  }
  static void forget_environment() {
    for (const char* name : {"HA_STUB_TOKEN_FILE", "HA_STUB_CA", "HA_STUB_CERT", "HA_STUB_KEY"}) {
      ::unsetenv(name);
    }
  }

  std::string file(const std::string& name) const { return (folder_ / name).string(); }
  void openssl(const std::string& arguments) {
    const std::string command =
        "cd '" + folder_.path().string() + "' && openssl " + arguments + " >openssl.log 2>&1";
    ASSERT_EQ(std::system(command.c_str()), 0) << command;
  }
  void make_key(const std::string& name) {
    openssl("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out " + name + ".key");
  }
  void make_ca(const std::string& name) {
    make_key(name);
    openssl("req -x509 -new -key " + name + ".key -days 30 -subj /CN=" + name + " -out " + name +
            ".pem");
  }
  void issue(const std::string& ca, const std::string& name, const std::string& extensions) {
    make_key(name);
    std::ofstream(folder_ / (name + ".ext")) << extensions << "\n";
    openssl("req -new -key " + name + ".key -subj /CN=" + name + " -out " + name + ".csr");
    openssl("x509 -req -in " + name + ".csr -CA " + ca + ".pem -CAkey " + ca +
            ".key -CAcreateserial -days 30 -extfile " + name + ".ext -out " + name + ".pem");
  }

  Node& add_https(const std::string& name, std::vector<std::string> more = {}) {
    more.insert(more.begin(),
                {"--http-tls-cert", file("node.pem"), "--http-tls-key", file("node.key")});
    return add({.name = name, .more = std::move(more)});
  }
  static std::string url_of(const Node& node) { return "https://" + node.url().substr(7); }
  Outcome command(const Node& node, std::vector<std::string> words,
                  const std::vector<std::string>& more = {}) {
    words.insert(words.begin() + 1, {"--broker", url_of(node)});
    words.insert(words.begin() + 1, more.begin(), more.end());
    return stub(words);
  }
  std::vector<std::string> as(const std::string& name) const {
    return {"--ca", file("ca.pem"), "--cert", file(name + ".pem"), "--key", file(name + ".key")};
  }
  static void expect_done(const Outcome& outcome) {
    EXPECT_EQ(outcome.exit_code, 0) << outcome.errors;
  }
  static void expect_refused(const Outcome& outcome, const std::string& words) {
    EXPECT_EQ(outcome.exit_code, 1);
    EXPECT_TRUE(has(outcome.errors, words)) << "'" << words << "' is not in: " << outcome.errors;
  }
};

TEST_F(Https, EveryCommandWorksOverIt) {
  Node& node = add_https("node", {"--http-client-ca", file("ca.pem")});
  const std::string lines = numbered_lines("l", 3000, 100);
  const auto input = write_file(folder_ / "lines", lines).string();
  const std::vector<std::string> ca = {"--ca", file("ca.pem")};
  expect_done(command(node, {"produce", "--topic", "T", input}, ca));
  const Outcome read = command(node, {"consume", "--topic", "T"}, ca);
  expect_done(read);
  EXPECT_EQ(read.output.size(), lines.size());
  const Outcome shown = command(node, {"status"}, ca);
  expect_done(shown);
  EXPECT_TRUE(has(shown.output, url_of(node))) << shown.output;
  for (const std::vector<std::string>& control : {std::vector<std::string>{"demote"},
                                                  {"follow", "--master", "127.0.0.1:1"},
                                                  {"set", "missing_copies=block"},
                                                  {"promote"},
                                                  {"promote", "--peers", url_of(node)}}) {
    SCOPED_TRACE(control[0]);
    expect_refused(command(node, control, ca), "needs a client certificate");
    expect_done(command(node, control, as("operator")));
  }
  expect_refused(command(node, {"promote"}, as("stranger")),
                 "the other side says that it does not know who signed our certificate");
  wait_for_log(folder_ / "node.log",
               "the certificate 'CN=stranger' is signed by 'CN=other', which is not in "
               "http-client-ca '" +
                   file("ca.pem") + "'");

  ::setenv("HA_STUB_CA", file("ca.pem").c_str(), 1);
  ::setenv("HA_STUB_CERT", file("operator.pem").c_str(), 1);
  ::setenv("HA_STUB_KEY", file("operator.key").c_str(), 1);
  expect_done(command(node, {"demote"}));
  expect_refused(command(node, {"demote"}, {"--ca", file("other.pem")}), "signed by 'CN=ca'");
}

TEST_F(Https, AWrongWayInIsExplained) {
  Node& node = add_https("node");
  expect_refused(command(node, {"status"}), "is not in the system's list of CAs");
  expect_refused(command(node, {"status"}, {"--ca", file("other.pem")}),
                 "the certificate 'CN=node' is signed by 'CN=ca', which is not in ca '" +
                     file("other.pem") + "'");
  expect_refused(command(node, {"status"}, {"--ca", file("absent")}), "ca: cannot read '");
  expect_refused(command(node, {"status"}, {"--ca", file("ca.key")}), "holds no certificate");
  expect_refused(stub({"status", "--broker", node.url()}),
                 "TLS_REQUIRED: this port speaks https; put https:// instead of http://");
  const std::string port = node.url().substr(node.url().rfind(':'));
  expect_done(stub({"status", "--ca", file("ca.pem"), "--broker", "https://localhost" + port}));
  expect_refused(stub({"status", "--ca", file("ca.pem"), "--broker", "https://127.0.0.2" + port}),
                 "127.0.0.2");
  Node& plain = add({.name = "plain"});
  expect_refused(command(plain, {"status"}, {"--ca", file("ca.pem")}),
                 "the other side does not speak TLS there");
}

TEST_F(Https, ABadSetOfFilesEndsTheStart) {
  const auto serve = [&](const std::vector<std::string>& more) {
    std::vector<std::string> all = {"serve",       "--role",         "master",      "--store",
                                    file("x"),     "--http",         "127.0.0.1:0", "--ha-listen",
                                    "127.0.0.1:0", "--segment-size", "1048576"};
    all.insert(all.end(), more.begin(), more.end());
    return stub(all);
  };
  expect_refused(serve({"--http-tls-cert", file("node.pem")}), "holds no private key");
  expect_refused(serve({"--http-tls-cert", file("node.pem"), "--http-tls-key", file("ca.key")}),
                 "is not the certificate of the key in");
  expect_refused(
      serve({"--http-tls-cert", file("operator.pem"), "--http-tls-key", file("operator.key")}),
      "is not a certificate for TLS servers");
  for (const std::string flag : {"--http-tls-key", "--http-client-ca"}) {
    const Outcome outcome = serve({flag, file("ca.pem")});
    EXPECT_EQ(outcome.exit_code, 2);
    EXPECT_TRUE(has(outcome.errors, "needs --http-tls-cert too")) << outcome.errors;
  }
}

TEST_F(Https, ACertificateIsReplacedWhileTheNodeRuns) {
  Node& node = add_https("node");
  const std::vector<std::string> other = {"--ca", file("other.pem")};
  expect_refused(command(node, {"status"}, other), "signed by 'CN=ca'");
  issue("other", "next", "subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth");
  std::filesystem::rename(folder_ / "next.key", folder_ / "node.key");
  std::filesystem::rename(folder_ / "next.pem", folder_ / "node.pem");
  expect_done(command(node, {"status"}, other));
  wait_for_log(folder_ / "node.log", "http: the certificate is 'CN=next', valid until 20");
  std::ofstream(folder_ / "node.pem") << "broken\n";
  expect_done(command(node, {"status"}, other));
  wait_for_log(folder_ / "node.log", "holds no certificate in PEM");
}

}  // namespace
}  // namespace ha::system
