// A few instructions to stop at.
        .include "guest.inc"

        mov     x19, #1
        mov     x20, #2
        add     x20, x20, #1
        nop
        ldr     x21, =RAM + 0x10000
        ldr     x22, [x21, #8]
        str     x20, [x21, #8]
        system_off
