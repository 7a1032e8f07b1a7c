// SPDX-License-Identifier: Apache-2.0
// The system's resolver, as a test wants it: this program's getaddrinfo is the one here.
#pragma once

#include <string>
#include <vector>

namespace ha::testing {

// Names that are not set go to the real resolver. Gone with the object: what waits is let go.
class FakeNames {
 public:
  FakeNames();
  ~FakeNames();
  FakeNames(const FakeNames&) = delete;
  FakeNames& operator=(const FakeNames&) = delete;

  void set(const std::string& name, const std::vector<std::string>& addresses);
  void fail(const std::string& name);
  // A look-up of it does not return until the name is set or fails.
  void silence(const std::string& name);

  // Look-ups so far, of any name and of that one.
  int asked() const;
  int asked(const std::string& name) const;
  // Look-ups that have not returned.
  int waiting() const;
};

}  // namespace ha::testing
