// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/fake_names.h"

#include <dlfcn.h>
#include <netdb.h>

#include <condition_variable>
#include <map>
#include <mutex>

namespace ha::testing {
namespace {

using GetAddrInfo = int (*)(const char*, const char*, const addrinfo*, addrinfo**);

struct Entry {
  bool silent = false;
  std::vector<std::string> addresses;  // none = it fails
};

// Not destroyed: a look-up that was left behind may come back late.
struct Table {
  std::mutex mutex;
  std::condition_variable changed;
  std::map<std::string, Entry> names;
  std::map<std::string, int> asked;
  int all = 0;
  int waiting = 0;
};

Table& table() {
  static auto* instance = new Table;
  return *instance;
}

int real(const char* name, const char* service, const addrinfo* hints, addrinfo** found) {
  static const auto next = reinterpret_cast<GetAddrInfo>(::dlsym(RTLD_NEXT, "getaddrinfo"));
  return next(name, service, hints, found);
}

// The real one makes the list's parts, so that the real freeaddrinfo can free it.
int list_of(const std::vector<std::string>& addresses, const char* service, const addrinfo* hints,
            addrinfo** found) {
  addrinfo numeric = hints == nullptr ? addrinfo{} : *hints;
  numeric.ai_flags |= AI_NUMERICHOST;
  addrinfo** end = found;
  for (const std::string& address : addresses) {
    if (const int failed = real(address.c_str(), service, &numeric, end); failed != 0)
      return failed;
    while (*end != nullptr) end = &(*end)->ai_next;
  }
  return addresses.empty() ? EAI_NONAME : 0;
}

int look_up(const char* name, const char* service, const addrinfo* hints, addrinfo** found) {
  Table& t = table();
  std::vector<std::string> addresses;
  {
    std::unique_lock lock(t.mutex);
    ++t.all;
    ++t.asked[name];
    if (t.names.find(name) == t.names.end()) {
      lock.unlock();
      return real(name, service, hints, found);
    }
    ++t.waiting;
    t.changed.wait(lock, [&] { return !t.names[name].silent; });
    --t.waiting;
    t.changed.notify_all();
    addresses = t.names[name].addresses;
  }
  return list_of(addresses, service, hints, found);
}

void put(const std::string& name, Entry entry) {
  Table& t = table();
  const std::lock_guard lock(t.mutex);
  t.names[name] = std::move(entry);
  t.changed.notify_all();
}

}  // namespace

FakeNames::FakeNames() {
  const std::lock_guard lock(table().mutex);
  table().asked.clear();
  table().all = 0;
}

FakeNames::~FakeNames() {
  Table& t = table();
  std::unique_lock lock(t.mutex);
  for (auto& [name, entry] : t.names) entry.silent = false;
  t.changed.notify_all();
  t.changed.wait(lock, [&] { return t.waiting == 0; });
  t.names.clear();
}

void FakeNames::set(const std::string& name, const std::vector<std::string>& addresses) {
  put(name, {false, addresses});
}
void FakeNames::fail(const std::string& name) { put(name, {}); }
void FakeNames::silence(const std::string& name) { put(name, {true, {}}); }

int FakeNames::asked() const {
  const std::lock_guard lock(table().mutex);
  return table().all;
}

int FakeNames::asked(const std::string& name) const {
  const std::lock_guard lock(table().mutex);
  const auto at = table().asked.find(name);
  return at == table().asked.end() ? 0 : at->second;
}

int FakeNames::waiting() const {
  const std::lock_guard lock(table().mutex);
  return table().waiting;
}

}  // namespace ha::testing

extern "C" int getaddrinfo(const char* name, const char* service, const addrinfo* hints,
                           addrinfo** found) {
  if (name == nullptr) return ha::testing::real(name, service, hints, found);
  return ha::testing::look_up(name, service, hints, found);
}
