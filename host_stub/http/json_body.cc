// SPDX-License-Identifier: Apache-2.0
#include "http/json_body.h"

#include <strings.h>

#include <algorithm>
#include <boost/json/basic_parser_impl.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value_stack.hpp>
#include <optional>
#include <vector>

#include "ha/plugin.h"
#include "http/text.h"

namespace stub::http {
namespace {

namespace json = boost::json;
using ErrorCode = boost::system::error_code;

// Makes the value, and looks at the members as they come: Boost.JSON's own parser keeps the last of
// two with one name, and a producer that wrote both meant both.
//
// Of each object only the first members are compared, so that a hostile one does not cost the
// square of its size. An object with more has one that no route knows, and is refused for that.
class Builder {
 public:
  static constexpr std::size_t max_object_size = json::object::max_size();
  static constexpr std::size_t max_array_size = json::array::max_size();
  static constexpr std::size_t max_key_size = json::string::max_size();
  static constexpr std::size_t max_string_size = json::string::max_size();

  explicit Builder(json::storage_ptr storage) { values_.reset(std::move(storage)); }

  json::value release() { return values_.release(); }
  const std::optional<std::string>& repeated() const { return repeated_; }

  bool on_object_begin(ErrorCode&) {
    objects_.push_back(members_.size());
    return true;
  }
  bool on_object_end(std::size_t size, ErrorCode&) {
    members_.resize(objects_.back());
    objects_.pop_back();
    values_.push_object(size);
    return true;
  }
  bool on_key_part(json::string_view text, std::size_t, ErrorCode&) {
    key_.append(text.data(), text.size());
    values_.push_chars(text);
    return true;
  }
  bool on_key(json::string_view text, std::size_t, ErrorCode& error) {
    key_.append(text.data(), text.size());
    values_.push_key(text);
    const auto first = members_.begin() + static_cast<std::ptrdiff_t>(objects_.back());
    if (std::find(first, members_.end(), key_) != members_.end()) {
      repeated_ = key_;
      error = json::error::extra_data;  // any: it ends the parse
      return false;
    }
    if (members_.size() - objects_.back() < kCompared) members_.push_back(key_);
    key_.clear();
    return true;
  }

  bool on_document_begin(ErrorCode&) { return true; }
  bool on_document_end(ErrorCode&) { return true; }
  bool on_array_begin(ErrorCode&) { return true; }
  bool on_array_end(std::size_t size, ErrorCode&) {
    values_.push_array(size);
    return true;
  }
  bool on_string_part(json::string_view text, std::size_t, ErrorCode&) {
    values_.push_chars(text);
    return true;
  }
  bool on_string(json::string_view text, std::size_t, ErrorCode&) {
    values_.push_string(text);
    return true;
  }
  bool on_number_part(json::string_view, ErrorCode&) { return true; }
  bool on_int64(std::int64_t number, json::string_view, ErrorCode&) {
    values_.push_int64(number);
    return true;
  }
  bool on_uint64(std::uint64_t number, json::string_view, ErrorCode&) {
    values_.push_uint64(number);
    return true;
  }
  bool on_double(double number, json::string_view, ErrorCode&) {
    values_.push_double(number);
    return true;
  }
  bool on_bool(bool truth, ErrorCode&) {
    values_.push_bool(truth);
    return true;
  }
  bool on_null(ErrorCode&) {
    values_.push_null();
    return true;
  }
  bool on_comment_part(json::string_view, ErrorCode&) { return true; }
  bool on_comment(json::string_view, ErrorCode&) { return true; }

 private:
  static constexpr std::size_t kCompared = 16;

  json::value_stack values_;
  std::vector<std::string> members_;  // of the objects that are open
  std::vector<std::size_t> objects_;  // where in members_ each of them begins
  std::string key_;
  std::optional<std::string> repeated_;
};

}  // namespace

bool is_json(std::string_view content_type) {
  constexpr std::string_view kJson = "application/json";
  auto type = content_type.substr(0, content_type.find(';'));
  type = type.substr(0, type.find_last_not_of(" \t") + 1);
  return type.size() == kJson.size() && ::strncasecmp(type.data(), kJson.data(), kJson.size()) == 0;
}

Result<json::value> parse_json(std::string_view body, json::storage_ptr storage) {
  const auto invalid = [](std::string text) { return Error{HA_INVALID, 0, std::move(text)}; };
  if (body.starts_with("\xEF\xBB\xBF")) {
    return invalid("the body begins with a byte order mark; send the JSON without it");
  }
  ErrorCode error;
  json::basic_parser<Builder> parser({}, std::move(storage));
  const std::size_t read = parser.write_some(false, body.data(), body.size(), error);
  if (const auto& name = parser.handler().repeated()) {
    return invalid("the body has the member " + in_quotes(*name) +
                   " twice in one object; give it once");
  }
  if (!error && read < body.size()) error = json::error::extra_data;
  if (error) return invalid("the body is not JSON: " + error.message());
  return parser.handler().release();
}

Response json_response(const json::object& object) {
  Response out;
  out.body = json::serialize(object) + "\n";
  return out;
}

}  // namespace stub::http
