// SPDX-License-Identifier: Apache-2.0
#include "ha_plugin/wire/rocketmq_autoswitch.h"

#include "ha_plugin/wire/big_endian.h"

namespace ha::wire::autoswitch {

HandshakeBytes encode_handshake(const Handshake& handshake) {
  HandshakeBytes bytes{};
  put_big_endian(bytes.data(), kStateHandshake);
  put_big_endian<std::int16_t>(bytes.data() + 4, handshake.sync_from_last_file ? 1 : 0);
  put_big_endian<std::int16_t>(bytes.data() + 6, handshake.async_learner ? 1 : 0);
  put_big_endian(bytes.data() + 8, handshake.broker_id);
  return bytes;
}

ReportBytes encode_report(core::Offset end) {
  ReportBytes bytes{};
  put_big_endian(bytes.data(), kStateTransfer);
  put_big_endian(bytes.data() + 4, end.bytes());
  return bytes;
}

Prefix decode_prefix(std::span<const std::byte, kPrefixBytes> bytes) {
  return {get_big_endian<std::int32_t>(bytes.data()),
          get_big_endian<std::int32_t>(bytes.data() + 4),
          core::Offset(get_big_endian<std::int64_t>(bytes.data() + 8)),
          get_big_endian<std::int32_t>(bytes.data() + 16)};
}

TransferRest decode_transfer_rest(std::span<const std::byte, kTransferRestBytes> bytes) {
  return {core::Offset(get_big_endian<std::int64_t>(bytes.data())),
          core::Offset(get_big_endian<std::int64_t>(bytes.data() + 8))};
}

core::EpochEntry decode_entry(std::span<const std::byte, kEntryBytes> bytes) {
  return {get_big_endian<std::int32_t>(bytes.data()),
          core::Offset(get_big_endian<std::int64_t>(bytes.data() + 4))};
}

PrefixBytes encode_prefix(const Prefix& prefix) {
  PrefixBytes bytes{};
  put_big_endian(bytes.data(), prefix.state);
  put_big_endian(bytes.data() + 4, prefix.size);
  put_big_endian(bytes.data() + 8, prefix.offset.bytes());
  put_big_endian(bytes.data() + 16, prefix.epoch);
  return bytes;
}

TransferRestBytes encode_transfer_rest(const TransferRest& rest) {
  TransferRestBytes bytes{};
  put_big_endian(bytes.data(), rest.epoch_start.bytes());
  put_big_endian(bytes.data() + 8, rest.confirm.bytes());
  return bytes;
}

EntryBytes encode_entry(const core::EpochEntry& entry) {
  EntryBytes bytes{};
  put_big_endian(bytes.data(), static_cast<std::int32_t>(entry.epoch));
  put_big_endian(bytes.data() + 4, entry.start.bytes());
  return bytes;
}

MasterReader::Found MasterReader::take(std::span<const std::byte>& bytes) {
  switch (next_) {
    case Next::kPrefix:
      if (!prefix_bytes_.take(bytes)) return Found::kNothing;
      prefix_ = decode_prefix(prefix_bytes_.bytes());
      return on_prefix();
    case Next::kEntry:
      if (!entry_bytes_.take(bytes)) return Found::kNothing;
      handshake_.entries.push_back(decode_entry(entry_bytes_.bytes()));
      if (handshake_.entries.size() < entries_) return Found::kNothing;
      next_ = Next::kPrefix;
      return Found::kHandshake;
    case Next::kTransferRest:
      break;
  }
  if (!rest_bytes_.take(bytes)) return Found::kNothing;
  const TransferRest rest = decode_transfer_rest(rest_bytes_.bytes());
  label_ = {prefix_.epoch, rest.epoch_start, rest.confirm};
  next_ = Next::kPrefix;
  return Found::kTransfer;
}

MasterReader::Found MasterReader::on_prefix() {
  if (prefix_.state != (greeted_ ? kStateTransfer : kStateHandshake)) return Found::kBadState;
  if (greeted_) {
    next_ = Next::kTransferRest;
    return Found::kNothing;
  }
  constexpr auto kEntry = static_cast<std::int32_t>(kEntryBytes);
  constexpr auto kMost = static_cast<std::int32_t>(core::kMaxEpochs * kEntryBytes);
  if (prefix_.size < 0 || prefix_.size > kMost || prefix_.size % kEntry != 0) {
    return Found::kBadSize;
  }
  greeted_ = true;
  handshake_ = {{}, prefix_.epoch, prefix_.offset};
  entries_ = static_cast<std::size_t>(prefix_.size / kEntry);
  if (entries_ == 0) return Found::kHandshake;
  handshake_.entries.reserve(entries_);
  next_ = Next::kEntry;
  return Found::kNothing;
}

}  // namespace ha::wire::autoswitch
