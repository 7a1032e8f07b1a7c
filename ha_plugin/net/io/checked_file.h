// SPDX-License-Identifier: Apache-2.0
// Files that options name: keys, certificates, passwords.
#pragma once

#include <string>

namespace ha::net {

// Who may read it. kNotOthers: its owner and its group, as Debian's ssl-cert does.
enum class Readers { kAnybody, kNotOthers, kOwner };

// All of it, at most a mebibyte. "" or what is wrong with it, for whoever set that option.
std::string read_checked(const std::string& option, const std::string& path, Readers readers,
                         std::string& out);

// Another one once the file has changed. "" is a path too: of no file.
std::string fingerprint_of(const std::string& path);

}  // namespace ha::net
