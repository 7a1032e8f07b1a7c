// SPDX-License-Identifier: Apache-2.0
#include "http/token_file.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <mutex>

#include "http/small_file.h"
#include "http/text.h"

namespace stub::http {
namespace {

// A dozen tokens fill one page; a log file given by mistake must not fill the memory.
constexpr SmallFile kRules = {64 * 1024, S_IRWXG | S_IRWXO, "one token a line",
                              " (create it: `umask 077; openssl rand -hex 32 > FILE`)"};

// Why the line is not a token; "" when it is one. The line itself must not be shown.
std::string fault_of(std::string_view line) {
  const auto is_printable = [](unsigned char c) { return c > 0x20 && c < 0x7F; };
  if (!std::all_of(line.begin(), line.end(), is_printable)) {
    return "has a space or a byte that is not printable ASCII; a token has neither";
  }
  if (line.size() < kMinTokenBytes) {
    return "is " + std::to_string(line.size()) + " bytes long; a token has at least " +
           std::to_string(kMinTokenBytes);
  }
  if (line.size() > kMaxTokenBytes) {
    return "is " + std::to_string(line.size()) + " bytes long; a token has at most " +
           std::to_string(kMaxTokenBytes);
  }
  return "";
}

// Takes the same time whatever the token is: how long depends on what was sent alone.
bool is_same(std::string_view token, std::string_view sent) {
  volatile unsigned char differs = token.size() == sent.size() ? 0 : 1;
  for (std::size_t i = 0; i < sent.size(); ++i) {
    const auto byte = static_cast<unsigned char>(token[i % token.size()]);
    differs = static_cast<unsigned char>(differs | (byte ^ static_cast<unsigned char>(sent[i])));
  }
  return differs == 0;
}

}  // namespace

Result<Tokens> read_tokens(const std::string& path, std::string_view what) {
  auto read = read_small_file(path, what, kRules);
  if (auto* error = std::get_if<Error>(&read)) return std::move(*error);
  std::string_view rest = std::get<std::string>(read);
  Tokens out;
  for (int number = 1; !rest.empty(); ++number) {
    auto line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.find_first_not_of(" \t") == std::string_view::npos) continue;
    if (const auto fault = fault_of(line); !fault.empty()) {
      return bad_file(what, path,
                      "is not a token file: line " + std::to_string(number) + " " + fault);
    }
    out.emplace_back(line);
  }
  if (out.empty()) return bad_file(what, path, "holds no token; write one a line");
  return out;
}

struct TokenFile::State {
  const std::string path;
  const std::string what;
  std::mutex mutex;
  FileStamp seen;
  bool settled = false;
  std::shared_ptr<const Tokens> tokens;
  std::string fault;  // said in the log; "" = the file is good
};

TokenFile::TokenFile(std::unique_ptr<State> state) : state_(std::move(state)) {}
TokenFile::~TokenFile() = default;

Result<std::unique_ptr<TokenFile>> TokenFile::open(std::string path, std::string_view what) {
  // The stamp first: a change after it is seen at the next look.
  const FileStamp stamp(path);
  auto tokens = read_tokens(path, what);
  if (auto* error = std::get_if<Error>(&tokens)) return std::move(*error);
  std::unique_ptr<State> state(
      new State{.path = std::move(path),
                .what = std::string(what),
                .mutex = {},
                .seen = stamp,
                .settled = stamp.settled(),
                .tokens = std::make_shared<const Tokens>(std::get<Tokens>(std::move(tokens))),
                .fault = {}});
  return std::unique_ptr<TokenFile>(new TokenFile(std::move(state)));
}

std::shared_ptr<const Tokens> TokenFile::current() {
  const std::lock_guard lock(state_->mutex);
  const FileStamp stamp(state_->path);
  if (stamp == state_->seen && state_->settled) return state_->tokens;
  state_->seen = stamp;
  state_->settled = stamp.settled();
  auto tokens = read_tokens(state_->path, state_->what);
  if (const auto* error = std::get_if<Error>(&tokens)) {
    // Letting nobody in instead would turn a slip in an editor into a node that cannot be promoted.
    if (error->text != state_->fault) {
      spdlog::error("http: {}; the tokens that it had before stay valid", error->text);
    }
    state_->fault = error->text;
    return state_->tokens;
  }
  auto& now = std::get<Tokens>(tokens);
  if (now != *state_->tokens || !state_->fault.empty()) {
    spdlog::info("http: {}: {} was read again and holds {} now", state_->what,
                 in_quotes(state_->path),
                 now.size() == 1 ? "1 token" : std::to_string(now.size()) + " tokens");
  }
  state_->fault.clear();
  state_->tokens = std::make_shared<const Tokens>(std::move(now));
  return state_->tokens;
}

bool TokenFile::holds(std::string_view token) {
  bool found = false;
  const auto tokens = current();
  for (const auto& one : *tokens) {
    if (is_same(one, token)) found = true;
  }
  return found;
}

}  // namespace stub::http
