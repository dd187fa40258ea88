// Stand-in for libnccl: sums and broadcasts between processes of this machine, in the order of the stream.
#include <unistd.h>

#include <ctime>
#include <map>
#include <utility>
#include <vector>

#include "communicator.h"

#define NCCL extern "C" __attribute__((visibility("default")))

// Of the stand-in for the driver.
extern "C" int fakecuda_enqueue(void* stream, int (*work)(void*), void* argument);
extern "C" int fakecuda_enter(const char* name);
extern "C" int fakecuda_injected(const char* name);
extern "C" long fakecuda_nccl_version();

// Counts a call, and refuses it where a test says so.
#define ENTER \
  if (int refused = fakecuda_enter(__func__)) return refuse(refused, std::string("a test asked ") + __func__ + " to fail")

namespace nccl {

namespace {

constexpr double PATIENCE_S = 20;

std::string last_error;
std::map<Communicator*, std::shared_ptr<Communicator>> live;

struct Enqueued {
  std::unique_ptr<Operation> operation;
  void* stream;
};

struct Group {
  int depth = 0;
  int refused = ncclSuccess;
  std::vector<Enqueued> calls;
};
Group group;

int refuse(int code, const std::string& text) {
  last_error = text;
  if (group.depth > 0 && group.refused == ncclSuccess) group.refused = code;
  return code;
}

double seconds() {
  timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

int execute(void* argument) {
  auto* operation = static_cast<Operation*>(argument);
  const int answer = advance(*operation);
  if (answer != 600) delete operation;
  return answer;
}

int enqueue(Enqueued call) {
  if (fakecuda_enqueue(call.stream, execute, call.operation.get()) != 0)
    return refuse(ncclUnhandledCudaError, "the stream is not one of the current context");
  call.operation.release();
  return ncclSuccess;
}

int add_call(Communicator* communicator, const Call& call, const void* send, void* receive, void* stream) {
  const auto found = live.find(communicator);
  if (found == live.end()) return refuse(ncclInvalidArgument, "the communicator was destroyed, or is none");
  if (call.type != ncclInt32 && call.type != ncclFloat32 && call.type != ncclFloat64)
    return refuse(ncclInvalidArgument, "the emulator's NCCL has no data type " + std::to_string(call.type));
  if (call.root < 0 || call.root >= communicator->ranks) return refuse(ncclInvalidArgument, "there is no rank " + std::to_string(call.root));
  auto operation = std::make_unique<Operation>(Operation{ found->second, call, (const char*)send, (char*)receive });
  if (group.depth == 0) return enqueue({ std::move(operation), stream });
  group.calls.push_back({ std::move(operation), stream });
  return ncclSuccess;
}

// Waits until all ranks are here.
int meet(const Communicator& communicator) {
  const double end = seconds() + PATIENCE_S;
  while (communicator.shared->arrived < communicator.ranks) {
    if (seconds() > end)
      return refuse(ncclSystemError, "only " + std::to_string(communicator.shared->arrived) + " of " +
                                         std::to_string(communicator.ranks) + " ranks came");
    usleep(200);
  }
  return ncclSuccess;
}

int end_of(Communicator* communicator, bool abort) {
  const auto found = live.find(communicator);
  if (found == live.end()) return refuse(ncclInvalidArgument, "the communicator was destroyed, or is none");
  if (abort) {
    communicator->aborted = true;
    communicator->shared->aborted = 1;
  }
  live.erase(found);
  return ncclSuccess;
}

}  // namespace

NCCL int ncclGetVersion(int* version) {
  *version = (int)fakecuda_nccl_version();
  return ncclSuccess;
}

NCCL int ncclGetUniqueId(UniqueId* id) {
  ENTER;
  *id = new_id();
  return ncclSuccess;
}

NCCL int ncclCommInitRank(Communicator** communicator, int ranks, UniqueId id, int rank) {
  ENTER;
  if (ranks < 1 || ranks > MOST_RANKS || rank < 0 || rank >= ranks)
    return refuse(ncclInvalidArgument, "rank " + std::to_string(rank) + " of " + std::to_string(ranks) + " is none");
  auto made = std::make_shared<Communicator>();
  made->shared = open_shared(id);
  if (made->shared == nullptr) return refuse(ncclInvalidArgument, "the unique id is none of the emulator's");
  made->rank = rank;
  made->ranks = ranks;
  int before = 0;
  if (!made->shared->ranks.compare_exchange_strong(before, ranks) && before != ranks)
    return refuse(ncclInvalidArgument, "another rank said that there are " + std::to_string(before) + " ranks, not " + std::to_string(ranks));
  int nobody = 0;
  if (!made->shared->slots[rank].process.compare_exchange_strong(nobody, getpid()))
    return refuse(ncclInvalidUsage, "there is a rank " + std::to_string(rank) + " already");
  made->shared->arrived++;
  if (int refused = meet(*made)) return refused;
  forget_name(id);
  live[made.get()] = made;
  *communicator = made.get();
  return ncclSuccess;
}

NCCL int ncclCommDestroy(Communicator* communicator) {
  ENTER;
  return end_of(communicator, false);
}

NCCL int ncclCommAbort(Communicator* communicator) {
  ENTER;
  return end_of(communicator, true);
}

NCCL int ncclCommGetAsyncError(Communicator* communicator, int* error) {
  ENTER;
  if (live.count(communicator) == 0) return refuse(ncclInvalidArgument, "the communicator was destroyed, or is none");
  *error = communicator->failure;
  if (int asked = fakecuda_injected("ncclAsyncError")) *error = communicator->failure = asked;
  return ncclSuccess;
}

NCCL const char* ncclGetErrorString(int code) {
  switch (code) {
    case ncclSuccess: return "no error";
    case ncclUnhandledCudaError: return "unhandled cuda error (run with NCCL_DEBUG=INFO for details)";
    case ncclSystemError: return "unhandled system error (run with NCCL_DEBUG=INFO for details)";
    case ncclInternalError: return "internal error - please report this issue to the NCCL developers";
    case ncclInvalidArgument: return "invalid argument (run with NCCL_DEBUG=WARN for details)";
    case ncclInvalidUsage: return "invalid usage (run with NCCL_DEBUG=WARN for details)";
    case ncclRemoteError: return "remote process exited or there was a network error";
    case ncclInProgress: return "NCCL operation in progress";
    default: return "unknown result code";
  }
}

NCCL const char* ncclGetLastError(Communicator* communicator) {
  const auto found = live.find(communicator);
  return found == live.end() || communicator->last_error.empty() ? last_error.c_str() : communicator->last_error.c_str();
}

NCCL int ncclGroupStart() {
  ENTER;
  group.depth++;
  return ncclSuccess;
}

NCCL int ncclGroupEnd() {
  if (group.depth == 0) return refuse(ncclInvalidUsage, "no group was started");
  const bool outermost = --group.depth == 0;
  if (int refused = fakecuda_enter("ncclGroupEnd")) group.refused = refused;
  if (!outermost) return ncclSuccess;
  std::vector<Enqueued> calls;
  calls.swap(group.calls);
  int answer = std::exchange(group.refused, ncclSuccess);
  for (auto& call : calls) answer = answer == ncclSuccess ? enqueue(std::move(call)) : answer;
  return answer;
}

NCCL int ncclAllReduce(const void* send, void* receive, size_t count, int type, int reduction, Communicator* communicator, void* stream) {
  ENTER;
  if (reduction != ncclSum) return refuse(ncclInvalidArgument, "the emulator's NCCL only sums");
  return add_call(communicator, { Kind::sum, type, 0, count }, send, receive, stream);
}

NCCL int ncclBroadcast(const void* send, void* receive, size_t count, int type, int root, Communicator* communicator, void* stream) {
  ENTER;
  return add_call(communicator, { Kind::broadcast, type, root, count }, send, receive, stream);
}

}  // namespace nccl
