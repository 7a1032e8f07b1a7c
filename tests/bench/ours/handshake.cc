// SPDX-License-Identifier: Apache-2.0
// What a new connection costs under TLS, one after the other: from connect until the master, sure
// of who it is, greets. With a key file or certificates of P-256. Fewer than one address may ask
// for at a time.
//
//   ha_bench_handshake [--certificates] [--count 90] [--option KEY=VALUE] [--cpus MASTER,SLAVE]
#include <unistd.h>

#include <cstdio>
#include <vector>

#include "ha_plugin/wire/native.h"
#include "tests/bench/common/bench.h"
#include "tests/bench/common/tls.h"
#include "tests/bench/ours/mapped_host.h"
#include "tests/bench/ours/scratch_dir.h"
#include "tests/bench/ours/tls_options.h"
#include "tests/unit/authority.h"

namespace {

// The master's options; the client's files are set.
std::vector<ha::Option> certificates(const std::string& directory) {
  ha::testing::Authority authority("bench");
  const auto ca = ha::testing::write_file(directory, "ca.crt", authority.pem(), 0644);
  std::string cert;
  std::string key;
  for (const std::string id : {"slave", "master"}) {
    const auto issued = authority.issue(id, {"URI:ha:bench/" + id});
    cert = ha::testing::write_file(directory, id + ".crt", issued.certificate, 0644);
    key = ha::testing::write_file(directory, id + ".key", issued.key);
    if (id == "slave") bench_tls_certificates(cert.c_str(), key.c_str(), ca.c_str());
  }
  return {{"tls", "require"}, {"tls_cert", cert},      {"tls_key", key},
          {"tls_ca", ca},     {"cluster_id", "bench"}, {"replica_id", "master"}};
}

}  // namespace

int main(int argc, char** argv) {
  const std::int64_t count = bench_number(argc, argv, "--count", 90);
  int master_cpu = -1;
  int slave_cpu = -1;
  bench_cpus(argc, argv, &master_cpu, &slave_cpu);
  ha::bench::MappedHost host(ha::bench::kMiB, true);
  const ha::bench::ScratchDir keys("/dev/shm");
  auto options = bench_flag(argc, argv, "--certificates")
                     ? certificates(keys.path())
                     : ha::bench::tls_options("master", keys.path() + "/cluster.key");
  for (auto& more : ha::bench::plugin_options(argc, argv)) options.push_back(more);
  bench_pin(master_cpu);
  auto master = ha::bench::start(host, {.role = HA_ROLE_MASTER}, options);
  bench_pin(slave_cpu);
  std::vector<std::int64_t> ns;
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t begin = bench_now_ns();
    const int fd = bench_connect(ha::bench::listen_port(master));
    ssl_st* ssl = bench_tls(fd, 0);
    const auto opening = ha::wire::native::opening();
    bench_tls_write(ssl, opening.data(), opening.size());
    bench_tls_discard(ssl, 1);
    ns.push_back(bench_now_ns() - begin);
    bench_tls_end(ssl);
    ::close(fd);
  }
  std::printf("{");
  bench_print_latency(ns.data(), ns.size());
  std::printf("}\n");
  return 0;
}
