// What the processes of a communicator share: a file that all of them map.
#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace nccl {

constexpr int MOST_RANKS = 16;
constexpr size_t CHUNK_BYTES = 256 << 10;

// What `ncclGetUniqueId` gives, and what travels between the ranks.
struct UniqueId {
  char text[128];
};

enum class Kind : int { sum, broadcast };

// What a rank says of the call that its chunk belongs to: it must be the same on all.
struct Call {
  Kind kind;
  int type, root;
  uint64_t count;
  bool operator==(const Call&) const = default;
};

// Of one rank. Chunks are counted over all calls: number k may be written when all have read number k - 1.
struct Slot {
  std::atomic<int> process;
  std::atomic<uint64_t> written, read;
  Call call;
  char data[CHUNK_BYTES];
};

struct Shared {
  std::atomic<int> ranks, arrived, aborted;
  Slot slots[MOST_RANKS];
};

// A new name of a file, which is not there yet.
UniqueId new_id();

// Maps the file of an id. Null where the id is none, or the file cannot be mapped.
Shared* open_shared(const UniqueId& id);

// Once all have it, nobody else needs the name.
void forget_name(const UniqueId& id);

void close_shared(Shared* shared);

// Whether a process is there.
bool is_alive(int process);

}  // namespace nccl
