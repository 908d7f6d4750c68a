// Reads a device with each load that extends the sign, and reports what the register has.
        .include "guest.inc"

        .macro  load instruction:vararg
        mov     x0, #-1
        \instruction
        report  x0
        .endm

        ldr     x1, =DEVICE
        load    ldrsb   w0, [x1]
        load    ldrsb   x0, [x1]
        load    ldrsh   w0, [x1]
        load    ldrsh   x0, [x1]
        load    ldrsw   x0, [x1]
        system_off
