#include "launch.h"

#include <atomic>
#include <limits>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "worker.h"

namespace emulator {

namespace {

// Blocks go to whoever is free. After a fault, those before it still run, so that the first fault is always the same.
class Blocks {
 public:
  explicit Blocks(u64 count) : count_(count) {}

  bool next(u64& block) {
    block = next_++;
    return block < count_ && block < first_fault_;
  }

  void failed(u64 block, Fault fault) {
    std::lock_guard<std::mutex> lock(mutex_);
    if (block >= first_fault_) return;
    first_fault_ = block;
    fault_ = std::move(fault);
  }

  const Fault& fault() const { return fault_; }

 private:
  const u64 count_;
  std::atomic<u64> next_{0}, first_fault_{std::numeric_limits<u64>::max()};
  std::mutex mutex_;
  Fault fault_;
};

void work(Worker& worker, const Launch& launch, Blocks& blocks) {
  for (u64 block; blocks.next(block);)
    if (Fault fault = worker.run(launch, block); fault.kind != FaultKind::none) blocks.failed(block, std::move(fault));
}

Worker& worker_at(size_t index) {
  static std::vector<std::unique_ptr<Worker>> workers;
  while (workers.size() <= index) workers.push_back(std::make_unique<Worker>());
  return *workers[index];
}

// So few threads are done sooner than another host thread starts.
constexpr u64 FEW_THREADS = 4096;

u32 helpers_for(const Launch& launch, u64 count) {
  const u64 threads = count * launch.block[0] * launch.block[1] * launch.block[2];
  // Blocks that share memory would do so in another order every time.
  if (launch.kernel->shares || threads <= FEW_THREADS) return 0;
  return (u32)std::min<u64>(launch.threads, count) - 1;
}

}  // namespace

Fault run(const Launch& launch) {
  const u64 count = (u64)launch.grid[0] * launch.grid[1] * launch.grid[2];
  Blocks blocks(count);
  std::vector<std::thread> helpers;
  const u32 wanted = helpers_for(launch, count);
  for (u32 index = 0; index < wanted; index++) {
    Worker& worker = worker_at(index + 1);
    helpers.emplace_back([&] { work(worker, launch, blocks); });
  }
  work(worker_at(0), launch, blocks);
  for (std::thread& helper : helpers) helper.join();
  return blocks.fault();
}

}  // namespace emulator
