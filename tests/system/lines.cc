// SPDX-License-Identifier: Apache-2.0
#include "tests/system/lines.h"

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <unordered_map>

#include "tests/system/deadline.h"

namespace ha::system {
namespace {

constexpr const char* kRealFile = "/var/lib/dpkg/status";

std::string segment_name(std::int64_t offset) {
  char name[32];
  std::snprintf(name, sizeof(name), "%020lld", static_cast<long long>(offset));
  return name;
}

std::string read_range(const std::filesystem::path& path, std::int64_t from, std::int64_t size) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw Failure("cannot read " + path.string());
  std::string bytes(static_cast<std::size_t>(size), '\0');
  file.seekg(from);
  file.read(bytes.data(), size);
  bytes.resize(static_cast<std::size_t>(file.gcount()));
  return bytes;
}

}  // namespace

std::string real_lines(std::size_t count) {
  std::ifstream file(kRealFile, std::ios::binary);
  const std::string once(std::istreambuf_iterator<char>(file), {});
  const auto lines = static_cast<std::size_t>(std::count(once.begin(), once.end(), '\n'));
  if (lines == 0 || once.back() != '\n') throw Failure(std::string("no lines in ") + kRealFile);
  std::string all;
  for (std::size_t held = 0; held < count; held += lines) all += once;
  return all;
}

std::string numbered_lines(const std::string& word, std::size_t count, std::size_t size) {
  std::string all;
  for (std::size_t i = 0; i < count; ++i) {
    std::string line = word + " " + std::to_string(i) + " ";
    if (line.size() < size) line.resize(size, static_cast<char>('a' + i % 26));
    all += line + "\n";
  }
  return all;
}

std::filesystem::path write_file(const std::filesystem::path& path, std::string_view text) {
  std::ofstream file(path, std::ios::binary);
  file.write(text.data(), static_cast<std::streamsize>(text.size()));
  file.close();
  if (!file) throw Failure("cannot write " + path.string());
  return path;
}

std::vector<std::string> split_lines(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    lines.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

std::string missing_or_doubled(const std::vector<std::string>& acknowledged,
                               std::string_view found) {
  std::unordered_map<std::string, int> times;
  for (std::string& line : split_lines(found)) ++times[std::move(line)];
  std::size_t lost = 0;
  std::size_t doubled = 0;
  std::string example;
  for (const std::string& line : acknowledged) {
    const auto at = times.find(line);
    const int n = at == times.end() ? 0 : at->second;
    if (n == 1) continue;
    (n == 0 ? lost : doubled) += 1;
    if (example.empty()) example = line.substr(0, 40) + ": found " + std::to_string(n) + " times";
  }
  if (lost + doubled == 0) return "";
  return std::to_string(lost) + " lost, " + std::to_string(doubled) + " doubled of " +
         std::to_string(acknowledged.size()) + " acknowledged (" + example + ")";
}

std::string compare_logs(const std::filesystem::path& a, const std::filesystem::path& b,
                         std::int64_t from, std::int64_t to, std::int64_t segment_size) {
  if (from >= to)
    return "nothing to compare: [" + std::to_string(from) + ", " + std::to_string(to) + ")";
  for (std::int64_t at = from; at < to;) {
    const std::int64_t start = at - at % segment_size;
    const std::int64_t size = std::min(to, start + segment_size) - at;
    const auto name = std::filesystem::path("commitlog") / segment_name(start);
    const std::string left = read_range(a / name, at - start, size);
    const std::string right = read_range(b / name, at - start, size);
    if (left.size() != static_cast<std::size_t>(size)) return (a / name).string() + " is short";
    if (right.size() != static_cast<std::size_t>(size)) return (b / name).string() + " is short";
    if (left != right) {
      const auto differ = std::mismatch(left.begin(), left.end(), right.begin()).first;
      return "the logs differ first at " + std::to_string(at + (differ - left.begin()));
    }
    at += size;
  }
  return "";
}

std::vector<std::string> segments(const std::filesystem::path& store) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(store / "commitlog")) {
    const std::string name = entry.path().filename().string();
    if (name.size() == 20 && std::all_of(name.begin(), name.end(), ::isdigit))
      names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace ha::system
