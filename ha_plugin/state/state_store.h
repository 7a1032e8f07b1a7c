// SPDX-License-Identifier: Apache-2.0
// Where the plugin's small state lies: the host's store (extension state-store), or else files in
// option state_dir.
//
// A store that has nothing under a name yet leaves the word to the file: a host that gets the
// extension later forgets no promise.
//
// Threads: any, one at a time for one name. Both calls block for the disk.
#pragma once

#include <string>
#include <string_view>

#include "ha_plugin/host/host.h"

namespace ha {

class StateStore {
 public:
  // host may be nullptr; else it outlives this.
  explicit StateStore(std::string directory, const Host* host = nullptr)
      : directory_(std::move(directory)),
        host_(host != nullptr && host->state_store().present() ? host : nullptr) {}

  // "" and text is what was saved last, "" = nothing ever; or what failed.
  std::string load(const char* name, std::string& text) const;
  // Atomic and durable. "" or what failed.
  std::string save(const char* name, std::string_view text) const;

  // For messages: where what was saved is to be found.
  std::string path(const char* name) const;

 private:
  std::string directory_;
  const Host* host_;
};

}  // namespace ha
