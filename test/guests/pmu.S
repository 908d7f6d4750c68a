// A guest with a performance monitor whose interrupt is PPI 23: counts what it does itself, lets counters overflow, with and
// without an interrupt, leaves levels out, and has EL0 try. It reports what the registers then say. X0: the version of the
// GIC.
        .include "guest.inc"
        .include "vectors.inc"
        .include "gic.inc"
        .set PMU, 23
        .set E, 1                       // PMCR_EL0
        .set RESET, 0x46                // LC, C, P
        .set CYCLES, 1 << 31
        .set CHAIN, 0x1e
        .set NO_EL1, 1 << 31            // PMCCFILTR_EL0
        .set NO_EL0, 1 << 30
        .set USER_EN, 1
        .set EL0T, 0x3c0

        // The low half, which is all that some PMUs have.
        .macro  report_counter n
        mrs     x0, pmevcntr\n\()_el0
        mov     w0, w0
        report  x0
        .endm

        .macro  report_overflows
        mrs     x0, pmovsset_el0
        report  x0
        .endm

        mov     x28, x0
        mov     x27, #0
        mov     x20, #0                 // interrupts
        install_vectors
        gic_distributor
        gic_cpu 1 << PMU
        mov     w19, #-1
        msr     pmcntenclr_el0, x19
        msr     pmovsclr_el0, x19
        msr     pmintenclr_el1, x19
        msr     pmuserenr_el0, xzr
        msr     pmccfiltr_el0, xzr
        mov     x21, #E | 0x40          // LC
        mov     x22, #1                 // the first counter
        mov     x0, #RESET
        msr     pmcr_el0, x0
        report_counter 0                // 0

        // SW_INCR: while PMCR_EL0.E is clear nothing counts.
        msr     pmevtyper0_el0, xzr
        mov     w0, #-2
        msr     pmevcntr0_el0, x0
        msr     pmcntenset_el0, x22
        msr     pmswinc_el0, x22
        isb
        report_counter 0                // 0xfffffffe
        msr     pmcr_el0, x21
        msr     pmswinc_el0, x22
        isb
        report_counter 0                // 0xffffffff
        report_overflows                // 0
        mov     x0, #3                  // the second is not enabled
        msr     pmswinc_el0, x0
        isb
        report_counter 0                // 0
        report_overflows                // 1

        // Another way to the same registers.
        msr     pmselr_el0, xzr
        isb
        mov     x0, #5
        msr     pmxevcntr_el0, x0
        isb
        report_counter 0                // 5
        mov     x0, #CHAIN
        msr     pmevtyper1_el0, x0
        msr     pmselr_el0, x22
        isb
        mrs     x0, pmxevtyper_el0
        report  x0                      // CHAIN

        // A chain: the higher counter is enabled first.
        msr     pmcntenclr_el0, x22
        msr     pmovsclr_el0, x19
        mov     x0, #7
        msr     pmevcntr1_el0, x0
        mov     w0, #-1
        msr     pmevcntr0_el0, x0
        mov     x0, #2
        msr     pmcntenset_el0, x0
        msr     pmcntenset_el0, x22
        msr     pmswinc_el0, x22
        isb
        report_counter 0                // 0
        report_counter 1                // 8
        report_overflows                // 1, or none of a half
        mov     x0, #2
        msr     pmcntenclr_el0, x0
        msr     pmovsclr_el0, x19

        // Interrupts: of SW_INCR, then of cycles.
        msr     daifclr, #2
        msr     pmintenset_el1, x22
        mov     w0, #-1
        msr     pmevcntr0_el0, x0
        msr     pmswinc_el0, x22
        isb
1:      cbz     x20, 1b                 // the handler reports 23 and 1
        report_overflows                // 0
        mov     x23, #CYCLES
        msr     pmintenset_el1, x23
        mov     x0, #-1000
        msr     pmccntr_el0, x0
        msr     pmcntenset_el0, x23
        isb
2:      cmp     x20, #2                 // 23 and 0x80000000
        b.lo    2b
        report_overflows                // 0
        msr     pmintenclr_el1, x19

        // Cycles: without this level none, else always more; and where they end they stay.
        mov     w0, #NO_EL1
        msr     pmccfiltr_el0, x0
        msr     pmccntr_el0, xzr
        isb
        mov     x0, #100
3:      subs    x0, x0, #1
        b.ne    3b
        mrs     x0, pmccntr_el0
        report  x0                      // 0
        mov     w0, #NO_EL0
        msr     pmccfiltr_el0, x0
        isb
        mrs     x0, pmccntr_el0
        mrs     x1, pmccntr_el0
        cmp     x1, x0
        cset    x0, hi
        report  x0                      // 1
        msr     pmcr_el0, xzr
        isb
        mrs     x24, pmccntr_el0
        report  x24                     // some
        mrs     x0, pmccntr_el0
        sub     x0, x0, x24
        report  x0                      // 0

        // EL0: first without PMUSERENR_EL0.EN.
        adr     x0, user
        msr     elr_el1, x0
        mov     x0, #EL0T
        msr     spsr_el1, x0
        eret
user:   mrs     x25, pmcntenset_el0     // the handler gives it EN, and it tries again
        svc     #0                      // which reports X25
back:   system_off

on_irq: gic_acknowledge
        mov     x26, x0
        report  x0
        mrs     x0, pmovsclr_el0
        report  x0
        msr     pmovsclr_el0, x0
        isb
        mov     x0, x26
        gic_end
        add     x20, x20, #1
        eret

of_user:
        mrs     x0, esr_el1
        lsr     x0, x0, #26
        report  x0                      // 0, then 0x15
        cbnz    x0, 4f
        mov     x0, #USER_EN
        msr     pmuserenr_el0, x0
        eret
4:      report  x25                     // the first counter and that of cycles
        b       back

        vectors unexpected, on_irq, of_user
