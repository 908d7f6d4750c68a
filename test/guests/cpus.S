// CPU 0 turns CPUs 1 to 3 on, sees them come and go, and turns them on once more. It reports every result.
        .include "guest.inc"

        adr     x27, seen               // by CPU: the context that it was turned on with
        adr     x28, leave              // by CPU: whether it may turn itself off
        mov     x19, #1

each:   mov     x1, x19                 // before: off
        mov     x2, #0
        psci    PSCI_AFFINITY_INFO
        report  x0

        mov     x1, x19
        adr     x2, secondary
        add     x3, x19, #0x100
        psci    PSCI_CPU_ON
        report  x0
        mov     x1, x19
        adr     x2, secondary
        mov     x3, #0
        psci    PSCI_CPU_ON             // it is on already
        report  x0
1:      ldr     x4, [x27, x19, lsl #3]
        cbz     x4, 1b
        report  x4
        mov     x1, x19
        mov     x2, #0
        psci    PSCI_AFFINITY_INFO
        report  x0

        mov     x4, #1
        str     x4, [x28, x19, lsl #3]
2:      mov     x1, x19                 // until it is off again
        mov     x2, #0
        psci    PSCI_AFFINITY_INFO
        cmp     x0, #1
        b.ne    2b
        report  x0

        str     xzr, [x28, x19, lsl #3] // the second time it stays
        mov     x1, x19
        adr     x2, secondary
        add     x3, x19, #0x200
        psci    PSCI_CPU_ON
        report  x0
        add     x5, x19, #0x200
3:      ldr     x4, [x27, x19, lsl #3]
        cmp     x4, x5
        b.ne    3b
        report  x4

        add     x19, x19, #1
        cmp     x19, #4
        b.ne    each

        mov     x1, #0                  // the whole cluster: on
        mov     x2, #1
        psci    PSCI_AFFINITY_INFO
        report  x0
        mov     x1, #0                  // no such level
        mov     x2, #4
        psci    PSCI_AFFINITY_INFO
        report  x0
        mov     x1, #9                  // no such CPU
        mov     x2, #0
        psci    PSCI_AFFINITY_INFO
        report  x0
        mov     x1, #9
        adr     x2, secondary
        psci    PSCI_CPU_ON
        report  x0
        mrs     x1, mpidr_el1           // this one
        and     x1, x1, #0xffffff
        adr     x2, secondary
        psci    PSCI_CPU_ON
        report  x0
        system_off

// X0: the context. Everything else must be as after a reset, or it does not say that it is there.
secondary:
        mrs     x4, currentel
        cmp     x4, #4                  // EL1
        b.ne    .
        mrs     x4, daif
        cmp     x4, #0x3c0              // all masked
        b.ne    .
        mrs     x4, sctlr_el1
        tbnz    w4, #0, .               // no MMU
        mrs     x5, mpidr_el1
        and     x5, x5, #0xff
        adr     x6, seen
        str     x0, [x6, x5, lsl #3]
        adr     x6, leave
4:      ldr     x4, [x6, x5, lsl #3]
        cbz     x4, 4b
        psci    PSCI_CPU_OFF
        b       .

        .balign 8
seen:   .fill   4, 8, 0
leave:  .fill   4, 8, 0
