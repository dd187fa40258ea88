// Modules: PTX is translated to C++, compiled, and kept by its hash.
#include <dlfcn.h>
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>

#include "state.h"

extern char** environ;

namespace {

// Given by the build: see build.ts.
const std::string CACHE = EMULATOR_CACHE, NODE = EMULATOR_NODE, TRANSLATOR = EMULATOR_TRANSLATOR,
                  NATIVE = EMULATOR_NATIVE, KEY = EMULATOR_KEY;

uint64_t hash_of(const std::string& text) {
  uint64_t hash = 14695981039346656037ull;
  for (unsigned char byte : text) hash = (hash ^ byte) * 1099511628211ull;
  return hash;
}

std::string read_file(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

// Runs a program; what it says on standard error goes to a file.
bool succeeds(const std::vector<std::string>& command, const std::string& errors) {
  std::vector<char*> arguments;
  for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 2, errors.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
  pid_t child;
  const int failed = posix_spawnp(&child, arguments[0], &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (failed != 0) {
    std::ofstream(errors) << command[0] << ": " << strerror(failed) << "\n";
    return false;
  }
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

// The library of a PTX text, built unless it is there. Empty where that fails; then `error` says why.
std::string library_of(const std::string& ptx, std::string& error) {
  const bool check = state().settings.check != 0;
  char name[64];
  snprintf(name, sizeof name, "/%016llx-%s", (unsigned long long)hash_of(ptx + KEY), check ? "checked" : "plain");
  const std::string library = CACHE + name + ".so";
  if (access(library.c_str(), R_OK) == 0) return library;
  const std::string base = CACHE + name + "." + std::to_string(getpid());
  const std::string text = base + ".ptx", source = base + ".cpp", built = base + ".so", errors = base + ".err";
  std::ofstream(text) << ptx;
  std::vector<std::string> compile = { "g++", "-std=c++20", "-O1", "-mfma", "-mf16c", "-ffp-contract=off", "-fno-strict-aliasing",
                                       "-w", "-fPIC", "-shared", "-I" + NATIVE };
  if (check) compile.push_back("-DEMULATOR_CHECK");
  compile.insert(compile.end(), { source, "-o", built });
  const bool ok = succeeds({ NODE, TRANSLATOR, text, source }, errors) && succeeds(compile, errors) &&
                  rename(built.c_str(), library.c_str()) == 0;
  if (!ok) error = read_file(errors);
  for (const std::string& file : { text, source, built, errors }) unlink(file.c_str());
  return ok ? library : "";
}

// The newest PTX version that a driver reads, times 10.
int newest_ptx(int driver) {
  if (driver >= 13000) return 90 + (driver - 13000) / 10;
  return driver >= 12000 ? 80 + (driver - 12000) / 10 : 70 + (driver - 11000) / 10;
}

// Hands an explanation to the caller, who may have given a buffer for it.
void explain(const std::string& error, unsigned count, const CUjit_option* options, void** values) {
  state().last_fault = error;
  char* buffer = nullptr;
  size_t bytes = 0;
  for (unsigned index = 0; index < count; index++) {
    if (options[index] == CU_JIT_ERROR_LOG_BUFFER) buffer = (char*)values[index];
    if (options[index] == CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES) bytes = (unsigned)(uintptr_t)values[index];
  }
  if (buffer != nullptr && bytes > 0) snprintf(buffer, bytes, "%s", error.c_str());
}

// Whether this device and this driver would take the text.
CUresult accepts(const std::string& ptx) {
  const size_t version = ptx.find(".version "), target = ptx.find(".target sm_");
  if (version == std::string::npos || target == std::string::npos) return CUDA_ERROR_INVALID_PTX;
  int major = 0, minor = 0;
  if (sscanf(ptx.c_str() + version, ".version %d.%d", &major, &minor) != 2) return CUDA_ERROR_INVALID_PTX;
  if (major * 10 + minor > newest_ptx((int)state().settings.driverVersion)) return CUDA_ERROR_UNSUPPORTED_PTX_VERSION;
  if (atol(ptx.c_str() + target + 11) > state().settings.computeCapability) return CUDA_ERROR_NO_BINARY_FOR_GPU;
  return CUDA_SUCCESS;
}

CUresult open_library(CUmodule* module, const std::string& path) {
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    state().last_fault = dlerror();
    return CUDA_ERROR_INVALID_IMAGE;
  }
  const CUcontext context = current_context();
  auto* kernels = (const ptx::Kernel*)dlsym(library, "emulator_kernels");
  auto* tables = (const ptx::Global*)dlsym(library, "emulator_globals");
  const uint32_t kernel_count = *(const uint32_t*)dlsym(library, "emulator_kernel_count");
  const uint32_t table_count = *(const uint32_t*)dlsym(library, "emulator_global_count");
  *module = new CUmod_st{ library, context, {}, {} };
  for (uint32_t index = 0; index < kernel_count; index++)
    (*module)->functions.emplace(kernels[index].name, CUfunc_st{ &kernels[index], context });
  for (uint32_t index = 0; index < table_count; index++) {
    (*module)->tables.emplace(tables[index].name, tables[index]);
    context->tables[(CUdeviceptr)tables[index].address] = tables[index].bytes;
  }
  return CUDA_SUCCESS;
}

}  // namespace

DRIVER CUresult cuModuleLoadDataEx(CUmodule* module, const void* image, unsigned count, CUjit_option* options, void** values) {
  ENTER(true);
  if (memcmp(image, "\x7f" "ELF", 4) == 0) {
    explain("the emulator runs PTX, not machine code", count, options, values);
    return CUDA_ERROR_NO_BINARY_FOR_GPU;
  }
  const std::string ptx = (const char*)image;
  if (CUresult refused = accepts(ptx)) {
    explain("the text is for another driver or device", count, options, values);
    return refused;
  }
  std::string error;
  const std::string library = library_of(ptx, error);
  if (library.empty()) {
    explain(error, count, options, values);
    return CUDA_ERROR_INVALID_PTX;
  }
  return open_library(module, library);
}

DRIVER CUresult cuModuleLoadData(CUmodule* module, const void* image) {
  return cuModuleLoadDataEx(module, image, 0, nullptr, nullptr);
}

DRIVER CUresult cuModuleUnload(CUmodule module) {
  ENTER(true);
  if (CUresult failure = drain_all(current_context())) return failure;
  for (auto& [name, table] : module->tables) module->context->tables.erase((CUdeviceptr)table.address);
  dlclose(module->library);
  delete module;
  return CUDA_SUCCESS;
}

DRIVER CUresult cuModuleGetFunction(CUfunction* function, CUmodule module, const char* name) {
  ENTER(true);
  auto found = module->functions.find(name);
  if (found == module->functions.end()) return CUDA_ERROR_NOT_FOUND;
  *function = &found->second;
  return CUDA_SUCCESS;
}

DRIVER CUresult cuModuleGetGlobal(CUdeviceptr* address, size_t* bytes, CUmodule module, const char* name) {
  ENTER(true);
  auto found = module->tables.find(name);
  if (found == module->tables.end()) return CUDA_ERROR_NOT_FOUND;
  if (address != nullptr) *address = (CUdeviceptr)found->second.address;
  if (bytes != nullptr) *bytes = found->second.bytes;
  return CUDA_SUCCESS;
}
