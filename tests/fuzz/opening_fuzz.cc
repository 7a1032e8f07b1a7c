// SPDX-License-Identifier: Apache-2.0
// What strangers say first: the bytes that tell wires apart, and the names that a certificate has.
//
// The first byte of an input says how the node is set up, the second how the rest is cut. What must
// hold: it is heard what the peer speaks with the eighth byte and not before; nothing is let in
// that the options shut out; TLS is heard once. A name of another cluster gives no id.
#include <cstdint>
#include <string>
#include <variant>

#include "ha_plugin/core/identity.h"
#include "ha_plugin/net/master/opening.h"
#include "ha_plugin/wire/native.h"
#include "tests/fuzz/fuzz.h"

namespace {

using namespace ha;
using fuzz::require;
using net::Opening;

void judge(const Settings& settings, const Opening::Heard& heard, bool inside) {
  const bool encrypted = inside || settings.tls != TlsMode::kRequire;
  if (std::holds_alternative<Opening::Native>(heard)) require(settings.accept.native && encrypted);
  if (std::holds_alternative<Opening::Rocketmq>(heard)) {
    require(settings.accept.rocketmq && settings.replicas.nodes.empty() && encrypted);
  }
  if (std::holds_alternative<Opening::Tls>(heard)) {
    require(settings.tls != TlsMode::kOff && !inside);
  }
  if (const auto* refusal = std::get_if<core::Refusal>(&heard)) require(!refusal->text.empty());
}

void hear(std::span<const std::byte> input) {
  if (input.size() < 2) return;
  const auto how = static_cast<unsigned>(input[0]);
  const std::size_t piece = static_cast<std::size_t>(input[1]) + 1;
  input = input.subspan(2);
  Settings settings;
  settings.tls = static_cast<TlsMode>(how & 3);
  settings.accept = {(how & 4) != 0, (how & 8) != 0};
  if ((how & 16) != 0) settings.replicas.nodes = {{"a", {"127.0.0.1", 1}}};
  Opening opening(settings, core::Time{});
  bool inside = false;
  std::size_t taken = 0;
  fuzz::in_pieces(input, piece, [&](std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
      const std::size_t before = bytes.size();
      const Opening::Heard heard = opening.take(bytes);
      taken += before - bytes.size();
      judge(settings, heard, inside);
      require(opening.over() == !std::holds_alternative<Opening::Nothing>(heard));
      if (!opening.over()) {
        require(bytes.empty());
        return true;
      }
      require(taken % 8 == 0);
      if (!std::holds_alternative<Opening::Tls>(heard)) return false;
      opening.begin_inside_tls();
      inside = true;
    }
    return true;
  });
}

void name(std::span<const std::byte> input) {
  const std::string_view text(reinterpret_cast<const char*>(input.data()), input.size());
  if (const auto id = core::id_of_uri(text, "prod")) require(text == "ha:prod/" + *id);
  if (const auto id = core::id_of_dns(text, "prod")) {
    require(id->size() + std::string_view(".prod").size() == text.size());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto input = std::as_bytes(std::span(data, size));
  hear(input);
  name(input);
  return 0;
}
