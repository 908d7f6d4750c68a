// Without an interrupt controller: arms the virtual timer for a quarter of a second, and waits with WFI until it has fired;
// then once more with CPU_SUSPEND, which does the same on KVM. KVM ends a wait when the timer's line changes, so that there
// must be time for the wait to begin: nothing leaves the guest between.
        .include "guest.inc"
        .set PSCI_CPU_SUSPEND, 0xc4000001

        .macro  arm_timer
        isb
        mrs     x1, cntvct_el0
        add     x19, x1, x20
        msr     cntv_cval_el0, x19
        mov     x0, #1
        msr     cntv_ctl_el0, x0
        isb
        .endm

        mrs     x0, cntfrq_el0
        mov     x1, #4
        udiv    x20, x0, x1
        arm_timer
        mrs     x21, cntv_ctl_el0
1:      wfi
        isb
        mrs     x0, cntv_ctl_el0
        tbz     x0, #2, 1b
        report  x21                     // enabled
        report  x0                      // and fired
        mrs     x1, cntvct_el0          // not before its time
        cmp     x1, x19
        cset    x0, hs
        report  x0
        msr     cntv_ctl_el0, xzr
        isb
        mrs     x0, cntv_ctl_el0
        report  x0                      // neither

        arm_timer
2:      mov     x1, #0
        psci    PSCI_CPU_SUSPEND
        mrs     x2, cntv_ctl_el0
        tbz     x2, #2, 2b
        report  x0
        mrs     x1, cntvct_el0
        cmp     x1, x19
        cset    x0, hs
        report  x0
        system_off
