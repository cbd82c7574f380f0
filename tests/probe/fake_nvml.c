/* A stand-in for the driver's libnvidia-ml.so.1, so that GPUs are read without one.
 *
 * It reads the file named by FAKE_NVML once at every call, so a test changes GPUs under a running process.
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
#include <fcntl.h>
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

static __thread char said[4096]; /* the file as it is at this thread's call */

static void look(void) {
  char *path = getenv("FAKE_NVML");
  int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
  ssize_t length = file < 0 ? -1 : read(file, said + 1, sizeof said - 2);
  said[0] = '\n';
  said[length < 0 ? 1 : length + 1] = 0;
  if (file >= 0) close(file);
}

static int find(const char *key, long *value) {
  char line[80];
  snprintf(line, sizeof line, "\n%s=", key);
  char *found = strstr(said, line);
  if (found) *value = atol(found + strlen(line));
  return found != NULL;
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
  for (look(); find("hang", &value) || (gpu >= 0 && of("hang", gpu, "", 0)); look()) usleep(10000);
  if (sessions <= 0) return UNINITIALIZED;
  if (gpu >= 0 && of("lost", gpu, "", 0)) return LOST;
  return of(field, gpu, ".error", OK);
}

#define FIELD(name) \
  int error = enter(name, device), gpu = gpu_of(device); \
  (void)gpu; \
  if (error) return error

int nvmlInitWithFlags(unsigned flags) {
  (void)flags;
  look();
  int error = getenv("FAKE_NVML") ? of("init", -1, ".error", OK) : NO_LIBRARY;
  if (!error) sessions++;
  return error;
}
int nvmlInit_v2(void) { return nvmlInitWithFlags(0); }
int nvmlShutdown(void) { return sessions > 0 ? (sessions--, OK) : UNINITIALIZED; }
const char *nvmlErrorString(int code) { return code == 999 ? "Unknown Error" : "Fake Error"; }
int nvmlDeviceGetCount_v2(unsigned *count) {
  int error = enter("count", NULL);
  *count = of("gpus", -1, "", 1);
  return error;
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
typedef struct { char short_id[16]; unsigned domain, bus, device, device_id, subsystem_id; char id[32]; } pci_info;
int nvmlDeviceGetPciInfo_v3(void *device, pci_info *pci) {
  FIELD("pci");
  memset(pci, 0, sizeof *pci);
  pci->bus = gpu + 1;
  snprintf(pci->short_id, sizeof pci->short_id, "0000:%02X:00.0", pci->bus);
  snprintf(pci->id, sizeof pci->id, "00000000:%02X:00.0", pci->bus);
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
    look();
    memory->total = (u64)9728 << 20;
    memory->used = instance_of(device) < of("mig_used", gpu_of(device), "", 0) ? (u64)1000 << 20 : 0;
    return OK;
  }
  FIELD("memory");
  long total = of("memory_total", gpu, "", 81920), used = of("memory_used", gpu, "", 0);
  memory->total = total < 0 ? (u64)-1 : (u64)total << 20;
  memory->used = used < 0 ? (u64)-1 : (u64)used << 20;
  memory->free = total < 0 || used < 0 ? (u64)-1 : memory->total - memory->used;
  return OK;
}
#ifndef BEFORE_510
int nvmlDeviceGetMemoryInfo_v2(void *device, memory_v2 *memory) {
  memory_v1 plain = {0, 0, 0};
  look();
  if (of("old", -1, "", 0)) return NO_FUNCTION;
  int error = nvmlDeviceGetMemoryInfo(device, &plain);
  memory->total = plain.total;
  memory->free = plain.free;
  memory->reserved = 0;
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
  look();
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
/* What only other programs ask for, so that they can be measured beside ours. */
#define NUMBER(function, value) \
  int function(void *device, unsigned *number) { FIELD("more"); *number = (value); return OK; }
#define NUMBER_OF(function, value) \
  int function(void *device, int kind, unsigned *number) { FIELD("more"); *number = (value); (void)kind; return OK; }
#define PAIR(function, first, second) \
  int function(void *device, unsigned *one, unsigned *two) { FIELD("more"); *one = (first); *two = (second); return OK; }
NUMBER(nvmlDeviceGetFanSpeed, 30)
NUMBER(nvmlDeviceGetPowerManagementLimit, 1000 * of("power_limit", gpu, "", 700))
NUMBER(nvmlDeviceGetDisplayActive, 0)
NUMBER(nvmlDeviceGetDisplayMode, 0)
NUMBER(nvmlDeviceGetPersistenceMode, 1)
NUMBER(nvmlDeviceGetPerformanceState, 0)
NUMBER(nvmlDeviceGetComputeMode, 0)
NUMBER(nvmlDeviceIsMigDeviceHandle, instance_of(device) >= 0)
NUMBER_OF(nvmlDeviceGetClockInfo, 1500)
NUMBER_OF(nvmlDeviceGetMaxClockInfo, 1980)
NUMBER_OF(nvmlDeviceGetPcieThroughput, 100)
PAIR(nvmlDeviceGetEncoderUtilization, 0, 167000)
PAIR(nvmlDeviceGetDecoderUtilization, 0, 167000)
PAIR(nvmlDeviceGetCudaComputeCapability, 9, 0)
int nvmlDeviceGetDriverModel_v2(void) { return NOT_SUPPORTED; } /* of Windows alone */

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
  look();
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
