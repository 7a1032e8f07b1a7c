// SPDX-License-Identifier: Apache-2.0
// The RocketMQ versions that the cases run against: the newest of 4.9, of 5.3 and of all whose
// artifacts Maven Central serves completely (of 5.3.4 and 5.5.1 some jars are missing there).
#pragma once

namespace ha::interop {

// build.sh reads the next line.
// versions: 4.5.1 4.9.7 5.3.3 5.5.0
inline constexpr const char* kVersions[] = {"4.9.7", "5.3.3", "5.5.0"};
inline constexpr const char* kControllerVersions[] = {"5.3.3", "5.5.0"};
// The last version whose slaves fall silent (case 6).
inline constexpr const char* kBefore452 = "4.5.1";

}  // namespace ha::interop
