// SPDX-License-Identifier: Apache-2.0
// `ha_stub verify`: walks a store's log.

#include <fmt/format.h>

#include "cli/commands.h"
#include "store/verify.h"

namespace stub::cli {

int run_verify(const std::string& store_dir) {
  const auto result = store::verify(store_dir);
  if (const auto* error = std::get_if<Error>(&result)) return complain(error->text);
  const auto& report = std::get<store::VerifyReport>(result);
  fmt::print(
      "store      {}\nsegments   {} of {} bytes\nlog        {} .. {}\nrecords    {}\n"
      "blanks     {}\nbytes      {}\n",
      store_dir, report.segments, report.segment_bytes, report.begin, report.end, report.records,
      report.blanks, report.bytes);
  if (report.tail_bytes > 0) {
    fmt::print("tail       {} bytes of a record that has not fully arrived\n", report.tail_bytes);
  }
  for (const auto& [topic, count] : report.topics) fmt::print("topic      {}: {}\n", topic, count);
  if (!report.fault) {
    fmt::print("verdict    every record is whole\n");
    return kExitOk;
  }
  fmt::print("fault      at offset {}: {}\nverdict    faulty; nothing beyond was looked at\n",
             report.fault->offset, report.fault->text);
  return kExitFailed;
}

}  // namespace stub::cli
