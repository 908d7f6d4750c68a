// Makes the calls of a table, X21 of them from X20 on, reports 0 and ends the machine. A row has six words: 0 for HVC or 1 for SMC,
// and X0 to X3, which are what the call gave afterwards; the sixth becomes 1 when the call has returned.
        .include "guest.inc"

next:   cbz     x21, done
        ldp     x4, x0, [x20]
        ldp     x1, x2, [x20, #16]
        ldr     x3, [x20, #32]
        cbnz    x4, 1f
        hvc     #0
        b       2f
1:      smc     #0
2:      stp     x0, x1, [x20, #8]
        stp     x2, x3, [x20, #24]
        mov     x4, #1
        str     x4, [x20, #40]
        add     x20, x20, #48
        sub     x21, x21, #1
        b       next
done:   report  x21
        system_off
