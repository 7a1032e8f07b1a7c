// SPDX-License-Identifier: Apache-2.0
// What the rules of replication cost by themselves, without sockets and threads: Google Benchmark
// over the wait queue, the ack tracker and the codecs. The argument is how many waits are pending,
// or how many replicas there are.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <array>
#include <numeric>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "ha_plugin/core/ack_tracker.h"
#include "ha_plugin/core/wait_queue.h"
#include "ha_plugin/wire/rocketmq.h"
#include "ha_plugin/wire/rocketmq_autoswitch.h"

namespace ha {
namespace {

using core::Offset;

core::Wait wait_for(std::int64_t end) {
  return {Offset(end), 2, core::Time(end), core::Time(end + 1'000'000'000), nullptr, nullptr};
}

// One more wait, and the oldest is over: a producer's life while so many others wait.
void wait_queue(benchmark::State& state) {
  core::WaitQueue queue;
  std::vector<core::EndedWait> ended;
  std::int64_t end = 0;
  for (std::int64_t i = 0; i < state.range(0); ++i) queue.add(wait_for(++end));
  for (auto _ : state) {
    queue.add(wait_for(++end));
    queue.complete(2, Offset(end - state.range(0)), ended);
    benchmark::DoNotOptimize(ended.data());
    ended.clear();
  }
}
BENCHMARK(wait_queue)->Arg(1)->Arg(64)->Arg(4096)->Arg(65536);

// A group at once: all that wait end with one ack. Time per group.
void wait_queue_group(benchmark::State& state) {
  core::WaitQueue queue;
  std::vector<core::EndedWait> ended;
  std::int64_t end = 0;
  for (auto _ : state) {
    for (std::int64_t i = 0; i < state.range(0); ++i) queue.add(wait_for(++end));
    queue.complete(2, Offset(end), ended);
    benchmark::DoNotOptimize(ended.data());
    ended.clear();
  }
}
BENCHMARK(wait_queue_group)->Arg(64)->Arg(4096);

// The same, but the waits come in no order, as from producers that append and then ask in turn.
void wait_queue_shuffled(benchmark::State& state) {
  core::WaitQueue queue;
  std::vector<core::EndedWait> ended;
  std::vector<std::int64_t> order(static_cast<std::size_t>(state.range(0)));
  std::iota(order.begin(), order.end(), 1);
  std::shuffle(order.begin(), order.end(), std::mt19937_64(1));  // the same one in every run
  std::int64_t start = 0;
  for (auto _ : state) {
    for (const std::int64_t place : order) queue.add(wait_for(start + place));
    start += state.range(0);
    queue.complete(2, Offset(start), ended);
    benchmark::DoNotOptimize(ended.data());
    ended.clear();
  }
}
BENCHMARK(wait_queue_shuffled)->Arg(64)->Arg(4096);

// Replicas that acknowledge in turn, each a little further than the one before.
void ack_tracker(benchmark::State& state) {
  core::AckTracker tracker;
  const auto replicas = static_cast<std::uint64_t>(state.range(0));
  for (std::uint64_t i = 0; i < replicas; ++i) tracker.join(i, std::to_string(i), Offset(0));
  std::int64_t end = 0;
  std::uint64_t turn = 0;
  for (auto _ : state) {
    tracker.ack(turn++ % replicas, Offset(++end));
    benchmark::DoNotOptimize(tracker.held_by(2));
  }
}
BENCHMARK(ack_tracker)->Arg(1)->Arg(8)->Arg(64);

void frame_header(benchmark::State& state) {
  std::int64_t offset = 0;
  for (auto _ : state) {
    wire::Header bytes = wire::encode_header({Offset(++offset), 1024});
    benchmark::DoNotOptimize(bytes);
    benchmark::DoNotOptimize(wire::decode_header(bytes));
  }
}
BENCHMARK(frame_header);

void report(benchmark::State& state) {
  std::int64_t end = 0;
  for (auto _ : state) {
    wire::Report bytes = wire::encode_report(Offset(++end));
    benchmark::DoNotOptimize(bytes);
    benchmark::DoNotOptimize(wire::decode_report(bytes));
  }
}
BENCHMARK(report);

// Controller mode: the header of a transfer written, and found again in the stream.
void autoswitch_header(benchmark::State& state) {
  namespace wire = wire::autoswitch;
  wire::MasterReader reader;
  const auto greeting = wire::encode_prefix({wire::kStateHandshake, 0, Offset(0), 1});
  std::span<const std::byte> stream(greeting);
  if (reader.take(stream) != wire::MasterReader::Found::kHandshake)
    state.SkipWithError("the handshake was not found");
  std::array<std::byte, wire::kPrefixBytes + wire::kTransferRestBytes> bytes;
  std::int64_t offset = 0;
  for (auto _ : state) {
    const auto prefix = wire::encode_prefix({wire::kStateTransfer, 1024, Offset(++offset), 1});
    const auto rest = wire::encode_transfer_rest({Offset(0), Offset(offset)});
    std::copy(rest.begin(), rest.end(), std::copy(prefix.begin(), prefix.end(), bytes.begin()));
    benchmark::DoNotOptimize(bytes);
    for (stream = bytes; !stream.empty();) benchmark::DoNotOptimize(reader.take(stream));
  }
}
BENCHMARK(autoswitch_header);

}  // namespace
}  // namespace ha

BENCHMARK_MAIN();
