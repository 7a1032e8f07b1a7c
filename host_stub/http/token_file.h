// SPDX-License-Identifier: Apache-2.0
// A file of secrets that let a client in: one token a line. It is read again when it changes, so a
// token is replaced without a restart: add the new one, hand it out, take the old one away.
//
// No text that comes from here holds any part of a token.
//
// Threads: any.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "broker/broker.h"

namespace stub::http {

using Tokens = std::vector<std::string>;

// Below this many bytes a token can be guessed over the network.
inline constexpr std::size_t kMinTokenBytes = 16;
// It travels in a header of 8 KiB.
inline constexpr std::size_t kMaxTokenBytes = 4096;

// All tokens of the file, at least one. Blank lines and a carriage return at a line's end are
// ignored. Errors, which begin with `what`: not a regular file, open to others than its owner, no
// token, a line that is not one. For a server and for its clients: a client sends the first.
Result<Tokens> read_tokens(const std::string& path, std::string_view what);

class TokenFile {
 public:
  // The file must be good at first.
  static Result<std::unique_ptr<TokenFile>> open(std::string path, std::string_view what);
  ~TokenFile();
  TokenFile(const TokenFile&) = delete;
  TokenFile& operator=(const TokenFile&) = delete;

  // Looks at the file first. When it has changed and is bad now, the tokens stay what they were,
  // and the log says it once.
  bool holds(std::string_view token);

 private:
  struct State;
  explicit TokenFile(std::unique_ptr<State> state);
  std::shared_ptr<const Tokens> current();

  const std::unique_ptr<State> state_;
};

}  // namespace stub::http
