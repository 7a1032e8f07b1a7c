// What the rules of replication cost by themselves, without sockets and threads: Google Benchmark
// over the wait queue, the ack tracker and the codec. The argument is how many waits are pending,
// or how many replicas there are.
#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "ha_plugin/core/ack_tracker.h"
#include "ha_plugin/core/wait_queue.h"
#include "ha_plugin/wire/rocketmq.h"

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

}  // namespace
}  // namespace ha

BENCHMARK_MAIN();
