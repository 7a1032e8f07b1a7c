// SPDX-License-Identifier: Apache-2.0
// The bytes of RocketMQ's HA protocol in controller mode (AutoSwitchHAService), as 5.1.1 and later
// speak it. README.md beside this file has the layout with a worked example.
//
//   slave -> master   handshake, 16 bytes, once; then reports, 12 bytes each
//   master -> slave   handshake: prefix of 20 bytes + entries of 12 bytes each; then transfers:
//                     prefix of 20 bytes + rest of 16 bytes + body
//
// Like the default wire it has no magic number, version or checksum: a state is all that tells one
// message from another. This codec does no I/O and judges nothing: core decides what a value may
// be.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "ha_plugin/core/epoch_history.h"
#include "ha_plugin/core/learner.h"
#include "ha_plugin/core/types.h"
#include "ha_plugin/wire/rocketmq.h"

namespace ha::wire::autoswitch {

inline constexpr std::size_t kHandshakeBytes = 16;
inline constexpr std::size_t kReportBytes = 12;
inline constexpr std::size_t kPrefixBytes = 20;
inline constexpr std::size_t kTransferRestBytes = 16;
inline constexpr std::size_t kEntryBytes = 12;

// RocketMQ's HAConnectionState, by its ordinals.
inline constexpr std::int32_t kStateHandshake = 1;
inline constexpr std::int32_t kStateTransfer = 2;

using HandshakeBytes = std::array<std::byte, kHandshakeBytes>;
using ReportBytes = std::array<std::byte, kReportBytes>;
using EntryBytes = std::array<std::byte, kEntryBytes>;
using PrefixBytes = std::array<std::byte, kPrefixBytes>;
using TransferRestBytes = std::array<std::byte, kTransferRestBytes>;

struct Handshake {
  bool sync_from_last_file = false;  // an empty slave wants the master's last segment only
  bool async_learner = false;        // never to be taken into the sync state set
  std::int64_t broker_id = 0;
};

// What both of the master's messages begin with.
struct Prefix {
  std::int32_t state = 0;
  std::int32_t size = 0;   // handshake: of the entries; transfer: of the body, 0 = heartbeat
  core::Offset offset;     // handshake: the master's log end; transfer: of the body's first byte
  std::int32_t epoch = 0;  // handshake: the newest; transfer: of the body, give or take (README)
};

struct TransferRest {
  core::Offset epoch_start;
  core::Offset confirm;  // the master's readers see records below
};

HandshakeBytes encode_handshake(const Handshake& handshake);
ReportBytes encode_report(core::Offset end);

Prefix decode_prefix(std::span<const std::byte, kPrefixBytes> bytes);
TransferRest decode_transfer_rest(std::span<const std::byte, kTransferRestBytes> bytes);
core::EpochEntry decode_entry(std::span<const std::byte, kEntryBytes> bytes);

// A master's side, for tests.
PrefixBytes encode_prefix(const Prefix& prefix);
TransferRestBytes encode_transfer_rest(const TransferRest& rest);
EntryBytes encode_entry(const core::EpochEntry& entry);

// Finds the master's messages in the stream of one connection, however it is cut: one handshake,
// then transfers. The bodies of transfers are the caller's: after kTransfer the next body bytes go
// past this reader.
class MasterReader {
 public:
  enum class Found {
    kNothing,    // not yet
    kHandshake,  // handshake() is complete
    kTransfer,   // prefix() and label() are complete, the body follows
    kBadState,   // prefix().state has no place here
    kBadSize,    // prefix().size is no size of a handshake
  };

  // Takes what it needs of one message off the front of bytes, at least a byte. REQUIRES: bytes are
  // there, and nothing bad was found before.
  Found take(std::span<const std::byte>& bytes);

  const Prefix& prefix() const { return prefix_; }
  const core::MasterHandshake& handshake() const { return handshake_; }
  const core::FrameLabel& label() const { return label_; }
  bool greeted() const { return greeted_; }

 private:
  enum class Next { kPrefix, kEntry, kTransferRest };

  Found on_prefix();

  Next next_ = Next::kPrefix;
  Gather<kPrefixBytes> prefix_bytes_;
  Gather<kEntryBytes> entry_bytes_;
  Gather<kTransferRestBytes> rest_bytes_;
  Prefix prefix_;
  core::MasterHandshake handshake_;
  core::FrameLabel label_;
  std::size_t entries_ = 0;  // that the handshake announced
  bool greeted_ = false;
};

}  // namespace ha::wire::autoswitch
