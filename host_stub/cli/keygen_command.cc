// SPDX-License-Identifier: Apache-2.0
// `ha_stub keygen`: a key for the file of the plugin's option tls_psk_file.

#include <fmt/format.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <system_error>

#include "cli/commands.h"

namespace stub::cli {
namespace {

int run_keygen() {
  std::array<unsigned char, 32> key{};
  // Up to 256 bytes come whole, once the system has gathered enough of them.
  if (::getrandom(key.data(), key.size(), 0) != static_cast<ssize_t>(key.size())) {
    return complain("keygen: the system has no random bytes: " +
                    std::generic_category().message(errno));
  }
  // `> FILE` makes a file that others may read, which the plugin refuses.
  struct stat about {};
  if (::fstat(STDOUT_FILENO, &about) == 0 && S_ISREG(about.st_mode) &&
      ::fchmod(STDOUT_FILENO, S_IRUSR | S_IWUSR) != 0) {
    return complain("keygen: cannot make the output readable for its owner alone: " +
                    std::generic_category().message(errno));
  }
  std::string line;
  for (const unsigned char byte : key) line += fmt::format("{:02x}", byte);
  fmt::print("{}\n", line);
  if (std::fflush(stdout) != 0) {
    return complain("keygen: cannot write the key: " + std::generic_category().message(errno));
  }
  return kExitOk;
}

}  // namespace

void add_keygen(CLI::App& app, int& exit_code) {
  auto* command = app.add_subcommand(
      "keygen", "Print a key for TLS between the nodes of a cluster (option tls_psk_file)");
  command->callback([&exit_code] { exit_code = run_keygen(); });
}

}  // namespace stub::cli
