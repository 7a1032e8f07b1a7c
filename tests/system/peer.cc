// SPDX-License-Identifier: Apache-2.0
#include "tests/system/peer.h"

namespace ha::system {
namespace {

constexpr std::size_t kHeader = 12;  // offset 8, size 4, both big-endian

std::uint64_t big_endian(std::string_view bytes) {
  std::uint64_t value = 0;
  for (const char byte : bytes) value = value << 8 | static_cast<unsigned char>(byte);
  return value;
}

}  // namespace

void Peer::report(std::int64_t offset) {
  std::string bytes(8, '\0');
  auto rest = static_cast<std::uint64_t>(offset);
  for (std::size_t i = 8; i-- > 0; rest >>= 8) bytes[i] = static_cast<char>(rest & 0xff);
  connection_.send(bytes);
}

Frame Peer::read_frame() {
  const std::string header = connection_.receive_exactly(kHeader);
  Frame frame;
  frame.offset = static_cast<std::int64_t>(big_endian(std::string_view(header).substr(0, 8)));
  const std::uint64_t size = big_endian(std::string_view(header).substr(8));
  if (size > (4u << 20)) throw Failure("a frame of " + std::to_string(size) + " bytes");
  frame.body = connection_.receive_exactly(size);
  read_ = frame.end();
  return frame;
}

void Peer::read_until(std::int64_t end) {
  while (read_ < end) read_frame();
}

}  // namespace ha::system
