#include "store/commit_mark.h"

#include <fcntl.h>
#include <libdeflate.h>
#include <sys/mman.h>

#include <atomic>
#include <cerrno>
#include <cstring>

#include "ha/plugin.h"
#include "store/record.h"

namespace stub::store {
namespace {

constexpr const char* kFileName = "/commit_mark";
constexpr std::uint32_t kMarkMagic = 0x48414D32;     // "HAM2"
constexpr std::uint32_t kOldMarkMagic = 0x48414D31;  // "HAM1": it ended before confirm
constexpr std::size_t kSlotStride = 4096;            // the largest block that disks write as one
constexpr std::size_t kFileBytes = 2 * kSlotStride;
// magic, checksum of the rest, sequence, begin, committed, flushed, segment_bytes, confirm
constexpr std::size_t kSlotBytes = 4 + 4 + 6 * 8;
constexpr std::size_t kOldSlotBytes = kSlotBytes - 8;

std::uint32_t checksum(const char* slot, std::size_t size) {
  return libdeflate_crc32(0, slot + 8, size - 8);
}

void encode(char* slot, std::uint64_t sequence, const MarkValues& values) {
  store32(slot, kMarkMagic);
  store64(slot + 8, sequence);
  store64(slot + 16, static_cast<std::uint64_t>(values.begin));
  store64(slot + 24, static_cast<std::uint64_t>(values.committed));
  store64(slot + 32, static_cast<std::uint64_t>(values.flushed));
  store64(slot + 40, static_cast<std::uint64_t>(values.segment_bytes));
  store64(slot + 48, static_cast<std::uint64_t>(values.confirm));
  store32(slot + 4, checksum(slot, kSlotBytes));
}

bool decode(const char* slot, std::uint64_t& sequence, MarkValues& values) {
  const bool old = load32(slot) == kOldMarkMagic;
  if (!old && load32(slot) != kMarkMagic) return false;
  if (load32(slot + 4) != checksum(slot, old ? kOldSlotBytes : kSlotBytes)) return false;
  sequence = load64(slot + 8);
  values.begin = static_cast<std::int64_t>(load64(slot + 16));
  values.committed = static_cast<std::int64_t>(load64(slot + 24));
  values.flushed = static_cast<std::int64_t>(load64(slot + 32));
  values.segment_bytes = static_cast<std::int64_t>(load64(slot + 40));
  values.confirm = old ? kUnbounded : static_cast<std::int64_t>(load64(slot + 48));
  return values.begin >= 0 && values.begin <= values.flushed &&
         values.flushed <= values.committed && values.confirm >= kUnbounded;
}

}  // namespace

CommitMark::~CommitMark() {
  if (data_ != nullptr) ::munmap(data_, kFileBytes);
}

Result<std::optional<MarkValues>> CommitMark::load(const std::string& store_dir) {
  const std::string path = store_dir + kFileName;
  auto file = read_file(path);
  if (const auto* error = std::get_if<Error>(&file)) {
    if (error->os_errno == ENOENT) return std::optional<MarkValues>{};
    return *error;
  }
  const auto& bytes = std::get<std::string>(file);
  std::optional<MarkValues> best;
  std::uint64_t best_sequence = 0;
  for (std::size_t at = 0; at + kSlotStride <= bytes.size(); at += kSlotStride) {
    std::uint64_t sequence = 0;
    MarkValues values;
    if (!decode(bytes.data() + at, sequence, values)) continue;
    if (best && sequence <= best_sequence) continue;
    best = values;
    best_sequence = sequence;
  }
  if (best) return best;
  return make_error(HA_CORRUPT,
                    "'" + path + "' (" + std::to_string(bytes.size()) +
                        " bytes) holds no valid mark; remove the file to have the whole log "
                        "scanned instead, which finds its end by the checksums alone");
}

std::optional<Error> CommitMark::remove(const std::string& store_dir) {
  return remove_file(store_dir + kFileName);
}

std::optional<Error> CommitMark::create(const std::string& store_dir, const MarkValues& values) {
  path_ = store_dir + kFileName;
  std::string content(kFileBytes, '\0');
  values_ = values;
  sequence_ = 1;
  encode(content.data() + kSlotStride, sequence_, values_);
  if (auto failed = replace_file(path_, content)) return failed;
  fd_ = Descriptor(::open(path_.c_str(), O_RDWR | O_CLOEXEC));
  if (!fd_.valid()) return system_error(errno, "cannot open '" + path_ + "'");
  void* data = ::mmap(nullptr, kFileBytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd_.get(), 0);
  if (data == MAP_FAILED) return system_error(errno, "cannot map '" + path_ + "'");
  data_ = static_cast<char*>(data);
  return std::nullopt;
}

void CommitMark::set_committed(std::int64_t committed) {
  const std::lock_guard lock(mutex_);
  values_.committed = committed;
  write_slot();
}

void CommitMark::set_begin(std::int64_t begin) {
  const std::lock_guard lock(mutex_);
  values_.begin = begin;
  write_slot();
}

void CommitMark::set_flushed(std::int64_t flushed) {
  const std::lock_guard lock(mutex_);
  values_.flushed = flushed;
  write_slot();
}

void CommitMark::set_confirm(std::int64_t confirm) {
  const std::lock_guard lock(mutex_);
  values_.confirm = confirm;
  write_slot();
}

void CommitMark::set_all(const MarkValues& values) {
  const std::lock_guard lock(mutex_);
  values_ = values;
  write_slot();
}

std::optional<Error> CommitMark::sync() {
  if (::fdatasync(fd_.get()) == 0) return std::nullopt;
  return system_error(errno, "cannot make '" + path_ + "' durable (fdatasync)");
}

void CommitMark::write_slot() {
  char slot[kSlotBytes];
  encode(slot, ++sequence_, values_);
  // The compiler must not move the log's bytes below the mark that counts them. Against the death
  // of the process that is enough: it dies between two instructions.
  std::atomic_signal_fence(std::memory_order_seq_cst);
  std::memcpy(data_ + sequence_ % 2 * kSlotStride, slot, kSlotBytes);
}

}  // namespace stub::store
