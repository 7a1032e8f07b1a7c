// SPDX-License-Identifier: Apache-2.0
// Who may read the metrics over HTTP: TLS and passwords, of which the server itself knows nothing.
//
// Threads: the server's.
#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace ha::metrics {

class ScrapeDoor {
 public:
  virtual ~ScrapeDoor() = default;

  // The TLS of one connection, in memory.
  class Tls {
   public:
    virtual ~Tls() = default;
    // Takes what the client sent, and adds what it means to plain. Returns false when nothing more
    // can come: TLS has failed, or the client has said goodbye.
    virtual bool take(std::string_view sent, std::string& plain) = 0;
    // Encrypts an answer. Returns false when TLS has failed.
    virtual bool give(std::string_view plain) = 0;
    // What is to be sent to the client next; "" = nothing.
    virtual std::string output() = 0;
  };
  // Of a new connection. Null: it is in the clear.
  virtual std::unique_ptr<Tls> open() = 0;
  // Whether a request with that Authorization field, "" = it has none, is answered.
  virtual bool admits(std::string_view authorization) = 0;
};

}  // namespace ha::metrics
