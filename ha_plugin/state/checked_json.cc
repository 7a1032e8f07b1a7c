// SPDX-License-Identifier: Apache-2.0
#include "ha_plugin/state/checked_json.h"

#include <fmt/format.h>

#include <span>
#include <stdexcept>

#include "ha_plugin/wire/native.h"

namespace ha {

namespace json = boost::json;

namespace {

std::string checksum_of(const json::object& object) {
  const std::string text = json::serialize(object);
  wire::native::Hasher hasher;
  hasher.add(std::as_bytes(std::span(text)));
  return fmt::format("{:016x}", hasher.value());
}

}  // namespace

std::string with_checksum(json::object object) {
  object["checksum"] = checksum_of(object);
  return json::serialize(object) + "\n";
}

json::object without_checksum(std::string_view text) {
  json::object object = json::parse(json::string_view(text.data(), text.size())).as_object();
  const std::string checksum(object.at("checksum").as_string());
  object.erase("checksum");
  if (const std::string real = checksum_of(object); real != checksum) {
    throw std::invalid_argument(fmt::format("its checksum is {}, not {}", real, checksum));
  }
  return object;
}

}  // namespace ha
