// SPDX-License-Identifier: Apache-2.0
#include "ha_plugin/net/io/scrape_door.h"

#include <crypt.h>
#include <fmt/format.h>

#include <algorithm>
#include <boost/archive/iterators/binary_from_base64.hpp>
#include <boost/archive/iterators/transform_width.hpp>
#include <utility>

#include "ha/plugin.h"
#include "ha_plugin/base/clock.h"
#include "ha_plugin/net/io/checked_file.h"

namespace ha::net {
namespace {

// Far more than people type, and a bound for what a stranger can have hashed.
constexpr std::size_t kMostCredentials = 1024;

class MemoryTls final : public metrics::ScrapeDoor::Tls {
 public:
  MemoryTls(std::unique_ptr<TlsSession> session, std::function<void(const std::string&)> failed)
      : session_(std::move(session)), failed_(std::move(failed)) {}

  bool take(std::string_view sent, std::string& plain) override {
    session_->feed(std::as_bytes(std::span(sent)));
    std::byte piece[4096];
    for (;;) {
      std::size_t size = 0;
      switch (session_->read(piece, size)) {
        case TlsSession::Read::kBytes:
          plain.append(reinterpret_cast<const char*>(piece), size);
          continue;
        case TlsSession::Read::kWantsMore:
          return true;
        case TlsSession::Read::kClosed:
          return false;
        case TlsSession::Read::kFailed:
          failed_(session_->failure().text);
          return false;
      }
    }
  }

  bool give(std::string_view plain) override {
    return session_->write(std::as_bytes(std::span(plain)));
  }

  std::string output() override {
    const std::span<const std::byte> bytes = session_->output();
    std::string text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    session_->sent(text.size());
    return text;
  }

 private:
  const std::unique_ptr<TlsSession> session_;
  const std::function<void(const std::string&)> failed_;
};

// "" = it is not base64.
std::string from_base64(std::string_view text) {
  using namespace boost::archive::iterators;
  using Bytes = transform_width<binary_from_base64<const char*>, 8, 6>;
  while (text.ends_with('=')) text.remove_suffix(1);
  const auto is_digit = [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' ||
           c == '/';
  };
  if (!std::all_of(text.begin(), text.end(), is_digit)) return "";
  std::string bytes;
  const std::size_t size = text.size() * 6 / 8;
  Bytes at(text.data());
  for (std::size_t i = 0; i < size; ++i) bytes += static_cast<char>(*at++);
  return bytes;
}

std::string_view trimmed(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ') || text.ends_with('\r')) text.remove_suffix(1);
  return text;
}

// Calls each(number, user, hash) for the lines of a file of users, and returns what the first one
// says that is not "".
template <class Each>
std::string for_each_user(std::string_view text, Each each) {
  for (int number = 1; !text.empty(); ++number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = trimmed(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.empty() || line.front() == '#') continue;
    const std::size_t colon = std::min(line.find(':'), line.size());
    const std::string_view hash = trimmed(line.substr(std::min(colon + 1, line.size())));
    if (std::string said = each(number, trimmed(line.substr(0, colon)), hash); !said.empty()) {
      return said;
    }
  }
  return "";
}

bool is_bcrypt(std::string_view hash) {
  return hash.size() == 60 && hash.starts_with("$2") && hash[3] == '$' && hash[6] == '$';
}

std::string read_users(const std::string& path, std::string& text) {
  std::string wrong = read_checked("metrics_users_file", path, Readers::kNotOthers, text);
  if (!wrong.empty()) return wrong;
  bool any = false;
  wrong = for_each_user(text, [&](int number, std::string_view user, std::string_view hash) {
    any = true;
    if (!user.empty() && is_bcrypt(hash)) return std::string();
    return fmt::format(
        "option 'metrics_users_file': line {} of '{}' is not USER:HASH with a hash of bcrypt "
        "(htpasswd -nB USER writes such a line)",
        number, path);
  });
  if (wrong.empty() && !any) {
    return fmt::format("option 'metrics_users_file': '{}' names no user", path);
  }
  return wrong;
}

bool is_password(const std::string& password, const std::string& hash) {
  const auto room = std::make_unique<crypt_data>();
  const char* made = ::crypt_r(password.c_str(), hash.c_str(), room.get());
  return made != nullptr && hash == made;
}

}  // namespace

ScrapeDoor::ScrapeDoor(const Settings& settings, Complain complain)
    : files_{settings.metrics_tls_cert, settings.metrics_tls_key, settings.metrics_tls_client_ca,
             "", ""},
      users_(settings.metrics_users_file),
      complain_(std::move(complain)) {}

std::string ScrapeDoor::check() {
  if (std::string wrong = files_.cert.empty() ? "" : read_tls(); !wrong.empty()) return wrong;
  std::string text;
  return users_.empty() ? "" : read_users(users_, text);
}

// Only good ones take the place of those in use.
std::string ScrapeDoor::read_tls() {
  read_as_ = files_.fingerprint();
  std::string wrong;
  if (auto made = TlsContext::make_endpoint(files_, wrong)) context_ = std::move(made);
  return wrong;
}

std::unique_ptr<metrics::ScrapeDoor::Tls> ScrapeDoor::open() {
  if (files_.cert.empty()) return nullptr;
  if (files_.fingerprint() != read_as_) {
    if (const std::string wrong = read_tls(); !wrong.empty()) {
      complain_(HA_LOG_ERROR,
                "the files of the metrics' TLS have changed and cannot be used, so "
                "those that were read before stay in use: " +
                    wrong);
    }
  }
  return std::make_unique<MemoryTls>(context_->accept(), [this](const std::string& why) {
    complain("refused scrapes", "metrics: a scrape was refused (tls): " + why);
  });
}

bool ScrapeDoor::admits(std::string_view authorization) {
  if (users_.empty()) return true;
  std::string text;
  if (const std::string wrong = read_users(users_, text); !wrong.empty()) {
    complain("faults of metrics_users_file", "metrics: nobody is let in: " + wrong);
    return false;
  }
  constexpr std::string_view kBasic = "basic ";
  const bool basic =
      authorization.size() > kBasic.size() && authorization.size() < kMostCredentials &&
      std::equal(kBasic.begin(), kBasic.end(), authorization.begin(),
                 [](char a, char b) { return a == (b >= 'A' && b <= 'Z' ? b - 'A' + 'a' : b); });
  const std::string given = basic ? from_base64(authorization.substr(kBasic.size())) : "";
  const std::size_t colon = given.find(':');
  // The function that hashes would take a NUL for the end.
  if (colon == std::string::npos || given.find('\0') != std::string::npos) return false;
  const std::string user = given.substr(0, colon);
  // An unknown user's password is hashed too, with somebody's salt, so that it takes as long.
  std::string hash;
  bool known = false;
  for_each_user(text, [&](int, std::string_view name, std::string_view of_name) {
    known = known || name == user;
    if (hash.empty() || name == user) hash = of_name;
    return std::string();
  });
  if (is_password(given.substr(colon + 1), hash) && known) return true;
  complain("refused scrapes", "metrics: a scrape was refused: wrong user or password");
  return false;
}

void ScrapeDoor::complain(const std::string& kind, const std::string& text) {
  const core::Time now = steady_now();
  lines_.turn(now, [this](std::int32_t level, const std::string& held) { complain_(level, held); });
  if (lines_.admit(now, kind, HA_LOG_WARN)) complain_(HA_LOG_WARN, text);
}

}  // namespace ha::net
