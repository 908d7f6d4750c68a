// The loops of native.ts in C: what the same system calls cost with nothing in between. Prints nanoseconds per
// operation as JSON. Runs on arm64 and, where KVM has ONE_REG, on x86.
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>

enum { MOST = 4096, ROUND_NS = 50 * 1000 * 1000 };

static int kvm, vm, vcpu;
static unsigned count;
static __u64 ids[MOST], words[MOST * 256];

static void die(const char *what) {
  perror(what);
  exit(1);
}

static long long now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static int get(__u64 id, void *value) {
  struct kvm_one_reg reg = {.id = id, .addr = (__u64)value};
  return ioctl(vcpu, KVM_GET_ONE_REG, &reg);
}

static void check_extension(void) { ioctl(kvm, KVM_CHECK_EXTENSION, 102); }

static void get_one_reg(void) {
  if (get(ids[0], words) < 0) die("KVM_GET_ONE_REG");
}

static void get_regs(void) {
  __u64 *at = words;
  for (unsigned i = 0; i < count; i++) {
    unsigned bytes = 1u << ((ids[i] & KVM_REG_SIZE_MASK) >> KVM_REG_SIZE_SHIFT);
    *at = 0;
    get(ids[i], at);
    at += bytes <= 8 ? 1 : bytes / 8;
  }
}

#ifdef __aarch64__
static struct {
  struct kvm_reg_list list;
  __u64 reg[MOST];
} all;

static void get_list(void) {
  all.list.n = MOST - 1;
  if (ioctl(vcpu, KVM_GET_REG_LIST, &all)) die("KVM_GET_REG_LIST");
}

// What saveVcpu() takes: which registers there are, and their values; whether the vCPU runs, what is pending, and where
// its guest finds its stolen time.
static void save_vcpu(void) {
  struct kvm_mp_state mp;
  struct kvm_vcpu_events events;
  __u64 pvtime;
  struct kvm_device_attr attr = {.group = KVM_ARM_VCPU_PVTIME_CTRL, .addr = (__u64)&pvtime};
  get_list();
  get_regs();
  ioctl(vcpu, KVM_GET_MP_STATE, &mp);
  ioctl(vcpu, KVM_GET_VCPU_EVENTS, &events);
  ioctl(vcpu, KVM_GET_DEVICE_ATTR, &attr);
}

static void set_regs(void) {
  __u64 *at = words;
  for (unsigned i = 0; i < count; i++) {
    unsigned bytes = 1u << ((ids[i] & KVM_REG_SIZE_MASK) >> KVM_REG_SIZE_SHIFT);
    struct kvm_one_reg reg = {.id = ids[i], .addr = (__u64)at};
    ioctl(vcpu, KVM_SET_ONE_REG, &reg);
    at += bytes <= 8 ? 1 : bytes / 8;
  }
}

static int player;
static struct kvm_run *run;

// The guest of ping-pong.ts: ldr w0, [x1]; b .-4
static void prepare_run(struct kvm_vcpu_init *init) {
  static const unsigned code[] = {0xb9400020, 0x17ffffff};
  __u64 at = 0x40000000;
  void *ram = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  struct kvm_userspace_memory_region slot = {.guest_phys_addr = at, .memory_size = 65536, .userspace_addr = (__u64)ram};
  struct kvm_one_reg pc = {.id = 0x6030000000100040, .addr = (__u64)&at};
  int machine = ioctl(kvm, KVM_CREATE_VM, 0);
  memcpy(ram, code, sizeof code);
  if (machine < 0 || ioctl(machine, KVM_SET_USER_MEMORY_REGION, &slot)) die("KVM_SET_USER_MEMORY_REGION");
  player = ioctl(machine, KVM_CREATE_VCPU, 0);
  if (player < 0 || ioctl(player, KVM_ARM_VCPU_INIT, init) || ioctl(player, KVM_SET_ONE_REG, &pc)) die("player");
  run = mmap(NULL, ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0), PROT_READ | PROT_WRITE, MAP_SHARED, player, 0);
  if (run == MAP_FAILED) die("mmap");
}

static void run_sync(void) {
  if (ioctl(player, KVM_RUN, 0) || run->exit_reason != KVM_EXIT_MMIO) die("KVM_RUN");
  run->mmio.data[0] = 0x60;
}
#endif

// The best row of a round, as in native.ts.
static double measure(void (*operation)(void), int row) {
  long long start = now(), begin = start, end;
  double best = 1e18;
  do {
    for (int i = 0; i < row; i++) operation();
    end = now();
    if ((double)(end - begin) / row < best) best = (double)(end - begin) / row;
    begin = end;
  } while (begin - start < ROUND_NS);
  return best;
}

// The ids that native.ts reads: PSCI_VERSION first, then the list. x86 lists nothing: MSR_STAR, many times.
static void prepare(void) {
#ifdef __aarch64__
  struct kvm_vcpu_init init;
  if (ioctl(vm, KVM_ARM_PREFERRED_TARGET, &init)) die("KVM_ARM_PREFERRED_TARGET");
  init.features[0] |= 1 << KVM_ARM_VCPU_PSCI_0_2;
  if (ioctl(vcpu, KVM_ARM_VCPU_INIT, &init)) die("KVM_ARM_VCPU_INIT");
  get_list();
  ids[0] = 0x6030000000140000;
  memcpy(ids + 1, all.reg, all.list.n * sizeof *ids);
  count = all.list.n + 1;
  prepare_run(&init);
#else
  for (count = 0; count < 256; count++) ids[count] = 0x20300002c0000081;
#endif
}

int main(void) {
  kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
  if (kvm < 0) die("open");
  do vm = ioctl(kvm, KVM_CREATE_VM, 0);
  while (vm < 0 && errno == EINTR);
  if (vm < 0) die("KVM_CREATE_VM");
  vcpu = ioctl(vm, KVM_CREATE_VCPU, 0);
  if (vcpu < 0) die("KVM_CREATE_VCPU");
  prepare();
  printf("{\"checkExtension\": %.1f", measure(check_extension, 100));
  if (get(ids[0], words) == 0) {
    printf(", \"getOneReg\": %.1f, \"getRegs\": %.1f", measure(get_one_reg, 100), measure(get_regs, 1));
  }
#ifdef __aarch64__
  printf(", \"saveVcpu\": %.1f, \"setRegs\": %.1f", measure(save_vcpu, 1), measure(set_regs, 1));
  printf(", \"runSync\": %.1f", measure(run_sync, 100));
#endif
  printf("}\n");
  return 0;
}
