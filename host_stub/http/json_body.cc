#include "http/json_body.h"

#include <algorithm>
#include <boost/json/basic_parser_impl.hpp>
#include <boost/json/parse.hpp>
#include <cctype>
#include <optional>
#include <vector>

#include "ha/plugin.h"
#include "http/text.h"

namespace stub::http {
namespace {

namespace json = boost::json;
using ErrorCode = boost::system::error_code;

// Boost.JSON's values keep the last of two members with one name. A producer that wrote both meant
// both, so this looks at the members as they come.
//
// Of each object only the first members are compared, so that a hostile one does not cost the
// square of its size. An object with more has one that no route knows, and is refused for that.
class RepeatedMember {
 public:
  static constexpr std::size_t max_object_size = SIZE_MAX;
  static constexpr std::size_t max_array_size = SIZE_MAX;
  static constexpr std::size_t max_key_size = SIZE_MAX;
  static constexpr std::size_t max_string_size = SIZE_MAX;

  const std::optional<std::string>& name() const { return repeated_; }

  bool on_object_begin(ErrorCode&) {
    objects_.push_back(members_.size());
    return true;
  }
  bool on_object_end(std::size_t, ErrorCode&) {
    members_.resize(objects_.back());
    objects_.pop_back();
    return true;
  }
  bool on_key_part(json::string_view text, std::size_t, ErrorCode&) {
    key_.append(text.data(), text.size());
    return true;
  }
  bool on_key(json::string_view text, std::size_t, ErrorCode& error) {
    key_.append(text.data(), text.size());
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
  bool on_array_end(std::size_t, ErrorCode&) { return true; }
  bool on_string_part(json::string_view, std::size_t, ErrorCode&) { return true; }
  bool on_string(json::string_view, std::size_t, ErrorCode&) { return true; }
  bool on_number_part(json::string_view, ErrorCode&) { return true; }
  bool on_int64(std::int64_t, json::string_view, ErrorCode&) { return true; }
  bool on_uint64(std::uint64_t, json::string_view, ErrorCode&) { return true; }
  bool on_double(double, json::string_view, ErrorCode&) { return true; }
  bool on_bool(bool, ErrorCode&) { return true; }
  bool on_null(ErrorCode&) { return true; }
  bool on_comment_part(json::string_view, ErrorCode&) { return true; }
  bool on_comment(json::string_view, ErrorCode&) { return true; }

 private:
  static constexpr std::size_t kCompared = 16;

  std::vector<std::string> members_;  // of the objects that are open
  std::vector<std::size_t> objects_;  // where in members_ each of them begins
  std::string key_;
  std::optional<std::string> repeated_;
};

}  // namespace

bool is_json(std::string_view content_type) {
  auto type = std::string(content_type.substr(0, content_type.find(';')));
  type.erase(type.find_last_not_of(" \t") + 1);
  std::transform(type.begin(), type.end(), type.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return type == "application/json";
}

Result<json::value> parse_json(std::string_view body, json::storage_ptr storage) {
  const auto invalid = [](std::string text) { return Error{HA_INVALID, 0, std::move(text)}; };
  if (body.starts_with("\xEF\xBB\xBF")) {
    return invalid("the body begins with a byte order mark; send the JSON without it");
  }
  ErrorCode error;
  json::basic_parser<RepeatedMember> members({});
  members.write_some(false, body.data(), body.size(), error);
  if (const auto& name = members.handler().name()) {
    return invalid("the body has the member " + in_quotes(*name) +
                   " twice in one object; give it once");
  }
  error = {};
  auto value = json::parse(json::string_view(body.data(), body.size()), error, std::move(storage));
  if (error) return invalid("the body is not JSON: " + error.message());
  return value;
}

}  // namespace stub::http
