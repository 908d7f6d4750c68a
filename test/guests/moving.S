// For ever: counts, asks for the PSCI version, waits for its virtual timer by asking, looks whether time went back, and
// writes a page. What a move could break is reported.
        .include "guest.inc"

        mov     x19, #0
        mov     x22, #0
        ldr     x21, =RAM + 0x10000
        mrs     x0, cntfrq_el0
        ldr     x1, =100000
        udiv    x20, x0, x1             // 10 microseconds
next:   add     x19, x19, #1
        psci    PSCI_VERSION
        mov     x23, x0
        isb
        mrs     x1, cntvct_el0
        add     x24, x1, x20
        msr     cntv_cval_el0, x24
        mov     x0, #1
        msr     cntv_ctl_el0, x0
1:      isb
        mrs     x0, cntv_ctl_el0
        tbz     x0, #2, 1b              // ISTATUS
        isb
        mrs     x1, cntvct_el0
        cmp     x1, x24
        cset    x0, hs
        cmp     x1, x22
        csel    x0, x0, xzr, hs
        mov     x22, x1
        and     x2, x19, #0x1f          // one of 32 pages
        add     x2, x21, x2, lsl #12
        str     x19, [x2]
        report  x19
        report  x23                     // the version
        report  x0                      // 1: the timer fired in time, and time went on
        b       next
