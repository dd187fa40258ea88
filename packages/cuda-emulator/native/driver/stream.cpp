// Streams and events.
#include <unistd.h>

#include "state.h"

CUstream stream_of(CUstream handle) {
  // Null and the two special handles are the default stream.
  return (uintptr_t)handle <= 2 ? current_context()->default_stream : handle;
}

bool is_stream(CUstream handle) {
  return (uintptr_t)handle <= 2 || current_context()->streams.count(handle) > 0;
}

namespace {

// Runs the first piece of work. False where it waits for another process.
bool advance(CUstream stream) {
  CUcontext context = stream->context;
  std::function<CUresult()> work = std::move(stream->work.front());
  stream->work.pop_front();
  stream->done++;
  // After a fault nothing runs any more.
  if (context->failure != CUDA_SUCCESS) return true;
  const CUresult code = work();
  if (code == CUDA_ERROR_NOT_READY) {
    stream->work.push_front(std::move(work));
    stream->done--;
    usleep(50);
    return false;
  }
  if (code != CUDA_SUCCESS) context->failure = code;
  return true;
}

}  // namespace

CUresult drain(CUstream stream, uint64_t until) {
  while (!stream->work.empty() && stream->done < until) advance(stream);
  return stream->context->failure;
}

CUresult drain_all(CUcontext context) {
  drain(context->default_stream);
  for (CUstream stream : context->streams) drain(stream);
  return context->failure;
}

CUresult push(CUstream stream, std::function<CUresult()> work) {
  // The default stream waits for the others, which cost nothing here to be exact about.
  if (stream == stream->context->default_stream)
    for (CUstream other : stream->context->streams) drain(other);
  stream->work.push_back(std::move(work));
  stream->pushed++;
  return state().settings.deferred != 0 ? CUDA_SUCCESS : drain(stream);
}

DRIVER CUresult cuStreamCreate(CUstream* stream, unsigned) {
  ENTER(true);
  *stream = new CUstream_st;
  (*stream)->context = current_context();
  current_context()->streams.insert(*stream);
  return CUDA_SUCCESS;
}

DRIVER CUresult cuStreamDestroy(CUstream stream) {
  ENTER(true);
  if (current_context()->streams.count(stream) == 0) return CUDA_ERROR_INVALID_HANDLE;
  drain(stream);
  current_context()->streams.erase(stream);
  delete stream;
  return CUDA_SUCCESS;
}

DRIVER CUresult cuStreamSynchronize(CUstream stream) {
  ENTER(true);
  if (!is_stream(stream)) return CUDA_ERROR_INVALID_HANDLE;
  return (uintptr_t)stream <= 2 ? drain_all(current_context()) : drain(stream);
}

namespace {

// A question gives the device a little time.
constexpr double TURN_MS = 4;

// Whether the stream has done `position` pieces of work.
CUresult ask(CUstream stream, uint64_t position) {
  const double end = now() + TURN_MS;
  while (stream->done < position && now() < end) {
    advance(stream);
    if (CUresult failure = stream->context->failure) return failure;
  }
  return stream->done < position ? CUDA_ERROR_NOT_READY : stream->context->failure;
}

}  // namespace

DRIVER CUresult cuStreamQuery(CUstream stream) {
  ENTER(true);
  if (!is_stream(stream)) return CUDA_ERROR_INVALID_HANDLE;
  return ask(stream_of(stream), stream_of(stream)->pushed);
}

DRIVER CUresult cuStreamWaitEvent(CUstream stream, CUevent event, unsigned) {
  ENTER(true);
  if (!is_stream(stream)) return CUDA_ERROR_INVALID_HANDLE;
  if (event->stream == nullptr) return CUDA_SUCCESS;
  const CUstream other = event->stream;
  const uint64_t position = event->position;
  return push(stream_of(stream), [=] { return drain(other, position); });
}

DRIVER CUresult cuEventCreate(CUevent* event, unsigned) {
  ENTER(true);
  *event = new CUevent_st;
  return CUDA_SUCCESS;
}

DRIVER CUresult cuEventDestroy(CUevent event) {
  ENTER(true);
  // Work that notes the event's time may still wait.
  if (event->stream != nullptr) drain(event->stream, event->position);
  delete event;
  return CUDA_SUCCESS;
}

DRIVER CUresult cuEventRecord(CUevent event, CUstream stream) {
  ENTER(true);
  if (!is_stream(stream)) return CUDA_ERROR_INVALID_HANDLE;
  event->stream = stream_of(stream);
  const CUresult code = push(event->stream, [event] {
    event->time = now();
    return CUDA_SUCCESS;
  });
  event->position = event->stream->pushed;
  return code;
}

DRIVER CUresult cuEventQuery(CUevent event) {
  ENTER(true);
  return event->stream == nullptr ? CUDA_SUCCESS : ask(event->stream, event->position);
}

DRIVER CUresult cuEventSynchronize(CUevent event) {
  ENTER(true);
  return event->stream == nullptr ? CUDA_SUCCESS : drain(event->stream, event->position);
}

DRIVER CUresult cuEventElapsedTime(float* milliseconds, CUevent start, CUevent end) {
  ENTER(true);
  for (CUevent event : { start, end }) {
    if (event->stream == nullptr) return CUDA_ERROR_INVALID_HANDLE;
    if (event->stream->done < event->position) return CUDA_ERROR_NOT_READY;
  }
  *milliseconds = (float)(end->time - start->time);
  return CUDA_SUCCESS;
}

// For the other libraries: work in the order of a stream. It is asked again while it answers CUDA_ERROR_NOT_READY.
DRIVER int fakecuda_enqueue(void* stream, int (*work)(void*), void* argument) {
  std::lock_guard<std::recursive_mutex> guard(lock_of_state());
  if (current_context() == nullptr || !is_stream((CUstream)stream)) return CUDA_ERROR_INVALID_HANDLE;
  return push(stream_of((CUstream)stream), [=] { return (CUresult)work(argument); });
}

// Whether the bytes at an address are allocated on the current device.
DRIVER int fakecuda_allocated(uint64_t address, size_t bytes) {
  std::lock_guard<std::recursive_mutex> guard(lock_of_state());
  return current_context() != nullptr && is_allocated(current_context(), address, bytes);
}

// Notes why a piece of work failed.
DRIVER void fakecuda_explain(const char* fault) {
  std::lock_guard<std::recursive_mutex> guard(lock_of_state());
  state().last_fault = fault;
}
