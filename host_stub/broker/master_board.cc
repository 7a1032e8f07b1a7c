// SPDX-License-Identifier: Apache-2.0
#include "broker/master_board.h"

#include <algorithm>
#include <boost/json/value.hpp>
#include <utility>

namespace stub {
namespace {

namespace json = boost::json;

std::string text_at(const json::object& object, const char* name, std::size_t max) {
  const auto* value = object.if_contains(name);
  const auto* text = value != nullptr ? value->if_string() : nullptr;
  return text != nullptr && text->size() <= max ? std::string(text->data(), text->size())
                                                : std::string();
}

}  // namespace

json::object encode_master_news(const MasterNews& news) {
  json::object out;
  if (!news.url.empty()) out["url"] = news.url;
  if (!news.id.empty()) out["id"] = news.id;
  if (news.end >= 0) out["end"] = news.end;
  return out;
}

MasterNews parse_master_news(const json::value& value) {
  MasterNews out;
  const auto* object = value.if_object();
  if (object == nullptr) return out;
  out.url = text_at(*object, "url", kMaxClientUrl);
  out.id = text_at(*object, "id", kMaxMasterId);
  const auto* end = object->if_contains("end");
  const auto* number = end != nullptr ? end->if_int64() : nullptr;
  if (number != nullptr && *number >= 0) out.end = *number;
  return out;
}

void MasterBoard::learn(MasterNews news, const std::string& from) {
  const std::lock_guard lock(mutex_);
  if (from != heard_from_ || news.url != heard_.url || news.id != heard_.id) ++version_;
  heard_ = std::move(news);
  heard_from_ = from;
}

void MasterBoard::set_master(bool master) {
  const std::lock_guard lock(mutex_);
  if (master != master_) ++version_;
  master_ = master;
  // Whoever was the master before is not this node's any more.
  if (master) heard_ = {};
}

MasterNews MasterBoard::heard_from(const std::string& address) const {
  const std::lock_guard lock(mutex_);
  return master_ || address != heard_from_ ? MasterNews{} : heard_;
}

MasterNews MasterBoard::to_tell(std::int64_t own_end, const std::string& from) const {
  MasterNews out = heard_from(from);
  const std::lock_guard lock(mutex_);
  if (master_) out = own_;
  out.end = std::max(out.end, own_end);
  return out;
}

std::uint64_t MasterBoard::version() const {
  const std::lock_guard lock(mutex_);
  return version_;
}

}  // namespace stub
