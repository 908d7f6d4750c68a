// For ever: waits with WFI for the interrupts of its virtual timer, which comes each millisecond by the interrupt controller,
// and reports every fourth. In X0 the version of the GIC. What a move could break is reported: the count, the PSCI version,
// whether time went on and no tick came early, and which interrupts came.
        .include "guest.inc"
        .include "vectors.inc"
        .include "gic.inc"
        .set TIMER, 27

        mov     x28, x0
        mov     x27, #0
        mov     x20, #0                 // ticks
        mov     x23, #0                 // those that were reported
        mov     x22, #0                 // the counter at the last one
        mov     x24, #0                 // interrupts that came, a bit each
        mov     x25, #1                 // whether time was in order
        install_vectors
        gic_distributor
        gic_cpu 1 << TIMER
        mrs     x0, cntfrq_el0
        ldr     x1, =1000
        udiv    x19, x0, x1
        mrs     x0, cntvct_el0
        add     x21, x0, x19
        msr     cntv_cval_el0, x21
        mov     x0, #1
        msr     cntv_ctl_el0, x0
        isb
next:   add     x23, x23, #4
1:      msr     daifset, #2             // between the question and WFI nothing may come
        cmp     x20, x23
        b.hs    2f
        wfi
        msr     daifclr, #2
        b       1b
2:      psci    PSCI_VERSION
        report  x23
        report  x0
        report  x25
        report  x24
        b       next

on_irq: gic_acknowledge
        mrs     x1, cntv_ctl_el0
        tbz     x1, #2, 3f              // ISTATUS: a line may be low again when its interrupt is taken
        mov     x1, #1
        lsl     x1, x1, x0
        orr     x24, x24, x1
        isb
        mrs     x1, cntvct_el0
        cmp     x1, x21                 // the time that was set
        csel    x25, x25, xzr, hs
        cmp     x1, x22                 // the last tick
        csel    x25, x25, xzr, hs
        mov     x22, x1
        add     x20, x20, #1
        add     x21, x1, x19
        msr     cntv_cval_el0, x21
        isb
3:      gic_end
        eret

on_synchronous:
        b       unexpected
        vectors on_synchronous, on_irq
