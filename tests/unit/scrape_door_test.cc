// SPDX-License-Identifier: Apache-2.0
// Who may read the metrics: over https, with a client's certificate, with a password.
#include "ha_plugin/net/io/scrape_door.h"

#include <crypt.h>
#include <gmock/gmock.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include <memory>
#include <string>

#include "tests/unit/authority.h"
#include "tests/unit/instance.h"
#include "tests/unit/memory_host.h"
#include "tests/unit/state_dir.h"

namespace ha::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

// The answer, or "" if there is none. certificate: shown to the server, unless it has none.
std::string https_get(std::int64_t port, int version = TLS1_3_VERSION,
                      const Authority::Issued& certificate = {}) {
  const std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context(SSL_CTX_new(TLS_client_method()),
                                                                  &SSL_CTX_free);
  SSL_CTX_set_max_proto_version(context.get(), version);
  if (!certificate.certificate.empty()) {
    BIO* pem = BIO_new_mem_buf(certificate.certificate.data(), -1);
    X509* x509 = PEM_read_bio_X509(pem, nullptr, nullptr, nullptr);
    SSL_CTX_use_certificate(context.get(), x509);
    X509_free(x509);
    BIO_free(pem);
    pem = BIO_new_mem_buf(certificate.key.data(), -1);
    EVP_PKEY* key = PEM_read_bio_PrivateKey(pem, nullptr, nullptr, nullptr);
    SSL_CTX_use_PrivateKey(context.get(), key);
    EVP_PKEY_free(key);
    BIO_free(pem);
  }
  const std::unique_ptr<BIO, decltype(&BIO_free_all)> bio(BIO_new_ssl_connect(context.get()),
                                                          &BIO_free_all);
  BIO_set_conn_hostname(bio.get(), ("127.0.0.1:" + std::to_string(port)).c_str());
  const std::string request = "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n";
  std::string answer;
  if (BIO_write(bio.get(), request.data(), static_cast<int>(request.size())) > 0) {
    char piece[4096];
    for (int n = 0; (n = BIO_read(bio.get(), piece, sizeof piece)) > 0;) {
      answer.append(piece, static_cast<std::size_t>(n));
    }
  }
  ERR_clear_error();
  return answer;
}

std::string bcrypt(const std::string& password) {
  crypt_data room{};
  return ::crypt_r(password.c_str(), "$2b$04$abcdefghijklmnopqrstuu", &room);
}

class ScrapeDoor : public ::testing::Test {
 protected:
  void start(const Options& more) {
    Options all{{"metrics_listen", "127.0.0.1:0"}};
    all.insert(all.end(), more.begin(), more.end());
    node_ = std::make_unique<Instance>(host_, all);
    ASSERT_EQ(node_->start(HA_ROLE_NONE), HA_OK) << node_->error().text;
    port_ = node_->snapshot().total.metrics_port;
  }
  std::string refused(const Options& more) {
    Options all{{"metrics_listen", "127.0.0.1:0"}};
    all.insert(all.end(), more.begin(), more.end());
    Instance node(host_, all);
    EXPECT_EQ(node.start(HA_ROLE_NONE), HA_INVALID);
    return node.error().text;
  }
  Options with(const Authority::Issued& issued) {
    return {{"metrics_tls_cert", write_file(dir_.path(), "m.crt", issued.certificate, 0644)},
            {"metrics_tls_key", write_file(dir_.path(), "m.key", issued.key)}};
  }
  std::string users(const std::string& lines, unsigned mode = 0600) {
    return write_file(dir_.path(), "users", lines, mode);
  }
  // The status line of a scrape in the clear, with that Authorization field.
  std::string status_with(const std::string& authorization) {
    Peer client = Peer::to(port_);
    EXPECT_TRUE(client.send_text(
        "GET /metrics HTTP/1.1\r\nHost: x\r\n" +
        (authorization.empty() ? "" : "Authorization: " + authorization + "\r\n") + "\r\n"));
    std::string line;
    std::byte byte{};
    while (client.read(&byte, 1) && byte != std::byte{'\r'}) line += static_cast<char>(byte);
    return line;
  }

  StateDir dir_;
  Authority ca_{"metrics-ca"};
  MemoryHost host_;
  std::unique_ptr<Instance> node_;
  std::int64_t port_ = 0;
};

TEST_F(ScrapeDoor, WithACertificateTheMetricsComeByHttpsOnly) {
  start(with(ca_.issue("m", {"DNS:metrics.example"})));
  EXPECT_THAT(https_get(port_), HasSubstr("\nha_role{"));
  EXPECT_EQ(https_get(port_, TLS1_2_VERSION), "");
  EXPECT_EQ(status_with(""), "");
  EXPECT_TRUE(host_.wait_for_log("a scrape was refused (tls)"));
}

