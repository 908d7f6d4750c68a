// The virtual timer's interrupt, then a shared one that the program raises: waits for each with WFI, and reports what came.
// X0: the version of the GIC.
        .include "guest.inc"
        .include "vectors.inc"
        .include "gic.inc"
        .set TIMER, 27
        .set SHARED, 40

        mov     x28, x0
        mov     x27, #0
        install_vectors
        gic_distributor
        gic_cpu 1 << TIMER
        gic_enable_spi SHARED
        mov     x20, #0                 // how many came
        msr     daifclr, #2

        mrs     x0, cntfrq_el0
        ldr     x1, =1000
        udiv    x0, x0, x1
        mrs     x1, cntvct_el0
        add     x21, x0, x1
        msr     cntv_cval_el0, x21
        mov     x0, #1
        msr     cntv_ctl_el0, x0
        isb
1:      msr     daifset, #2             // between the question and WFI nothing may come
        cbnz    x20, 2f
        wfi
        msr     daifclr, #2
        b       1b
2:      msr     daifclr, #2
        isb
        mrs     x1, cntvct_el0
        cmp     x1, x21
        cset    x0, hs
        report  x0                      // not before its time

        ldr     x19, =DEVICE            // the program raises its line now
        str     wzr, [x19]
3:      msr     daifset, #2
        cmp     x20, #2
        b.hs    4f
        wfi
        msr     daifclr, #2
        b       3b
4:      msr     daifclr, #2
        system_off

on_irq: gic_acknowledge
        cmp     x0, #TIMER
        b.ne    5f
        mrs     x1, cntv_ctl_el0
        tbz     x1, #2, 7f              // ISTATUS: as Linux 5.10 has them come a second time, now and then, once they are ended
        msr     cntv_ctl_el0, xzr
        isb
        report  x0
        b       6f
5:      report  x0
        ldr     x1, =DEVICE             // and lowers it here
        str     wzr, [x1, #4]
6:      add     x20, x20, #1
7:      gic_end
        eret

on_synchronous:
        b       unexpected
        vectors on_synchronous, on_irq
