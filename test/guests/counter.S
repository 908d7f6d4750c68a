// Counts in X19 and in memory for ever, and reports every 4096th number.
        .include "guest.inc"

        mov     x19, #0
        ldr     x20, =RAM + 0x10000
next:   add     x19, x19, #1
        str     x19, [x20]
        tst     x19, #0xfff
        b.ne    next
        report  x19
        b       next
