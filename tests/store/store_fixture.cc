// SPDX-License-Identifier: Apache-2.0
#include "store_fixture.h"

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <thread>

namespace stub::store {

namespace fs = std::filesystem;

TempDir::TempDir() {
  // In memory where there is such a place: the tests fsync thousands of times.
  const fs::path base = fs::is_directory("/dev/shm") ? "/dev/shm" : fs::temp_directory_path();
  std::string name = (base / "ha_store_XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp " + name);
  path_ = name;
}

TempDir::~TempDir() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

LogOptions test_options(const std::string& dir, std::int64_t segment_bytes) {
  LogOptions options;
  options.store_dir = dir;
  options.segment_bytes = segment_bytes;
  options.flush_interval_ms = 3'600'000;  // nothing becomes durable unless a test asks
  return options;
}

std::optional<Error> Store::open(LogOptions options) {
  auto opened = CommitLog::open(std::move(options), index);
  if (auto* error = std::get_if<Error>(&opened)) return *error;
  log = std::move(std::get<std::unique_ptr<CommitLog>>(opened));
  return std::nullopt;
}

void Store::open_or_die(LogOptions options) {
  const auto error = open(std::move(options));
  if (error) throw std::runtime_error(error->text);
}

Appended Store::put(const std::string& topic, const std::string& body, int queue,
                    const Properties& properties) {
  log->set_writable(true);
  NewMessage message{topic, queue, {}};
  const bool large = body.size() >= 200;
  if (large) message.left_out = summed(body);
  message.record = large ? encode_record(topic, queue, message.left_out, properties, 1)
                         : encode_record(topic, queue, body, properties, 1);
  return log->append_messages({&message, 1});
}

std::string Store::bytes() const {
  std::string out;
  const LogBounds bounds = log->bounds();
  while (bounds.min + static_cast<std::int64_t>(out.size()) < bounds.end) {
    std::string piece(65536, '\0');
    std::int64_t got = 0;
    const auto at = bounds.min + static_cast<std::int64_t>(out.size());
    if (log->read(at, piece.data(), 65536, got) != HA_OK) throw std::runtime_error("read");
    out.append(piece, 0, static_cast<std::size_t>(got));
  }
  return out;
}

std::vector<std::string> Store::bodies(const std::string& topic, std::optional<int> queue) {
  std::vector<std::string> out;
  for (const std::int64_t offset : index.range(topic, queue, 0, 1'000'000).offsets)
    EXPECT_TRUE(log->with_record(offset, [&](const RecordView& r) { out.emplace_back(r.body); }));
  return out;
}

std::string sample_log(int messages, std::size_t body_bytes, std::int64_t segment_bytes) {
  const TempDir dir;
  Store store;
  store.open_or_die(test_options(dir.path(), segment_bytes));
  for (int i = 0; i < messages; ++i)
    store.put("topic-" + std::to_string(i % 3),
              std::string(body_bytes, static_cast<char>('a' + i % 26)), i % 2);
  return store.bytes();
}

void copy_store(const std::string& from, const std::string& to) {
  const auto files = [&] {
    std::set<std::string> names;
    for (const auto& entry : fs::directory_iterator(from + "/commitlog"))
      names.insert(entry.path().filename());
    return names;
  };
  // Again if a segment came or went meanwhile: no kill leaves a commit mark and segments of
  // different times.
  for (auto before = files();; before = files()) {
    for (const auto& entry : fs::recursive_directory_iterator(from)) {
      const fs::path target = fs::path(to) / entry.path().lexically_relative(from);
      std::error_code code;
      if (entry.is_directory(code))
        fs::create_directories(target);
      else
        fs::copy_file(entry.path(), target, fs::copy_options::overwrite_existing, code);
    }
    if (files() == before) return;
    for (const auto& entry : fs::directory_iterator(to)) fs::remove_all(entry.path());
  }
}

std::string slurp(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void patch(const std::string& path, std::int64_t at, const std::string& bytes) {
  std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
  file.seekp(at);
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  ASSERT_TRUE(file.good()) << path;
}

std::string segment_path(const std::string& dir, std::int64_t base) {
  return dir + "/commitlog/" + Segment::file_name(base);
}

bool eventually(const std::function<bool()>& condition) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::yield();
  }
  return true;
}

}  // namespace stub::store
