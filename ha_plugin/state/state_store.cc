// SPDX-License-Identifier: Apache-2.0
#include "ha_plugin/state/state_store.h"

#include "ha_plugin/state/durable_file.h"

namespace ha {

std::string StateStore::load(const char* name, std::string& text) const {
  text.clear();
  if (host_ != nullptr) {
    if (HostResult result = host_->state_store().load(name, text); !result.ok()) return result.text;
    if (!text.empty()) return "";
  }
  bool missing = false;
  std::string failed = read_file(directory_ + "/" + name, text, missing);
  // Nothing that is saved is empty. To take it for missing would be to forget a promise.
  if (failed.empty() && !missing && text.empty())
    return "'" + path(name) + "' is damaged: it is empty";
  return failed;
}

std::string StateStore::save(const char* name, std::string_view text) const {
  if (host_ == nullptr) return replace_file(directory_, directory_ + "/" + name, text);
  return host_->state_store().save(name, text).text;
}

std::string StateStore::path(const char* name) const {
  return host_ != nullptr ? std::string(name) + " in the host's store" : directory_ + "/" + name;
}

}  // namespace ha
