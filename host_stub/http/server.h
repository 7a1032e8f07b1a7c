// SPDX-License-Identifier: Apache-2.0
// The HTTP server of one broker: listens, reads requests, answers them, on one thread or a few,
// whatever the number of connections.
//
// Lifecycle: bind (so that a port in use is found before a store is opened) -> start -> drain ->
// Broker::stop -> stop. drain first, so that no request reaches a broker that stops; the broker
// next, since its stop ends the produce requests that still wait; stop last, to send those answers.
// Threads: bind, start, drain, stop and the destructor on one thread; address on any.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>

#include "broker/broker.h"
#include "http/secret_files.h"

namespace stub::http {

struct ServerOptions {
  std::string listen = "127.0.0.1:8080";  // "ADDR:PORT", "[v6]:PORT"; port 0 = the system's choice
  AccessOptions access = {};
  TlsFiles tls = {};  // without a certificate: plain HTTP. With a CA: clients may show certificates

  // One is enough where appending and replicating are most of the work. It appends for all its
  // connections together; with more threads those appends are smaller.
  int threads = 1;
  // An idle connection costs about 2 KiB here and a few in the kernel; the limit is the number of
  // descriptors, of which a store needs some too.
  std::size_t max_connections = 10'000;
  // As most servers: no client of this API sends more, and it is memory before a request is known.
  std::size_t max_header_bytes = 8 * 1024;
  // The largest message (4 MiB) as base64 inside JSON, with room for its frame.
  std::size_t max_body_bytes = 8 * 1024 * 1024;
  // Answers of one connection that may be outstanding; beyond, nothing more is read from it.
  std::size_t max_pipelined = 16;
  std::chrono::milliseconds idle_timeout{120'000};  // between requests
  std::chrono::milliseconds header_timeout{
      10'000};  // from a request's first byte: against slow clients
  std::chrono::milliseconds body_timeout{60'000};  // 8 MiB at 140 KB/s
  std::chrono::milliseconds write_timeout{
      30'000};  // a client that reads nothing for this long is gone
};

class Server {
 public:
  // Reads the files of tokens and certificates, binds and listens; clients may connect and are
  // served from start on.
  static Result<std::unique_ptr<Server>> bind(ServerOptions options);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  std::string address() const;  // "ip:port" as the system gave it

  // The broker outlives the server, or drain and Broker::stop come before the server's end.
  void start(Broker& broker);

  // Stops accepting, closes idle connections, answers long polls with what there is. When it
  // returns no request will call the broker any more; produce requests that wait are answered when
  // they end.
  void drain();

  // Waits up to `timeout` for answers under way, then closes every connection and joins the
  // threads.
  void stop(std::chrono::milliseconds timeout);

 private:
  class Impl;
  explicit Server(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace stub::http
