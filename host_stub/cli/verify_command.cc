// SPDX-License-Identifier: Apache-2.0
// `ha_stub verify`: walks a store's log.

#include <fmt/format.h>

#include "cli/commands.h"
#include "store/verify.h"

namespace stub::cli {
namespace {

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

}  // namespace

void add_verify(CLI::App& app, int& exit_code) {
  auto store = std::make_shared<std::string>();
  auto* command = app.add_subcommand("verify", "Check every record of a store's log");
  command->add_option("--store", *store)->type_name("DIR")->required();
  command->callback([store, &exit_code] { exit_code = run_verify(*store); });
}

}  // namespace stub::cli
