// SPDX-License-Identifier: Apache-2.0
#include "ha_plugin/state/term_file.h"

#include <fmt/format.h>

#include <boost/json.hpp>
#include <cinttypes>
#include <cstdio>

#include "ha_plugin/core/handshake.h"
#include "ha_plugin/wire/native.h"

namespace ha {
namespace {

namespace json = boost::json;

constexpr std::int64_t kTermFormat = 1;
constexpr const char* kTermFile = "ha_term.json";

std::string checksum_of(const json::object& object) {
  const std::string text = json::serialize(object);
  wire::native::Hasher hasher;
  hasher.add(std::as_bytes(std::span(text)));
  char hex[17];
  std::snprintf(hex, sizeof(hex), "%016" PRIx64, hasher.value());
  return hex;
}

// Throws what Boost.JSON throws where a member is missing or of another kind.
core::Term term_of(const json::object& object) {
  core::Term term;
  term.promised = object.at("promised").as_int64();
  term.promised_to = object.at("promised_to").as_string();
  for (const json::value& value : object.at("epochs").as_array()) {
    const json::object& entry = value.as_object();
    const core::EpochEntry epoch{entry.at("epoch").as_int64(),
                                 core::Offset(entry.at("start").as_int64()),
                                 std::string(entry.at("master").as_string())};
    if (!term.history.append(epoch)) throw std::invalid_argument("its epochs do not rise");
  }
  return term;
}

}  // namespace

std::string TermFile::path() const { return store_.path(kTermFile); }

std::string TermFile::load(core::Term& out) const {
  out = {};
  std::string text;
  if (std::string failed = store_.load(kTermFile, text); !failed.empty()) return failed;
  if (text.empty()) return "";
  const std::string wrong = parse_term(text, out);
  return wrong.empty() ? "" : fmt::format("'{}' is damaged: {}", path(), wrong);
}

std::string TermFile::save(const core::Term& term) const {
  return store_.save(kTermFile, format_term(term));
}

std::string format_term(const core::Term& term) {
  json::array epochs;
  for (const core::EpochEntry& entry : term.history.entries()) {
    epochs.push_back(json::object{
        {"epoch", entry.epoch}, {"start", entry.start.bytes()}, {"master", entry.master}});
  }
  json::object object{{"format", kTermFormat},
                      {"promised", term.promised},
                      {"promised_to", term.promised_to},
                      {"epochs", std::move(epochs)}};
  object["checksum"] = checksum_of(object);
  return json::serialize(object) + "\n";
}

std::string parse_term(std::string_view text, core::Term& out) {
  try {
    json::object object = json::parse(json::string_view(text.data(), text.size())).as_object();
    const std::string checksum(object.at("checksum").as_string());
    object.erase("checksum");
    if (const std::string real = checksum_of(object); real != checksum) {
      return fmt::format("its checksum is {}, not {}", real, checksum);
    }
    if (const std::int64_t format = object.at("format").as_int64(); format != kTermFormat) {
      return fmt::format("its format is {}; this version reads {}", format, kTermFormat);
    }
    out = term_of(object);
    return "";
  } catch (const std::exception& e) {
    return e.what();
  }
}

}  // namespace ha
