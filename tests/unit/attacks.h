// SPDX-License-Identifier: Apache-2.0
// A set under attack: who may try, what they can prove, and what they say.
#pragma once

#include <gtest/gtest.h>

#include <boost/json/serialize.hpp>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "tests/unit/attacker.h"
#include "tests/unit/tls_set.h"

namespace ha::testing {

inline constexpr std::int64_t kFar = std::int64_t{1} << 62;

inline core::Promise promise_of(const std::string& id, bool granted) {
  core::Promise promise;
  promise.granted = granted;
  promise.id = id;
  return promise;
}

class Attacks : public TlsSet {
 protected:
  // What somebody can prove. Null = nothing: speaks in the clear.
  struct Way {
    std::string who;
    std::shared_ptr<net::TlsContext> proof;
    bool member = false;
  };
  static std::shared_ptr<net::TlsContext> context_of(const net::TlsFiles& files,
                                                     const std::string& id) {
    std::string wrong;
    auto made = net::TlsContext::make(files, "prod", id, wrong);
    EXPECT_TRUE(made) << wrong;
    return made;
  }
  // The files of that node, copied: it has a certificate.
  static Way thief(const Node& node) {
    const std::string dir = node.state.path() + "/";
    return {"a thief of the key of " + node.id,
            context_of({dir + "node.crt", dir + "node.key", dir + "ca.crt", "", ""}, node.id),
            true};
  }
  Way forger(const std::string& id) {
    const Authority::Issued issued = own_ca_.issue(id, {"URI:ha:prod/" + id});
    return {"a node of another authority",
            context_of({write_file(own_.path(), "node.crt", issued.certificate, 0644),
                        write_file(own_.path(), "node.key", issued.key),
                        write_file(own_.path(), "ca.crt", own_ca_.pem() + ca_.pem(), 0644), "", ""},
                       id)};
  }
  Way guesser(const std::string& id) {
    return {"a node with another key file",
            context_of({"", "", "", "", write_file(own_.path(), "guessed.key", kKey2)}, id)};
  }
  static std::int64_t known(const Node& node) {
    return static_cast<std::int64_t>(node.plugin->sample("ha_promised_epoch"));
  }
  static bool any_left(const Node& node) {
    for (const ReplicaSeen& seen : node.host.replicas()) {
      if (seen.event == HA_REPLICA_LEFT) return true;
    }
    return false;
  }
  core::Hello hello_as(const std::string& name) const {
    core::Hello hello = hello_of(name, 0, 0);
    hello.cluster = "prod";
    hello.set = set_text();
    return hello;
  }
  core::Prepare prepare_as(const std::string& name, core::Prepare::Mode mode,
                           std::int64_t epoch) const {
    return {mode, epoch, {epoch, core::Offset(std::int64_t{1} << 40)}, "prod", name, set_text()};
  }
  // A master of that epoch with that name, and what it wants of its slave.
  std::vector<wire::native::Bytes> master_words(const std::string& name, std::int64_t epoch,
                                                core::Decision decision,
                                                std::int64_t offset) const {
    core::Answer answer;
    answer.decision = decision;
    answer.offset = answer.min = core::Offset(offset);
    answer.end = core::Offset(2 * offset);
    answer.master = name;
    return {wire::native::encode_greeting({core::kNativeVersion,
                                           core::kNativeVersion,
                                           answer.min,
                                           answer.end,
                                           epoch,
                                           {{epoch, answer.min, name}},
                                           set_text()}),
            wire::native::encode_answer(answer)};
  }
  std::vector<wire::native::Bytes> voter_words(const core::Promise& promise) const {
    return {wire::native::encode_greeting({core::kNativeVersion,
                                           core::kNativeVersion,
                                           core::Offset(0),
                                           core::Offset(0),
                                           0,
                                           {},
                                           set_text()}),
            wire::native::encode_promise(promise)};
  }
  // A set whose node of that id is somebody else's port.
  void make_with(std::size_t count, const std::string& id, const Port& port) {
    nodes_.clear();
    replicas_.clear();
    make(count);
    replicas_.clear();
    for (const auto& node : nodes_) {
      replicas_ += (replicas_.empty() ? "" : ",") + node->id + "@" +
                   (node->id == id ? port.address() : address(*node));
    }
  }
  // Nothing that it wrote or tells has a line's end or an escape of a peer's.
  static void expect_one_line(const Node& node) {
    const std::string status = boost::json::serialize(node.plugin->status());
    for (const char* escaped : {"\\n", "\\u001"}) {
      EXPECT_EQ(status.find(escaped), std::string::npos) << status;
    }
    for (const char* control : {"\n", "\x1b"}) {
      EXPECT_EQ(node.host.count_logs(control), 0U) << node.id;
      for (const RoleSeen& role : node.host.roles()) {
        EXPECT_EQ(role.text.find(control), std::string::npos) << role.text;
      }
    }
  }

  Authority own_ca_{"evil\nFORGED\x1b[2J"};
  StateDir own_;
};

}  // namespace ha::testing