TEST_F(ScrapeDoor, ANewCertificateIsTakenAndABadOneIsNot) {
  const Authority::Issued first = ca_.issue("m", {"DNS:metrics.example"});
  start(with(first));
  write_file(dir_.path(), "m.crt", "nothing", 0644);
  EXPECT_THAT(https_get(port_), HasSubstr("\nha_role{"));
  EXPECT_TRUE(host_.wait_for_log("option 'metrics_tls_cert'"));
  with(ca_.issue("m", {"DNS:metrics.example", "serverAuth"}));
  EXPECT_THAT(https_get(port_), HasSubstr("\nha_role{"));
}

TEST_F(ScrapeDoor, WithAClientCaOnlyItsCertificatesMayScrape) {
  Options options = with(ca_.issue("m", {"DNS:metrics.example"}));
  options.emplace_back("metrics_tls_client_ca",
                       write_file(dir_.path(), "client-ca.crt", ca_.pem(), 0644));
  start(options);
  EXPECT_EQ(https_get(port_), "");
  Authority other("another-ca");
  EXPECT_EQ(https_get(port_, TLS1_3_VERSION, other.issue("prometheus", {})), "");
  EXPECT_TRUE(host_.wait_for_log("option 'metrics_tls_client_ca' does not name"));
  EXPECT_THAT(https_get(port_, TLS1_3_VERSION, ca_.issue("prometheus", {})),
              HasSubstr("\nha_role{"));
}

TEST_F(ScrapeDoor, WithAUsersFileAPasswordIsNeeded) {
  const std::string path =
      users("# who\nprometheus: " + bcrypt("secret") + "\r\nother:" + bcrypt("x") + "\n");
  start({{"metrics_users_file", path}});
  EXPECT_THAT(status_with("Basic cHJvbWV0aGV1czpzZWNyZXQ="), HasSubstr(" 200 "));
  EXPECT_THAT(status_with("basic cHJvbWV0aGV1czpzZWNyZXQ="), HasSubstr(" 200 "));
  for (const char* wrong :
       {"", "Basic", "Basic ", "Basic !!", "Bearer cHJvbWV0aGV1czpzZWNyZXQ=",
        "Basic cHJvbWV0aGV1czpzZWNyZXR0", "Basic cHJvbWV0aGV1cw==", "Basic eDpzZWNyZXQ=",
        "Basic cHJvbWV0aGV1czpzZWNyZXQAeA==", "Basic Og==", "Basic cHJvbWV0aGV1czo="}) {
    EXPECT_THAT(status_with(wrong), HasSubstr(" 401 ")) << wrong;
  }
  EXPECT_THAT(status_with("Basic " + std::string(4000, 'A')), HasSubstr(" 401 "));
  EXPECT_TRUE(host_.wait_for_log("wrong user or password"));
  // The file is read with each request.
  users("prometheus:" + bcrypt("new") + "\n");
  EXPECT_THAT(status_with("Basic cHJvbWV0aGV1czpzZWNyZXQ="), HasSubstr(" 401 "));
  EXPECT_THAT(status_with("Basic cHJvbWV0aGV1czpuZXc="), HasSubstr(" 200 "));
  users("damaged\n");
  EXPECT_THAT(status_with("Basic cHJvbWV0aGV1czpuZXc="), HasSubstr(" 401 "));
  EXPECT_TRUE(host_.wait_for_log("metrics: nobody is let in: option 'metrics_users_file': line 1"));
}

TEST_F(ScrapeDoor, FilesThatAreNotGoodAreRefusedByName) {
  const std::string hash = bcrypt("x");
  EXPECT_THAT(refused({{"metrics_users_file", dir_.path() + "/none"}}),
              HasSubstr("cannot be read"));
  EXPECT_THAT(refused({{"metrics_users_file", users("a:" + hash, 0644)}}), HasSubstr("0644"));
  EXPECT_THAT(refused({{"metrics_users_file", users("# nobody\n")}}), HasSubstr("names no user"));
  for (const std::string& bad : {"\n:" + hash, "\na:" + hash + "x", std::string("\na:secret"),
                                 std::string("\na:$2y$10$short"), std::string("\na")}) {
    const std::string said = refused({{"metrics_users_file", users(bad)}});
    EXPECT_THAT(said, HasSubstr("line 2")) << bad;
    EXPECT_THAT(said, Not(HasSubstr("secret")));
  }
  const Authority::Issued client = ca_.issue("m", {.names = {}, .usage = "clientAuth"});
  EXPECT_THAT(refused(with(client)), HasSubstr("option 'metrics_tls_cert'"));
  Options two = with(ca_.issue("m", {}));
  two[1].second = write_file(dir_.path(), "other.key", client.key);
  EXPECT_THAT(refused(two), StartsWith("option 'metrics_tls_key'"));
}

}  // namespace
}  // namespace ha::testing
