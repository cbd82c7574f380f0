/* A stand-in for the driver's libnvidia-ml.so.1, so that GPUs are read without one.
 *
 * It reads the file named by FAKE_NVML at every call, so a test changes GPUs under a running process.
 * Lines are `key=number`; for one GPU `key.index=number`; `key.error=code` makes the field fail.
 *   gpus, init.error, count.error, lost.2=1, generation (part of names and UUIDs)
 *   hang=1 (every call waits until the line is gone), hang.2=1 (every call for that GPU),
 *   slow.2=22000 (its use takes so many milliseconds), crash.2=1 (reading its use ends the process)
 *   utilization (%), memory_used, memory_total (MiB; -1: not available), temperature (C), power (W),
 *   power_limit (W), throttle (bits), pid (one process a GPU), pid_memory (MiB; -1: not available)
 *   ecc (uncorrected errors), rows_pending, rows_failed, xid.0=79 (an error that is told once)
 *   drawing_pid, drawing_memory (MiB): a process that draws
 *   mig (instances of a divided GPU), mig_used (of how many a process holds 1000 MiB)
 *   old=1: the functions of newer drivers answer that they are missing
 * Compiled with -DBEFORE_510 it lacks the symbols that drivers got with 510.39; with -DBEFORE_450 also
 * those of 450. Without FAKE_NVML it says that there is no driver.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef unsigned long long u64;
typedef struct { u64 total, free, used; } memory_v1;
typedef struct { unsigned version; u64 total, reserved, free, used; } memory_v2;
typedef struct { unsigned gpu, memory; } utilization;
#ifdef BEFORE_450
typedef struct { unsigned pid; u64 used; } process_info;
#define COMPUTING nvmlDeviceGetComputeRunningProcesses
#define DRAWING nvmlDeviceGetGraphicsRunningProcesses
#else
typedef struct { unsigned pid; u64 used; unsigned instance, compute_instance; } process_info;
#ifdef BEFORE_510
#define COMPUTING nvmlDeviceGetComputeRunningProcesses_v2
#define DRAWING nvmlDeviceGetGraphicsRunningProcesses_v2
#else
#define COMPUTING nvmlDeviceGetComputeRunningProcesses_v3
#define DRAWING nvmlDeviceGetGraphicsRunningProcesses_v3
#endif
#endif

enum { OK = 0, UNINITIALIZED = 1, INVALID = 2, NOT_SUPPORTED = 3, NOT_FOUND = 6, TOO_SMALL = 7, TIMEOUT = 10, NO_LIBRARY = 12, NO_FUNCTION = 13, LOST = 15 };

#define INSTANCE 0x1000 /* a handle is a GPU's number + 1, and its instance's number + 1 above */

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

static int gpu_of(void *device) { return device ? (int)((long)device % INSTANCE) - 1 : -1; }
static int instance_of(void *device) { return (int)((long)device / INSTANCE) - 1; }

static int enter(const char *field, void *device) {
  int gpu = gpu_of(device);
  long value;
  while (find("hang", &value)) usleep(10000);
  while (gpu >= 0 && of("hang", gpu, "", 0)) usleep(10000);
  if (sessions <= 0) return UNINITIALIZED;
  if (gpu >= 0 && of("lost", gpu, "", 0)) return LOST;
  return of(field, gpu, ".error", OK);
}

#define FIELD(name) \
  int error = enter(name, device), gpu = gpu_of(device); \
  (void)gpu; \
  if (error) return error

