// SPDX-License-Identifier: Apache-2.0
#include "ha_plugin/net/io/openssl.h"

#include <dlfcn.h>

namespace ha::net {
namespace {

// DEEPBIND: a host that carries an OpenSSL of its own, and exports it, would otherwise take calls
// between these two libraries over. The sanitizers refuse the flag.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int kFlags = RTLD_NOW | RTLD_LOCAL;
#else
constexpr int kFlags = RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND;
#endif

// "" or why not.
template <class Function>
std::string find(void* library, const char* name, Function& function) {
  void* found = ::dlsym(library, name);
  if (found == nullptr) return std::string("it has no function ") + name;
  function = reinterpret_cast<Function>(found);
  return "";
}

}  // namespace

std::string OpenSsl::load() {
  // Opened once and kept: they stay in the process anyway.
  static const std::string failed = [] {
    const auto open = [](const char* name, void*& library) -> std::string {
      library = ::dlopen(name, kFlags);
      if (library != nullptr) return "";
      const char* why = ::dlerror();
      return std::string("TLS needs OpenSSL 3, and ") + name +
             " cannot be loaded: " + (why == nullptr ? "unknown error" : why) +
             " (Debian's package is libssl3)";
    };
    void* crypto = nullptr;
    void* ssl = nullptr;
    std::string wrong = open("libcrypto.so.3", crypto);
    if (wrong.empty()) wrong = open("libssl.so.3", ssl);
#define HA_ROW(name) \
  if (wrong.empty()) wrong = find(ssl, #name, name);
    HA_OPENSSL_SSL(HA_ROW)
#undef HA_ROW
#define HA_ROW(name) \
  if (wrong.empty()) wrong = find(crypto, #name, name);
    HA_OPENSSL_CRYPTO(HA_ROW)
#undef HA_ROW
    return wrong;
  }();
  return failed;
}

std::string OpenSsl::error_text() {
  std::string text;
  for (unsigned long code = ERR_get_error(); code != 0; code = ERR_get_error()) {
    const char* reason = ERR_reason_error_string(code);
    if (text.empty() && reason != nullptr) text = reason;
  }
  return text.empty() ? "unknown error" : text;
}

}  // namespace ha::net
