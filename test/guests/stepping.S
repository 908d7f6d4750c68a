// What a debugger steps over: a call, registers that KVM answers for and others, a device, exceptions.
        .include "guest.inc"
        .include "vectors.inc"

        install_vectors
        ldr     x1, =DEVICE
        psci    PSCI_VERSION
        nop
        mrs     x2, id_aa64pfr0_el1
        nop
        mrs     x2, midr_el1
        nop
        ldr     x1, =DEVICE
        str     x0, [x1]
        nop
        ldr     x0, [x1]
        nop
        svc     #5
        nop
        udf     #0
        nop
        system_off

handler:
        mrs     x0, esr_el1
        lsr     x0, x0, #26
        cmp     x0, #0x15
        b.eq    1f
        mrs     x0, elr_el1
        add     x0, x0, #4
        msr     elr_el1, x0
1:      eret

        vectors handler, unexpected
