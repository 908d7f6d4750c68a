/* The least that a machine can boot to: the first process powers off at once. */
static long reboot(long magic, long magic2, long command) {
  register long x0 __asm__("x0") = magic;
  register long x1 __asm__("x1") = magic2;
  register long x2 __asm__("x2") = command;
  register long x8 __asm__("x8") = 142; /* __NR_reboot, asm-generic/unistd.h */
  __asm__ volatile("svc 0" : "+r"(x0) : "r"(x1), "r"(x2), "r"(x8) : "memory");
  return x0;
}

void _start(void) {
  /* LINUX_REBOOT_MAGIC1, MAGIC2 and CMD_POWER_OFF, linux/reboot.h */
  reboot(0xfee1dead, 0x28121969, 0x4321fedc);
  for (;;) {
  }
}
