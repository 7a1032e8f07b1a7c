// SPDX-License-Identifier: Apache-2.0
#include "ha_plugin/state/term_file.h"

#include <fmt/format.h>

#include <boost/json.hpp>
#include <stdexcept>

#include "ha_plugin/core/handshake.h"
#include "ha_plugin/state/checked_json.h"

namespace ha {
namespace {

namespace json = boost::json;

constexpr std::int64_t kTermFormat = 1;
constexpr const char* kTermFile = "ha_term.json";

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
  return with_checksum({{"format", kTermFormat},
                        {"promised", term.promised},
                        {"promised_to", term.promised_to},
                        {"epochs", std::move(epochs)}});
}

std::string parse_term(std::string_view text, core::Term& out) {
  try {
    const json::object object = without_checksum(text);
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
