// SPDX-License-Identifier: Apache-2.0
#include "store/commit_mark.h"

#include <fcntl.h>
#include <libdeflate.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cctype>
#include <cerrno>
#include <charconv>
#include <cstring>

#include "ha/plugin.h"
#include "store/record.h"

namespace stub::store {
namespace {

constexpr const char* kFileName = "/commit_mark";
constexpr std::uint32_t kMarkMagic = 0x48414D34;  // "HAM4"
constexpr std::size_t kSlotStride = 4096;         // the largest block that disks write as one
constexpr std::size_t kFileBytes = 2 * kSlotStride;
// magic, checksum of the rest, sequence, begin, committed, flushed, segment_bytes, confirm,
// flushed_sum, committed_sum, boot (zeros: not known), flushing, flushing_sum
constexpr std::size_t kSlotBytes = 4 + 4 + 6 * 8 + 2 * 4 + sizeof(BootId) + 8 + 4;
constexpr std::size_t kWithoutFlushing = kSlotBytes - 12;

// What older versions wrote is the beginning of it.
std::size_t slot_bytes(std::uint32_t magic) {
  if (magic == kMarkMagic) return kSlotBytes;
  if (magic == 0x48414D33) return kWithoutFlushing;  // "HAM3"
  if (magic == 0x48414D32) return 56;                // "HAM2": it ended before the sums
  if (magic == 0x48414D31) return 48;                // "HAM1": it ended before confirm
  return 0;
}

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
  store32(slot + 56, values.flushed_sum);
  store32(slot + 60, values.committed_sum);
  const BootId boot = values.boot.value_or(BootId{});
  std::memcpy(slot + 64, boot.data(), boot.size());
  store64(slot + 80, static_cast<std::uint64_t>(values.flushing));
  store32(slot + 88, values.flushing_sum);
  store32(slot + 4, checksum(slot, kSlotBytes));
}

bool decode(const char* slot, std::uint64_t& sequence, MarkValues& values) {
  const std::size_t size = slot_bytes(load32(slot));
  if (size == 0 || load32(slot + 4) != checksum(slot, size)) return false;
  sequence = load64(slot + 8);
  values.begin = static_cast<std::int64_t>(load64(slot + 16));
  values.committed = static_cast<std::int64_t>(load64(slot + 24));
  values.flushed = static_cast<std::int64_t>(load64(slot + 32));
  values.segment_bytes = static_cast<std::int64_t>(load64(slot + 40));
  values.confirm = size > 48 ? static_cast<std::int64_t>(load64(slot + 48)) : kUnbounded;
  values.summed = size >= kWithoutFlushing;
  if (values.summed) {
    values.flushed_sum = load32(slot + 56);
    values.committed_sum = load32(slot + 60);
    BootId boot;
    std::memcpy(boot.data(), slot + 64, boot.size());
    if (boot != BootId{}) values.boot = boot;
  }
  const bool flushing = values.digests = size == kSlotBytes;
  values.flushing = flushing ? static_cast<std::int64_t>(load64(slot + 80)) : values.flushed;
  values.flushing_sum = flushing ? load32(slot + 88) : values.flushed_sum;
  return values.segment_bytes > 0 && values.begin >= 0 && values.begin <= values.flushed &&
         values.flushed <= values.flushing && values.flushing <= values.committed &&
         values.confirm >= kUnbounded;
}

// The newest slot that is whole.
std::optional<MarkValues> newest(const std::string& bytes, std::uint64_t& best_sequence) {
  std::optional<MarkValues> best;
  for (std::size_t at = 0; at + kSlotStride <= bytes.size(); at += kSlotStride) {
    std::uint64_t sequence = 0;
    MarkValues values;
    if (!decode(bytes.data() + at, sequence, values)) continue;
    if (best && sequence <= best_sequence) continue;
    best = values;
    best_sequence = sequence;
  }
  return best;
}

}  // namespace

