// SPDX-License-Identifier: Apache-2.0
// What etcd's JSON gateway is asked and what it answers, version 3.4 and later. No sockets.
//
// The gateway writes 64-bit numbers as strings and leaves out what is zero, false or empty. So what
// is absent has a meaning, and an answer counts only with a whole header: without it, "{}" from
// anything that speaks HTTP would be a lease that has ended.
//
// A parse function returns false for an answer that cannot be trusted; then nothing in `out` may be
// used.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "ha_plugin/coordinator/coordinator.h"

namespace ha::etcd {

std::string grant_request(std::int64_t ttl_s);
std::string lease_request(std::int64_t id);  // for keepalive and revoke
// All keys that begin with that.
std::string range_request(std::string_view prefix);
// Each if the key still has that revision; 0: if it is absent.
std::string put_request(std::string_view key, std::string_view value, std::int64_t lease,
                        std::int64_t revision);
std::string authenticate_request(std::string_view user, std::string_view password);

// Who answered.
struct Header {
  std::uint64_t cluster = 0;
  std::uint64_t term = 0;  // raft's, which rises with each election
};

struct Granted {
  Header header;
  std::int64_t id = 0;
  std::int64_t ttl_s = 0;
};
bool parse_granted(std::string_view body, Granted& out);

struct Renewed {
  Header header;
  std::int64_t ttl_s = 0;  // 0: the lease has ended
};
bool parse_renewed(std::string_view body, std::int64_t id, Renewed& out);

bool parse_revoked(std::string_view body, Header& out);

struct Found {
  Header header;
  CoordinatorKeys keys;
};
// The keys below that folder, which ends with '/'.
bool parse_found(std::string_view body, std::string_view folder, Found& out);

struct Changed {
  Header header;
  bool done = false;  // the comparison held
};
bool parse_changed(std::string_view body, Changed& out);

// The token is fit for an HTTP header.
bool parse_token(std::string_view body, std::string& out);

// As 100 * major + minor.
bool parse_version(std::string_view body, int& out, std::string& text);

// An answer that says no.
struct Fault {
  enum class Kind {
    kUnavailable,  // and whatever is not known here
    kToken,        // the request had no token, or an expired one
    kPassword,     // wrong user or password
    kNoUsers,      // authentication is switched off, so no token is needed
    kDenied,       // the user may not do that
    kLease,        // no such lease
  };
  Kind kind = Kind::kUnavailable;
  std::string text;  // what it said, or its HTTP status
};
// Also an answer with status 200 may be one: that of a stream, which had begun when it failed.
bool is_fault(std::string_view body);
Fault parse_fault(unsigned status, std::string_view body);

std::string to_base64(std::string_view bytes);
bool from_base64(std::string_view text, std::string& out);

}  // namespace ha::etcd
