// SPDX-License-Identifier: Apache-2.0
// `ha_demo [FILE]`: shows replication and failover on this machine and proves that nothing was
// lost.

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <filesystem>

#include "cli/progress.h"
#include "demo/demo.h"
#include "ha/plugin.h"

namespace {

using stub::cli::duration_text;
using stub::cli::grouped;

// The default file is short. This many take seconds, and well under a minute on a machine that is
// busy with other things.
constexpr std::int64_t kDefaultLines = 200'000;
constexpr int kExitFailed = 1;
constexpr int kExitInterrupted = 130;  // as a shell has it for SIGINT

void print_json(const stub::demo::DemoReport& report) {
  const auto& v = report.verdict;
  // By hand: Boost.JSON writes 0.412 as 4.12E-1.
  fmt::print(
      "{{\"ok\":{},\"lines\":{},\"acknowledged\":{},\"found\":{},\"lost\":{},\"duplicated\":{},"
      "\"differ\":{},\"missing\":{},\"strangers\":{},\"survived\":{},\"sent_again\":{},"
      "\"killed_at\":{},\"cut_bytes\":{},\"below_policy\":{},\"below_policy_found\":{},"
      "\"taken_over_us\":{},"
      "\"seconds\":{:.3f},\"p50_us\":{},\"p99_us\":{}}}\n",
      report.good(), v.lines, v.acknowledged, v.found, v.lost, v.duplicated, v.differ, v.missing,
      v.strangers, v.survived, v.sent_again, report.killed_at, report.cut_bytes,
      report.below_policy, report.below_policy_found, report.taken_over_us, report.seconds,
      report.p50_us, report.p99_us);
}

void print_words(const stub::demo::DemoReport& report) {
  const auto& v = report.verdict;
  fmt::print(
      "\n"
      "acknowledged  {:>11}   lines that the producer was told are safe\n"
      "survived      {:>11}   more, whose acknowledgement died with the master\n"
      "found         {:>11}   of {} lines, read back from the slave that was the master\n"
      "lost          {:>11}   acknowledged, and not there\n"
      "duplicated    {:>11}   there more than once ({} lines were sent twice)\n"
      "different     {:>11}   there with another content\n",
      grouped(v.acknowledged), grouped(v.survived), grouped(v.found), grouped(v.lines),
      grouped(v.lost), grouped(v.duplicated), grouped(v.sent_again), grouped(v.differ));
  if (v.missing > 0) fmt::print("missing       {:>11}   never acknowledged\n", grouped(v.missing));
  if (v.strangers > 0) fmt::print("strangers     {:>11}   never sent\n", grouped(v.strangers));
  fmt::print("cut           {:>11}   bytes off a returned master's log: never acknowledged\n",
             grouped(report.cut_bytes));
  fmt::print(
      "below policy  {:>11}   lines acknowledged while no slave was there; {} of them found\n",
      grouped(report.below_policy), grouped(report.below_policy_found));
  const bool by_itself = report.taken_over_us >= 0;
  if (by_itself) {
    fmt::print("taken over    {:>11}   after another SIGKILL, with etcd: nobody promoted\n",
               duration_text(report.taken_over_us));
  }
  fmt::print("ack time      p50 {}, p99 {}; all of it took {:.1f} s\n\n{}\n",
             duration_text(report.p50_us), duration_text(report.p99_us), report.seconds,
             report.good() ? fmt::format("{} masters were killed, and nothing that was "
                                         "acknowledged was lost.",
                                         by_itself ? "Three" : "Two")
                           : "FAILED: what was read back is not what was acknowledged.");
}

}  // namespace

int main(int argc, char** argv) {
  stub::demo::DemoOptions options;
  CLI::App app{"One master, two slaves, a file's lines, and the master killed in the middle",
               "ha_demo"};
  auto* file = app.add_option("file", options.file, "what to send, a message a line")
                   ->type_name("FILE")
                   ->capture_default_str();
  auto* lines =
      app.add_option("--min-lines", options.min_lines,
                     "repeat FILE to at least this many lines; default: FILE once, the default "
                     "file 200000")
          ->check(CLI::Range(std::int64_t{1}, std::int64_t{100'000'000}))
          ->type_name("N");
  app.add_option("--ha-stub", options.ha_stub, "the broker; default: ha_stub beside this program")
      ->type_name("PATH");
  app.add_flag("--json", options.json, "only the verdict, as JSON");
  app.add_flag("--keep", options.keep, "leave the stores and logs");
  CLI11_PARSE(app, argc, argv);
  if (lines->count() == 0) options.min_lines = file->count() == 0 ? kDefaultLines : 1;
  if (options.ha_stub.empty()) {
    std::error_code error;
    options.ha_stub =
        std::filesystem::read_symlink("/proc/self/exe", error).parent_path() / "ha_stub";
  }

  const stub::demo::Interrupt interrupt;
  const auto result = stub::demo::run_demo(options, interrupt);
  if (const auto* error = std::get_if<stub::Error>(&result)) {
    fmt::print(stderr, "ha_demo: {}\n", error->text);
    return error->status == HA_SHUTDOWN ? kExitInterrupted : kExitFailed;
  }
  const auto& report = std::get<stub::demo::DemoReport>(result);
  options.json ? print_json(report) : print_words(report);
  return report.good() ? 0 : kExitFailed;
}
