// SPDX-License-Identifier: Apache-2.0
// Case 9: RocketMQ's HA protocol knows no TLS, so stunnel stands beside the real broker and speaks
// it for it. Our node asks for TLS and is told who is there by the certificate.

#include <fstream>

#include "tests/interop/interop.h"
#include "tests/system/log_file.h"

namespace ha::interop {
namespace {

using system::Node;
using system::text_of;

constexpr int kQueues = 4;

class Case9TlsProxy : public Interop {
 protected:
  void SetUp() override {
    Interop::SetUp();
    if (IsSkipped()) return;
    openssl({"req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
             "-subj", "/CN=ca", "-days", "2", "-keyout", file("ca.key"), "-out", file("ca.crt")});
    for (const char* id : {"ours", "real"}) issue(id);
  }

  std::string file(const std::string& name) const { return folder_ / name; }
  void openssl(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "openssl");
    system::Process run(arguments, {.error_file = file("openssl.log")});
    ASSERT_EQ(run.wait(), 0) << text_of(file("openssl.log"));
  }
  void issue(const std::string& id) {
    std::ofstream(file("extensions"))
        << "subjectAltName=URI:ha:prod/" << id << "\nextendedKeyUsage=serverAuth,clientAuth\n";
    openssl({"req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj",
             "/CN=" + id, "-keyout", file(id + ".key"), "-out", file("request")});
    openssl({"x509", "-req", "-in", file("request"), "-CA", file("ca.crt"), "-CAkey",
             file("ca.key"), "-CAcreateserial", "-days", "2", "-extfile", file("extensions"),
             "-out", file(id + ".crt")});
  }
  std::vector<std::string> our_options() const {
    return {"tls=require",
            "cluster_id=prod",
            "replica_id=ours",
            "tls_cert=" + file("ours.crt"),
            "tls_key=" + file("ours.key"),
            "tls_ca=" + file("ca.crt")};
  }
  // stunnel with the certificate of "real". client: it takes plain connections and makes encrypted
  // ones. Returns where it listens.
  std::string proxy(bool client, const std::string& to) {
    const std::string at = "127.0.0.1:" + std::to_string(free_ports(1));
    std::ofstream(file("stunnel.conf"))
        << "foreground = yes\npid =\nsyslog = no\n[ha]\nclient = " << (client ? "yes" : "no")
        << "\naccept = " << at << "\nconnect = " << to << "\ncert = " << file("real.crt")
        << "\nkey = " << file("real.key") << "\nCAfile = " << file("ca.crt")
        << "\nverifyChain = yes\nsslVersionMin = TLSv1.3\n";
    const std::string log = file("stunnel.log");
    proxy_ =
        std::make_unique<system::Process>(std::vector<std::string>{"stunnel", file("stunnel.conf")},
                                          system::ProcessOptions{.error_file = log});
    system::wait_for_log(log, "Configuration successful");
    return at;
  }

  std::unique_ptr<system::Process> proxy_;
};

TEST_P(Case9TlsProxy, OurSlaveFollowsARealMasterThroughIt) {
  Broker& master = add_broker({});
  create_topic(master, "T", kQueues);
  std::vector<std::string> options = our_options();
  options.insert(options.end(), {"wire=rocketmq", "heartbeat_ms=500", "housekeeping_ms=3000"});
  Node& slave = add({.name = "ours",
                     .role = "slave",
                     .master = proxy(false, master.ha()),
                     .segment_size = kSegmentBytes,
                     .options = options});
  wait_until_connected(slave);
  produce({.count = 2000});
  expect_copy(master, slave);
  EXPECT_EQ(
      system::metric(slave.metrics(), "ha_tls_handshakes_total{side=\"client\",result=\"failed\"}"),
      0);
}

TEST_P(Case9TlsProxy, ARealSlaveIsKnownByItsCertificate) {
  std::vector<std::string> options = our_options();
  options.insert(options.end(), {"in_sync_replicas=2", "bootstrap=earliest"});
  Node& master = add_our_master("ours", options);
  register_our_master(master, "T", kQueues, proxy(true, master.ha()));
  write_topic_table(folder_ / "slave", "T", kQueues);
  Broker& slave = add_broker({.id = 1, .role = "SLAVE", .store = folder_ / "slave"});
  master.wait_for_replicas(1);
  produce_to(master, "T", 2000);
  expect_copy(master, slave);
  const json::value status = master.status();
  EXPECT_EQ(system::text_at(status, "ha/replicas/0/id"), "real");
  EXPECT_TRUE(system::flag_at(status, "ha/replicas/0/encrypted"));
  EXPECT_TRUE(system::flag_at(status, "ha/replicas/0/in_sync"));
}

HA_INTEROP_SUITE(Case9TlsProxy);

}  // namespace
}  // namespace ha::interop
