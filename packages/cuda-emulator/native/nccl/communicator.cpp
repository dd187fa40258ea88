#include "communicator.h"

#include <algorithm>
#include <cstdio>
#include <cstring>

// Of the stand-in for the driver.
extern "C" int fakecuda_allocated(uint64_t address, size_t bytes);
extern "C" void fakecuda_explain(const char* fault);

namespace nccl {

namespace {

constexpr int DONE = 0, NOT_READY = 600, ILLEGAL_ADDRESS = 700;

void fail(Communicator& communicator, int code, const std::string& text) {
  communicator.failure = code;
  communicator.last_error = text;
  fakecuda_explain(text.c_str());
}

// Whether all ranks have come to a chunk; notes one that never will.
bool all_at(Communicator& communicator, std::atomic<uint64_t> Slot::* counter, uint64_t chunk) {
  bool all = true;
  for (int rank = 0; rank < communicator.ranks; rank++) {
    const Slot& slot = communicator.shared->slots[rank];
    if ((slot.*counter).load() >= chunk) continue;
    all = false;
    if (communicator.shared->aborted) fail(communicator, ncclRemoteError, "another rank aborted");
    else if (!is_alive(slot.process)) fail(communicator, ncclRemoteError, "rank " + std::to_string(rank) + " is gone");
  }
  return all;
}

std::string text_of(const Call& call) {
  const char* name = call.kind == Kind::sum ? "ncclAllReduce" : "ncclBroadcast";
  return std::string(name) + " of " + std::to_string(call.count) + " elements of type " + std::to_string(call.type);
}

bool same_calls(Communicator& communicator, const Call& own) {
  for (int rank = 0; rank < communicator.ranks; rank++) {
    const Call& other = communicator.shared->slots[rank].call;
    if (other == own) continue;
    fail(communicator, ncclInvalidUsage,
         "rank " + std::to_string(communicator.rank) + " calls " + text_of(own) + ", rank " + std::to_string(rank) + " " + text_of(other));
    return false;
  }
  return true;
}

// In the order of the ranks, so that all of them get the same bits.
template <class T>
void add(const Communicator& communicator, char* to, size_t elements) {
  T* sums = reinterpret_cast<T*>(to);
  std::memcpy(sums, communicator.shared->slots[0].data, elements * sizeof(T));
  for (int rank = 1; rank < communicator.ranks; rank++) {
    const T* values = reinterpret_cast<const T*>(communicator.shared->slots[rank].data);
    for (size_t i = 0; i < elements; i++) sums[i] += values[i];
  }
}

void combine(const Operation& operation, char* to, size_t elements) {
  const auto& [kind, type, root, count] = operation.call;
  const Communicator& communicator = *operation.communicator;
  if (kind == Kind::broadcast) std::memcpy(to, communicator.shared->slots[root].data, elements * bytes_of(type));
  else if (type == ncclFloat32) add<float>(communicator, to, elements);
  else if (type == ncclFloat64) add<double>(communicator, to, elements);
  else add<int32_t>(communicator, to, elements);
}

bool are_allocated(const Operation& operation) {
  const size_t bytes = operation.call.count * bytes_of(operation.call.type);
  if (fakecuda_allocated((uint64_t)operation.send, bytes) && fakecuda_allocated((uint64_t)operation.receive, bytes)) return true;
  const std::string text = "memcheck: a buffer is outside of every allocation [" + text_of(operation.call) + "]";
  fakecuda_explain(text.c_str());
  return false;
}

}  // namespace

size_t bytes_of(int type) { return type == ncclFloat64 ? 8 : 4; }

int advance(Operation& operation) {
  Communicator& communicator = *operation.communicator;
  const Call& call = operation.call;
  const size_t width = bytes_of(call.type);
  while (operation.done < call.count) {
    if (communicator.aborted) return DONE;
    if (communicator.failure != ncclSuccess) return NOT_READY;
    if (operation.done == 0 && !are_allocated(operation)) return ILLEGAL_ADDRESS;
    Slot& own = communicator.shared->slots[communicator.rank];
    const size_t elements = std::min<uint64_t>(CHUNK_BYTES / width, call.count - operation.done);
    const size_t offset = operation.done * width;
    if (!operation.written) {
      if (!all_at(communicator, &Slot::read, communicator.chunks)) return NOT_READY;
      own.call = call;
      std::memcpy(own.data, operation.send + offset, elements * width);
      own.written = communicator.chunks + 1;
      operation.written = true;
    }
    if (!all_at(communicator, &Slot::written, communicator.chunks + 1)) return NOT_READY;
    if (!same_calls(communicator, call)) return NOT_READY;
    if (communicator.shared->aborted) {
      fail(communicator, ncclRemoteError, "another rank aborted");
      return NOT_READY;
    }
    combine(operation, operation.receive + offset, elements);
    own.read = ++communicator.chunks;
    operation.written = false;
    operation.done += elements;
  }
  return DONE;
}

}  // namespace nccl
