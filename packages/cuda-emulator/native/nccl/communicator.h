// A communicator, and the calls that wait for the other ranks.
#pragma once
#include <memory>
#include <string>

#include "shared.h"
#include "values.h"

namespace nccl {

struct Communicator {
  Shared* shared = nullptr;
  int rank = 0, ranks = 0;
  // Chunks of all calls so far.
  uint64_t chunks = 0;
  // What went wrong between the ranks: calls then wait until the communicator is aborted.
  int failure = ncclSuccess;
  bool aborted = false;
  std::string last_error;
  ~Communicator() {
    if (shared != nullptr) close_shared(shared);
  }
};

// A call that was enqueued.
struct Operation {
  std::shared_ptr<Communicator> communicator;
  Call call;
  const char* send;
  char* receive;
  uint64_t done = 0;
  bool written = false;
};

size_t bytes_of(int type);

// Goes on with a call, as far as the other ranks have come. Answers a CUresult, CUDA_ERROR_NOT_READY where it waits.
int advance(Operation& operation);

}  // namespace nccl
