#include "shared.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>

namespace nccl {

namespace {

constexpr char MAGIC[] = "emulator-nccl-";

std::string path_of(const UniqueId& id) { return std::string("/dev/shm/") + std::string(id.text, strnlen(id.text, sizeof id.text)); }

}  // namespace

UniqueId new_id() {
  uint64_t random[2];
  if (getrandom(random, sizeof random, 0) != sizeof random) random[0] = (uint64_t)getpid();
  UniqueId id{};
  snprintf(id.text, sizeof id.text, "%s%016llx%016llx", MAGIC, (unsigned long long)random[0], (unsigned long long)random[1]);
  return id;
}

Shared* open_shared(const UniqueId& id) {
  if (strncmp(id.text, MAGIC, strlen(MAGIC)) != 0) return nullptr;
  const int file = open(path_of(id).c_str(), O_RDWR | O_CREAT, 0600);
  if (file < 0) return nullptr;
  const bool sized = ftruncate(file, sizeof(Shared)) == 0;
  void* memory = sized ? mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0) : MAP_FAILED;
  close(file);
  return memory == MAP_FAILED ? nullptr : static_cast<Shared*>(memory);
}

void forget_name(const UniqueId& id) { unlink(path_of(id).c_str()); }

void close_shared(Shared* shared) { munmap(shared, sizeof(Shared)); }

bool is_alive(int process) { return process == 0 || kill(process, 0) == 0 || errno != ESRCH; }

}  // namespace nccl
