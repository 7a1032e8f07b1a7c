// SPDX-License-Identifier: Apache-2.0
#include "tests/system/json.h"

#include <boost/json/src.hpp>

#include "tests/system/deadline.h"

namespace ha::system {
namespace {

[[noreturn]] void fail(const json::value& document, std::string_view path, const char* what) {
  throw Failure("no " + std::string(what) + " at '" + std::string(path) + "' in " +
                json::serialize(document));
}

}  // namespace

json::value parse_json(std::string_view text) {
  boost::system::error_code error;
  json::value value = json::parse(json::string_view(text.data(), text.size()), error);
  if (error) throw Failure("no JSON (" + error.message() + "): '" + std::string(text) + "'");
  return value;
}

const json::value& at(const json::value& document, std::string_view path) {
  boost::system::error_code error;
  const std::string pointer = "/" + std::string(path);
  const json::value* found = document.find_pointer(pointer, error);
  if (found == nullptr || error) fail(document, path, "value");
  return *found;
}

std::int64_t number_at(const json::value& document, std::string_view path) {
  const json::value& found = at(document, path);
  if (!found.is_number()) fail(document, path, "number");
  return found.to_number<std::int64_t>();
}

std::string text_at(const json::value& document, std::string_view path) {
  const json::value& found = at(document, path);
  if (!found.is_string()) fail(document, path, "text");
  return std::string(found.get_string().c_str(), found.get_string().size());
}

bool flag_at(const json::value& document, std::string_view path) {
  const json::value& found = at(document, path);
  if (!found.is_bool()) fail(document, path, "flag");
  return found.get_bool();
}

}  // namespace ha::system
