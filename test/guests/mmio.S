// Reads a device with each load that KVM can decode, and reports what the register has; then writes it with each store.
// Registers begin as all ones, so that bits show which were left alone.
        .include "guest.inc"

        .macro  load instruction:vararg
        mov     x0, #-1
        \instruction
        report  x0
        .endm

        ldr     x1, =DEVICE
        mov     x2, #0x20

        load    ldrb    w0, [x1]
        load    ldrh    w0, [x1, #2]
        load    ldr     w0, [x1, #4]
        load    ldr     x0, [x1, #8]
        load    ldar    w0, [x1]
        load    ldur    w0, [x1, #-4]
        load    ldr     x0, [x1, x2]
        load    ldr     x0, [x1, w2, uxtw #3]
        load    ldr     wzr, [x1]

        ldr     x0, =0x8899aabbccddeeff
        strb    w0, [x1]
        strh    w0, [x1, #2]
        str     w0, [x1, #4]
        str     x0, [x1, #8]
        stlr    w0, [x1]
        stur    w0, [x1, #-4]
        str     x0, [x1, x2]
        str     xzr, [x1, #8]
        str     wzr, [x1, #4]
        system_off
