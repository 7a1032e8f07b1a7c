// SPDX-License-Identifier: Apache-2.0
// Two network namespaces joined by a cable that can be cut, in both directions or in one. Nothing
// has a name in the system: the kernel takes all of it away with the last descriptor, however the
// test ends.
//
// Threads: one at a time.
#pragma once

#include <string>

#include "tests/system/descriptor.h"

namespace ha::system {

// A namespace of its own, with its loopback up.
class Network {
 public:
  Network();
  int descriptor() const { return descriptor_.get(); }

 private:
  Descriptor descriptor_;
};

class Cable {
 public:
  // Ends: "left" 10.77.0.1, "right" 10.77.0.2.
  Cable(const Network& left, const Network& right);

  const std::string& left_ip() const { return left_ip_; }
  const std::string& right_ip() const { return right_ip_; }

  void cut() const;                // nothing passes
  void cut_left_to_right() const;  // what the left sends is lost; what the right sends arrives
  void cut_right_to_left() const;
  void heal() const;

 private:
  const Network& left_;
  const Network& right_;
  const std::string left_ip_ = "10.77.0.1";
  const std::string right_ip_ = "10.77.0.2";
};

}  // namespace ha::system
