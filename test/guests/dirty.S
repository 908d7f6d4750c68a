// Writes some pages and reports, three times.
        .include "guest.inc"

        ldr     x19, =RAM + 0x10000
        str     x19, [x19]              // page 0x10
        strb    w19, [x19, #0xfff]
        add     x20, x19, #0x1000
        ldr     x0, [x20]               // page 0x11 is only read
        add     x20, x19, #0x2000
        strb    wzr, [x20, #0xfff]      // page 0x12: written with what it had
        report  x19

        ldr     x20, =RAM + 0x14ff8
        stp     x19, x19, [x20]         // pages 0x14 and 0x15
        report  x19

        report  x19                     // none

        str     x19, [x19]              // page 0x10 again
        ldr     x20, =RAM + 0x3f000
        str     x19, [x20]              // page 0x3f, the last
        system_off
