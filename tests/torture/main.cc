// SPDX-License-Identifier: Apache-2.0
// ha_torture: a set of three nodes, faults without end, and nothing acknowledged may be lost.

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <chrono>
#include <filesystem>
#include <iomanip>
#include <iostream>
#include <map>
#include <random>
#include <set>

#include "tests/torture/rounds.h"

namespace ha::torture {
namespace {

namespace fs = std::filesystem;

constexpr int kProducers = 4;
constexpr int kExitFailed = 1;
constexpr int kExitSkipped = 77;       // as ctest is told
constexpr int kExitInterrupted = 130;  // as a shell has it for SIGINT

struct Options {
  double minutes = 0;
  std::int64_t seconds = 40;
  std::uint64_t seed = 0;
  std::string folder;
  bool keep = false;
  bool help = false;
  bool coordinator = false;
};

Milliseconds percentile(std::vector<Milliseconds> all, double which) {
  if (all.empty()) return Milliseconds(0);
  std::sort(all.begin(), all.end());
  const auto at = static_cast<std::size_t>(which * static_cast<double>(all.size()));
  return all[std::min(at, all.size() - 1)];
}

std::string percentiles(const std::vector<Milliseconds>& all) {
  const auto text = [&](double which) { return std::to_string(percentile(all, which).count()); };
  return "p50 " + text(0.5) + " ms, p99 " + text(0.99) + " ms, max " + text(1) + " ms";
}

// Of each fault: the rounds that had it, and those that had no other.
void report_by_fault(std::ostream& out, const std::vector<Gap>& gaps) {
  std::map<std::string, std::array<std::vector<Milliseconds>, 2>> times;
  for (const Gap& gap : gaps) {
    for (const auto& fault : std::set(gap.faults.begin(), gap.faults.end())) {
      times[fault][0].push_back(gap.time);
      if (gap.faults.size() == 1) times[fault][1].push_back(gap.time);
    }
  }
  out << "\nwithout an acknowledgement, ms   rounds  median  longest   alone  median  longest\n";
  for (const auto& [fault, rounds] : times) {
    out << std::left << std::setw(31) << fault << std::right;
    for (const auto& all : rounds) {
      out << std::setw(8) << all.size();
      for (const double which : {0.5, 1.0}) {
        out << std::setw(which < 1 ? 8 : 9);
        all.empty() ? out << "-" : out << percentile(all, which).count();
      }
    }
    out << "\n";
  }
}

void report(const Options& options, const Rounds& rounds, const Ledger& ledger,
            const Producers& producers, const Readers& readers, const std::string& wrong) {
  const Ledger::Counts counts = ledger.counts();
  const Ledger::Verdict& verdict = rounds.check().verdict();
  std::vector<Milliseconds> gaps;
  for (const Gap& gap : rounds.gaps()) gaps.push_back(gap.time);
  auto& out = std::cout;
  out << "seed           " << options.seed << "\nrounds         " << rounds.done()
      << "\nfaults        ";
  for (const auto& [kind, times] : rounds.tally().faults) out << " " << kind << " " << times << ";";
  if (!options.coordinator) {
    out << "\npromotions     " << rounds.tally().accepted << " accepted, " << rounds.tally().refused
        << " refused; " << rounds.tally().helped << " times an operator had to help";
  }
  out << "\nepoch          " << rounds.check().epoch() << "\nrequests      ";
  for (const auto& [word, times] : producers.answers()) out << " " << word << " " << times << ";";
  out << "\nacknowledged   " << counts.acknowledged << "\nunknown        " << counts.unknown << " ("
      << verdict.survivors << " of them are there)\nrefused        " << counts.refused
      << "\nlost           " << verdict.lost << "\nduplicated     " << verdict.duplicated
      << "\nskipped        " << verdict.skipped
      << " (retention had taken them, and the reader was told)"
      << "\nrefused, there " << verdict.ghosts << "\nlogs identical "
      << (rounds.check().logs_identical() ? "yes" : "no") << "\nread           " << readers.read()
      << " (a node showed less than before " << readers.went_back() << " times; " << readers.skips()
      << " looks below what was held)"
      << "\nunavailability " << percentiles(gaps);
  if (!options.coordinator) out << "\ntakeover       " << percentiles(rounds.takeovers());
  out << "\nverdict        " << (wrong.empty() ? "good" : "FAILED: " + wrong) << "\n";
  report_by_fault(out, rounds.gaps());
  out << std::flush;
}

// "" or what is wrong.
std::string torture(const Options& options) {
  const auto end = system::Clock::now() +
                   std::chrono::milliseconds(static_cast<std::int64_t>(
                       options.minutes > 0 ? options.minutes * 60'000
                                           : static_cast<double>(options.seconds) * 1000));
  // Room for all that the producers send in that time, and more; memory is only taken by what is
  // written. Longer runs have no small disk.
  constexpr std::int64_t kBytesPerMinute = std::int64_t{40} << 20;
  constexpr std::int64_t kMostDisk = std::int64_t{2} << 30;
  const double minutes =
      options.minutes > 0 ? options.minutes : static_cast<double>(options.seconds) / 60;
  const auto disk = static_cast<std::int64_t>(minutes * kBytesPerMinute) + (64 << 20);
  World world({options.folder, options.seed, options.coordinator, disk <= kMostDisk ? disk : 0});
  Ledger ledger(kProducers);
  Producers producers(world.endpoints(), ledger, kProducers);
  Readers readers(world.endpoints(), world.names());
  Rounds rounds(world, producers, readers, ledger, options.help);
  std::string wrong;
  try {
    rounds.begin();
    while (system::Clock::now() < end) rounds.round();
    rounds.finish();
  } catch (const Failure& failure) {
    wrong = failure.what();
    world.say("FAILED: " + wrong);
    std::cerr << world.portrait();
  } catch (const Interrupted&) {
    wrong = "interrupted";
  }
  report(options, rounds, ledger, producers, readers, wrong);
  return wrong;
}

int run(Options options) {
  if (const std::string lack = options.coordinator ? why_no_etcd() : ""; !lack.empty()) {
    std::cerr << "ha_torture: " << lack << std::endl;
    return kExitSkipped;
  }
  if (options.seed == 0) options.seed = std::random_device{}() % 1'000'000 + 1;
  const bool own_folder = options.folder.empty();
  if (own_folder) {
    std::string name = (fs::temp_directory_path() / "ha_torture.XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) throw Failure("cannot make the folder " + name);
    options.folder = name;
  }
  fs::create_directories(options.folder);
  std::cerr << "seed " << options.seed << ", folder " << options.folder << std::endl;
  catch_signals();
  const std::string wrong = torture(options);
  const bool interrupted = wrong == "interrupted";
  if (own_folder && !options.keep && (wrong.empty() || interrupted)) {
    fs::remove_all(options.folder);
  } else {
    std::cerr << "kept for a look: " << options.folder << std::endl;
  }
  return wrong.empty() ? 0 : interrupted ? kExitInterrupted : kExitFailed;
}

}  // namespace
}  // namespace ha::torture

int main(int argc, char** argv) {
  ha::torture::Options options;
  CLI::App app{"Three nodes, faults without end; nothing acknowledged may be lost", "ha_torture"};
  auto* minutes = app.add_option("--minutes", options.minutes, "how long");
  app.add_option("--seconds", options.seconds, "how long; default 40")->excludes(minutes);
  app.add_option("--seed", options.seed, "chooses the faults; default: a new one each time");
  app.add_option("--dir", options.folder, "for stores and logs, kept; default: a temporary one");
  app.add_flag("--keep", options.keep, "keep the temporary folder when all went well too");
  auto* hand = app.add_flag(
      "--lend-a-hand", options.help,
      "demote and promote where nodes do not find together by themselves; default: a failure");
  app.add_flag("--coordinator", options.coordinator,
               "three etcd members beside the nodes, broken too; nobody promotes")
      ->excludes(hand);
  CLI11_PARSE(app, argc, argv);
  try {
    return ha::torture::run(options);
  } catch (const std::exception& wrong) {
    std::cerr << "ha_torture: " << wrong.what() << std::endl;
    return 1;
  }
}
