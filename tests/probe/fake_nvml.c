/* A stand-in for the driver's libnvidia-ml.so.1, so that the real nvidia-ml-py runs without a GPU.
 *
 * It reads the file named by FAKE_NVML at every call, so a test changes GPUs under a running process.
 * Lines are `key=number`; for one GPU `key.index=number`; `key.error=code` makes the field fail.
 *   gpus, init.error, count.error, lost.2=1, hang=1 (every call waits until the line is gone)
 *   utilization (%), memory_used, memory_total (MiB; -1: not available), temperature (C), power (W),
 *   power_limit (W), throttle (bits), pid (one process a GPU), pid_memory (MiB; -1: not available)
 *   old=1: the functions of newer drivers are missing
 * Without FAKE_NVML it says that there is no driver.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef unsigned long long u64;
typedef struct { u64 total, free, used; } memory_v1;
typedef struct { unsigned version; u64 total, reserved, free, used; } memory_v2;
typedef struct { unsigned gpu, memory; } utilization;
typedef struct { unsigned pid; u64 used; unsigned instance, compute_instance; } process_info;

enum { OK = 0, UNINITIALIZED = 1, INVALID = 2, NOT_SUPPORTED = 3, TOO_SMALL = 7, NO_LIBRARY = 12, NO_FUNCTION = 13, LOST = 15 };

static int sessions = 0;

static int find(const char *key, long *value) {
  char line[128], *path = getenv("FAKE_NVML");
  size_t length = strlen(key);
  FILE *file = path ? fopen(path, "r") : NULL;
  int found = 0;
  if (!file) return 0;
  while (!found && fgets(line, sizeof line, file))
    if (!strncmp(line, key, length) && line[length] == '=') {
      *value = atol(line + length + 1);
      found = 1;
    }
  fclose(file);
  return found;
}

static long of(const char *field, int gpu, const char *suffix, long fallback) {
  char key[64];
  long value;
  snprintf(key, sizeof key, "%s.%d%s", field, gpu, suffix);
  if (find(key, &value)) return value;
  snprintf(key, sizeof key, "%s%s", field, suffix);
  return find(key, &value) ? value : fallback;
}

static int enter(const char *field, void *device) {
  int gpu = device ? (int)(long)device - 1 : -1;
  long value;
  while (find("hang", &value)) usleep(10000);
  if (sessions <= 0) return UNINITIALIZED;
  if (gpu >= 0 && of("lost", gpu, "", 0)) return LOST;
  return of(field, gpu, ".error", OK);
}

#define FIELD(name) \
  int error = enter(name, device), gpu = (int)(long)device - 1; \
  (void)gpu; \
  if (error) return error

int nvmlInitWithFlags(unsigned flags) {
  (void)flags;
  int error = getenv("FAKE_NVML") ? of("init", -1, ".error", OK) : NO_LIBRARY;
  if (!error) sessions++;
  return error;
}
int nvmlShutdown(void) { return sessions > 0 ? (sessions--, OK) : UNINITIALIZED; }
const char *nvmlErrorString(int code) { return code == 999 ? "Unknown Error" : "Fake Error"; }
int nvmlDeviceGetCount_v2(unsigned *count) {
  *count = of("gpus", -1, "", 1);
  return enter("count", NULL);
}
int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **handle) {
  *handle = (void *)(long)(index + 1);
  return enter("handle", *handle);
}
int nvmlDeviceGetIndex(void *device, unsigned *index) {
  FIELD("index");
  *index = gpu;
  return OK;
}
int nvmlSystemGetDriverVersion(char *text, unsigned size) {
  snprintf(text, size, "0.0");
  return OK;
}
int nvmlDeviceGetName(void *device, char *text, unsigned size) {
  FIELD("name");
  snprintf(text, size, "Fake GPU %d", gpu);
  return OK;
}
int nvmlDeviceGetUUID(void *device, char *text, unsigned size) {
  FIELD("uuid");
  snprintf(text, size, "GPU-fake-%d", gpu);
  return OK;
}
int nvmlDeviceGetUtilizationRates(void *device, utilization *use) {
  FIELD("utilization");
  use->gpu = of("utilization", gpu, "", 0);
  return OK;
}
int nvmlDeviceGetMemoryInfo(void *device, memory_v1 *memory) {
  FIELD("memory");
  long total = of("memory_total", gpu, "", 81920), used = of("memory_used", gpu, "", 0);
  memory->total = total < 0 ? (u64)-1 : (u64)total << 20;
  memory->used = used < 0 ? (u64)-1 : (u64)used << 20;
  return OK;
}
int nvmlDeviceGetMemoryInfo_v2(void *device, memory_v2 *memory) {
  memory_v1 plain = {0, 0, 0};
  if (of("old", -1, "", 0)) return NO_FUNCTION;
  int error = nvmlDeviceGetMemoryInfo(device, &plain);
  memory->total = plain.total;
  memory->used = plain.used;
  return error;
}
int nvmlDeviceGetTemperature(void *device, int sensor, unsigned *celsius) {
  (void)sensor;
  FIELD("temperature");
  *celsius = of("temperature", gpu, "", 40);
  return OK;
}
int nvmlDeviceGetPowerUsage(void *device, unsigned *milliwatts) {
  FIELD("power");
  *milliwatts = 1000 * of("power", gpu, "", 60);
  return OK;
}
int nvmlDeviceGetEnforcedPowerLimit(void *device, unsigned *milliwatts) {
  FIELD("power_limit");
  *milliwatts = 1000 * of("power_limit", gpu, "", 700);
  return OK;
}
int nvmlDeviceGetCurrentClocksThrottleReasons(void *device, u64 *bits) {
  FIELD("throttle");
  *bits = of("throttle", gpu, "", 1);
  return OK;
}
int nvmlDeviceGetCurrentClocksEventReasons(void *device, u64 *bits) {
  return of("old", -1, "", 0) ? NO_FUNCTION : nvmlDeviceGetCurrentClocksThrottleReasons(device, bits);
}
int nvmlDeviceGetComputeRunningProcesses_v3(void *device, unsigned *count, process_info *processes) {
  FIELD("processes");
  long pid = of("pid", gpu, "", 0), memory = of("pid_memory", gpu, "", 1024);
  if (pid && !processes) return TOO_SMALL;
  *count = pid != 0;
  if (pid) {
    processes->pid = pid;
    processes->used = memory < 0 ? (u64)-1 : (u64)memory << 20;
  }
  return OK;
}
int nvmlDeviceGetGraphicsRunningProcesses_v3(void *device, unsigned *count, process_info *processes) {
  (void)processes;
  FIELD("processes");
  *count = 0;
  return OK;
}