int nvmlInit_v2(void) {
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
  snprintf(text, size, "Fake GPU %ld", gpu + 100 * of("generation", -1, "", 0));
  return OK;
}
int nvmlDeviceGetUUID(void *device, char *text, unsigned size) {
  FIELD("uuid");
  if (instance_of(device) >= 0) snprintf(text, size, "MIG-fake-%d-%d", gpu, instance_of(device));
  else snprintf(text, size, "GPU-fake-%ld", gpu + 100 * of("generation", -1, "", 0));
  return OK;
}
int nvmlDeviceGetUtilizationRates(void *device, utilization *use) {
  FIELD("utilization");
  usleep(1000 * of("slow", gpu, "", 0));
  if (of("crash", gpu, "", 0)) *(volatile int *)0 = 1;
  use->gpu = of("utilization", gpu, "", 0);
  return OK;
}
int nvmlDeviceGetMemoryInfo(void *device, memory_v1 *memory) {
  if (instance_of(device) >= 0) {
    memory->total = (u64)9728 << 20;
    memory->used = instance_of(device) < of("mig_used", gpu_of(device), "", 0) ? (u64)1000 << 20 : 0;
    return OK;
  }
  FIELD("memory");
  long total = of("memory_total", gpu, "", 81920), used = of("memory_used", gpu, "", 0);
  memory->total = total < 0 ? (u64)-1 : (u64)total << 20;
  memory->used = used < 0 ? (u64)-1 : (u64)used << 20;
  return OK;
}
#ifndef BEFORE_510
int nvmlDeviceGetMemoryInfo_v2(void *device, memory_v2 *memory) {
  memory_v1 plain = {0, 0, 0};
  if (of("old", -1, "", 0)) return NO_FUNCTION;
  int error = nvmlDeviceGetMemoryInfo(device, &plain);
  memory->total = plain.total;
  memory->used = plain.used;
  return error;
}
#endif
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
#ifndef BEFORE_510
int nvmlDeviceGetCurrentClocksEventReasons(void *device, u64 *bits) {
  return of("old", -1, "", 0) ? NO_FUNCTION : nvmlDeviceGetCurrentClocksThrottleReasons(device, bits);
}
#endif
int nvmlDeviceGetTotalEccErrors(void *device, int kind, int counter, u64 *count) {
  (void)kind, (void)counter;
  FIELD("ecc");
  *count = of("ecc", gpu, "", 0);
  return OK;
}
int nvmlDeviceGetRemappedRows(void *device, unsigned *corrected, unsigned *uncorrected, unsigned *pending, unsigned *failed) {
  FIELD("rows");
  *corrected = *uncorrected = 0;
  *pending = of("rows_pending", gpu, "", 0);
  *failed = of("rows_failed", gpu, "", 0);
  return OK;
}
typedef struct { void *device; u64 type, data; unsigned instance, compute_instance; } event_data;
typedef struct { int gpu; long told; } event_set;
int nvmlEventSetCreate(event_set **set) {
  *set = calloc(1, sizeof **set);
  return OK;
}
int nvmlDeviceRegisterEvents(void *device, u64 types, event_set *set) {
  (void)types;
  FIELD("xid");
  set->gpu = gpu;
  return OK;
}
int nvmlEventSetWait_v2(event_set *set, event_data *data, unsigned milliseconds) {
  (void)milliseconds;
  long xid = of("xid", set->gpu, "", 0);
  if (!xid || xid == set->told) return TIMEOUT;
  data->data = set->told = xid;
  return OK;
}
int nvmlDeviceGetMigMode(void *device, unsigned *current, unsigned *pending) {
  FIELD("mig_mode");
  *current = *pending = of("mig", gpu, "", 0) > 0;
  return OK;
}
int nvmlDeviceGetMaxMigDeviceCount(void *device, unsigned *count) {
  FIELD("mig_mode");
  *count = 7;
  return OK;
}
int nvmlDeviceGetMigDeviceHandleByIndex(void *device, unsigned place, void **instance) {
  FIELD("mig_mode");
  if (place >= (unsigned)of("mig", gpu, "", 0)) return NOT_FOUND;
  *instance = (void *)((long)device + (place + 1L) * INSTANCE);
  return OK;
}
int COMPUTING(void *device, unsigned *count, process_info *processes) {
  FIELD("processes");
  long pid = of("pid", gpu, "", 0), memory = of("pid_memory", gpu, "", 1024);
  if (instance_of(device) >= of("mig_used", gpu, "", 0)) pid = 0;
  if (pid && *count < 1) return TOO_SMALL;
  *count = pid != 0;
  if (pid) {
    processes->pid = pid;
    processes->used = memory < 0 ? (u64)-1 : (u64)memory << 20;
  }
  return OK;
}
int DRAWING(void *device, unsigned *count, process_info *processes) {
  FIELD("processes");
  long pid = of("drawing_pid", gpu, "", 0);
  *count = pid != 0;
  if (pid) {
    processes->pid = pid;
    processes->used = (u64)of("drawing_memory", gpu, "", 300) << 20;
  }
  return OK;
}
