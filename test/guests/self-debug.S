// A guest that debugs itself at EL1: BRK, a breakpoint, a watchpoint, software step, what the OS lock masks, and a step of
// EL0. The handler reports the syndrome and where it was taken, and goes on with PSTATE as X28 wants it.
        .include "guest.inc"
        .include "vectors.inc"
        .set D, 1 << 9                  // SPSR_EL1
        .set SS, 1 << 21
        .set MDSCR_SS, 1
        .set KDE, 1 << 13
        .set MDE, 1 << 15
        .set BREAK_EL1, 0x1e3           // DBGBCR: BAS 0b1111, PMC EL1, E
        .set WATCH_2_3, 0x19b           // DBGWCR: BAS 0b1100, LSC both, PAC EL1, E

        install_vectors
        mov     x27, #RAM
        add     x26, x27, #0x10, lsl #12
        msr     daifset, #8
        msr     oslar_el1, xzr
        ldr     x28, =D

        brk     #0x2a

        adr     x0, breakpoint
        msr     dbgbvr0_el1, x0
        ldr     x0, =BREAK_EL1
        msr     dbgbcr0_el1, x0
        msr     dbgwvr0_el1, x26
        ldr     x0, =WATCH_2_3
        msr     dbgwcr0_el1, x0
        ldr     x0, =KDE | MDE
        msr     mdscr_el1, x0
        isb
        bl      breakpoint_and_return   // PSTATE.D masks it
        msr     daifclr, #8
        bl      breakpoint_and_return

        msr     daifclr, #8
        ldr     w0, [x26, #4]           // beside it
        strh    wzr, [x26]
        ldr     x0, [x26]               // reads bytes 2 and 3, too
        msr     daifclr, #8
        strb    wzr, [x26, #3]
        msr     daifset, #8

        ldr     x0, =KDE | MDSCR_SS
        msr     mdscr_el1, x0
        isb
        ldr     x28, =SS
        msr     daifclr, #8
        nop
        ldxr    x0, [x26]
steps_end:                              // here the handler masks it
        nop

        ldr     x0, =KDE | MDE
        msr     mdscr_el1, x0
        mov     x0, #1
        msr     oslar_el1, x0
        isb
        ldr     x28, =D
        msr     daifclr, #8
        bl      breakpoint_and_return   // not where the lock works
        msr     daifset, #8
        msr     oslar_el1, xzr

        mov     x0, #MDSCR_SS           // EL0 asks for no KDE
        msr     mdscr_el1, x0
        isb
        adr     x0, user
        msr     elr_el1, x0
        ldr     x0, =SS
        msr     spsr_el1, x0
        eret
user:
        nop
        nop

breakpoint_and_return:
breakpoint:
        nop
        ret

handler:
        mrs     x0, esr_el1
        report  x0
        mrs     x1, elr_el1
        sub     x2, x1, x27
        report  x2
        mrs     x2, far_el1
        lsr     x3, x0, #26
        cmp     x3, #0x35               // of a watchpoint
        b.ne    1f
        sub     x2, x2, x26
        report  x2
1:      cmp     x3, #0x3c               // past BRK
        b.ne    2f
        add     x1, x1, #4
        msr     elr_el1, x1
2:      adr     x0, steps_end
        cmp     x1, x0
        b.ne    3f
        ldr     x28, =D
3:      mrs     x0, spsr_el1
        orr     x0, x0, x28
        msr     spsr_el1, x0
        eret

        vectors handler, unexpected
