// SPDX-License-Identifier: Apache-2.0
// The small files that a node reads when it starts, as a full disk, another version or an editor
// may leave them: consumerOffset.json, commit_mark, ha_term.json, ha_degraded.json,
// epochFileCheckpoint.
//
// The first byte says which. What must hold: nothing crashes; what is refused is refused in words;
// what is taken is written and taken again as the same.
#include <unistd.h>

#include <boost/json.hpp>
#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>

#include "broker/group_offsets.h"
#include "ha_plugin/state/degraded_keeper.h"
#include "ha_plugin/state/epoch_file.h"
#include "ha_plugin/state/term_file.h"
#include "ha_plugin/wire/native.h"
#include "store/commit_mark.h"
#include "tests/fuzz/fuzz.h"

namespace {

using ha::fuzz::require;
namespace json = boost::json;

// A directory of this process that is emptied each time.
const std::string& directory() {
  // Never destroyed: the exit handler needs it.
  static const std::string& path = *new std::string([] {
    const bool shm = std::filesystem::is_directory("/dev/shm");
    const auto made =
        std::string(shm ? "/dev/shm" : "/tmp") + "/ha_files_fuzz." + std::to_string(::getpid());
    std::filesystem::create_directories(made);
    std::atexit([] { std::filesystem::remove_all(directory()); });
    return made;
  }());
  return path;
}

void write(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

// With the checksum that belongs to it: a fuzzer would hardly find one.
std::string sealed(const std::string& text) {
  boost::system::error_code wrong;
  auto value = json::parse(text, wrong);
  if (wrong || !value.is_object()) return text;
  auto& object = value.get_object();
  object.erase("checksum");
  const std::string rest = json::serialize(object);
  ha::wire::native::Hasher hasher;
  hasher.add(std::as_bytes(std::span(rest)));
  char hex[17];
  std::snprintf(hex, sizeof(hex), "%016" PRIx64, hasher.value());
  object["checksum"] = hex;
  return json::serialize(object);
}

void term(const std::string& text) {
  ha::core::Term read;
  if (!ha::parse_term(text, read).empty()) return;
  ha::core::Term again;
  require(ha::parse_term(ha::format_term(read), again).empty());
  require(ha::format_term(again) == ha::format_term(read));
}

void degraded(const std::string& text) {
  ha::DegradedState read;
  if (!ha::parse_degraded(text, read).empty()) return;
  ha::DegradedState again;
  require(ha::parse_degraded(ha::format_degraded(read), again).empty());
  require(ha::format_degraded(again) == ha::format_degraded(read));
}

void epochs(const std::string& text) {
  ha::core::EpochHistory read;
  if (!ha::parse_epochs(text, read).empty()) return;
  ha::core::EpochHistory again;
  require(ha::parse_epochs(ha::format_epochs(read), again).empty());
  require(ha::format_epochs(again) == ha::format_epochs(read));
}

std::unique_ptr<stub::GroupOffsets> open_offsets() {
  auto opened = stub::GroupOffsets::open(directory(),
                                         [](const std::string&, int) { return std::int64_t{100}; });
  require(std::holds_alternative<std::unique_ptr<stub::GroupOffsets>>(opened));
  return std::get<std::unique_ptr<stub::GroupOffsets>>(std::move(opened));
}

// A damaged file is moved aside, and what is taken is read again as the same.
void offsets(const std::string& text) {
  const auto config = directory() + "/config";
  std::filesystem::remove_all(config);
  std::filesystem::create_directory(config);
  const auto path = config + "/consumerOffset.json";
  write(path, text);
  const auto taken = open_offsets()->text();
  write(path, taken);
  require(open_offsets()->text() == taken);
  // As the journal of a table it changes nothing: no fuzzer finds a checksum.
  write(path + ".journal", text);
  require(open_offsets()->text() == taken);
}

// The input over a valid file, at a place that its first bytes name.
void mark(const std::string& text) {
  if (text.size() < 2) return;
  const auto path = directory() + "/commit_mark";
  stub::store::CommitMark valid;
  stub::store::MarkValues all;
  all.committed = 1000;
  all.flushed = 500;
  all.flushing = 600;
  all.segment_bytes = 65536;
  all.confirm = 700;
  require(!valid.create(directory(), all));
  const auto at = static_cast<unsigned char>(text[0]) * 256u + static_cast<unsigned char>(text[1]);
  std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
  file.seekp(at % 8192);
  file.write(text.data() + 2, static_cast<std::streamsize>(text.size() - 2));
  file.close();
  const auto loaded = stub::store::CommitMark::load(directory());
  const auto* values = std::get_if<std::optional<stub::store::MarkValues>>(&loaded);
  if (values == nullptr) return require(!std::get<stub::Error>(loaded).text.empty());
  require(values->has_value());
  require((*values)->begin >= 0 && (*values)->begin <= (*values)->committed);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  const std::string text(reinterpret_cast<const char*>(data + 1), size - 1);
  switch (data[0] % 6) {
    case 0:
      term(text);
      break;
    case 1:
      term(sealed(text));
      break;
    case 2:
      degraded(text);
      break;
    case 3:
      epochs(text);
      break;
    case 4:
      offsets(text);
      break;
    default:
      mark(text);
  }
  return 0;
}
