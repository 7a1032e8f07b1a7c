// SPDX-License-Identifier: Apache-2.0
// Files that options name: keys, certificates, passwords.
#pragma once

#include <string>

namespace ha::net {

// Who may read it. kNotOthers: its owner and its group, as Debian's ssl-cert does.
enum class Readers { kAnybody, kNotOthers, kOwner };

// Reads the whole file, at most 1 MiB. Returns "" or a sentence with the option, the path and what
// is wrong.
std::string read_checked(const std::string& option, const std::string& path, Readers readers,
                         std::string& out);

// Another text once the file has changed. path may be "", for an option that is not given.
std::string fingerprint_of(const std::string& path);

}  // namespace ha::net