std::optional<BootId> current_boot_id() {
  const auto read = read_file("/proc/sys/kernel/random/boot_id");
  const auto* text = std::get_if<std::string>(&read);
  if (text == nullptr) return std::nullopt;
  std::string digits;
  for (const char c : *text)
    if (std::isxdigit(static_cast<unsigned char>(c))) digits += c;
  BootId out;
  if (digits.size() != 2 * out.size()) return std::nullopt;
  for (std::size_t i = 0; i < out.size(); ++i) {
    unsigned byte = 0;
    std::from_chars(digits.data() + 2 * i, digits.data() + 2 * i + 2, byte, 16);
    out[i] = static_cast<char>(byte);
  }
  return out;
}

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
  std::uint64_t sequence = 0;
  if (bytes.size() == kFileBytes)
    if (auto best = newest(bytes, sequence)) return best;
  return make_error(HA_CORRUPT,
                    "'" + path + "' (" + std::to_string(bytes.size()) +
                        " bytes) holds no valid mark; remove the file to have the whole log "
                        "scanned instead, which finds its end by the checksums alone");
}

std::optional<Error> CommitMark::remove(const std::string& store_dir) {
  if (auto error = remove_file(store_dir + kFileName)) return error;
  return sync_directory(store_dir);
}

std::optional<Error> CommitMark::create(const std::string& store_dir, const MarkValues& values) {
  path_ = store_dir + kFileName;
  if (auto error = write_file(values)) return error;
  return map();
}

std::optional<Error> CommitMark::write_file(const MarkValues& values) {
  values_ = values;
  const auto held = read_file(path_);
  const auto* bytes = std::get_if<std::string>(&held);
  if (bytes == nullptr || bytes->size() != kFileBytes || !newest(*bytes, sequence_)) {
    std::string content(kFileBytes, '\0');
    sequence_ = 1;
    encode(content.data() + kSlotStride, sequence_, values_);
    return replace_file(path_, content);
  }
  char slot[kSlotBytes];
  encode(slot, ++sequence_, values_);
  const Descriptor fd(::open(path_.c_str(), O_WRONLY | O_CLOEXEC));
  if (!fd.valid()) return system_error(errno, "cannot open '" + path_ + "'");
  const auto at = static_cast<off_t>(sequence_ % 2 * kSlotStride);
  if (::pwrite(fd.get(), slot, kSlotBytes, at) != static_cast<ssize_t>(kSlotBytes))
    return system_error(errno, "cannot write '" + path_ + "'");
  return sync_file(fd.get(), path_);
}

std::optional<Error> CommitMark::map() {
  fd_ = Descriptor(::open(path_.c_str(), O_RDWR | O_CLOEXEC));
  if (!fd_.valid()) return system_error(errno, "cannot open '" + path_ + "'");
  void* data = ::mmap(nullptr, kFileBytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd_.get(), 0);
  if (data == MAP_FAILED) return system_error(errno, "cannot map '" + path_ + "'");
  data_ = static_cast<char*>(data);
  return std::nullopt;
}

void CommitMark::set_committed(SummedEnd committed) {
  const std::lock_guard lock(mutex_);
  values_.committed = committed.offset;
  values_.committed_sum = committed.sum;
  write_slot();
}

void CommitMark::set_begin(std::int64_t begin) {
  const std::lock_guard lock(mutex_);
  values_.begin = begin;
  write_slot();
}

void CommitMark::set_flushing(SummedEnd flushing) {
  const std::lock_guard lock(mutex_);
  values_.flushing = flushing.offset;
  values_.flushing_sum = flushing.sum;
  write_slot();
}

void CommitMark::set_flushed() {
  const std::lock_guard lock(mutex_);
  values_.flushed = values_.flushing;
  values_.flushed_sum = values_.flushing_sum;
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

void CommitMark::forget_boot() {
  const std::lock_guard lock(mutex_);
  values_.boot.reset();
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
