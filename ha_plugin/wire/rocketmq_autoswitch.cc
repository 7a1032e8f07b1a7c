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

}  // namespace ha::wire::autoswitch
