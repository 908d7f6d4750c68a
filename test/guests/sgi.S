// CPU 0 turns CPU 1 on and sends it interrupt 5; CPU 1 answers with interrupt 6. Both wait with WFI, and report what came
// and from whom. X0: the version of the GIC.
        .include "guest.inc"
        .include "vectors.inc"
        .include "gic.inc"

        mov     x28, x0
        mov     x27, #0
        install_vectors
        gic_distributor
        gic_cpu 1 << 6
        mov     x1, #1
        adr     x2, second
        mov     x3, x28
        psci    PSCI_CPU_ON
        report  x0
        adr     x19, ready
1:      ldar    x0, [x19]
        cbz     x0, 1b
        mov     x20, #1
        gic_send 5, x20
        bl      wait
        system_off

second: mov     x28, x0                 // the context
        mov     x27, #1
        install_vectors
        gic_cpu 1 << 5
        adr     x19, ready
        mov     x0, #1
        stlr    x0, [x19]
        bl      wait
        mov     x20, #0
        gic_send 6, x20
        b       .

// Until an interrupt came.
wait:   mov     x26, #0
2:      msr     daifset, #2
        cbnz    x26, 3f
        wfi
        msr     daifclr, #2
        b       2b
3:      ret

on_irq: gic_acknowledge
        mov     x25, x0
        report  x0
        mov     x0, x25
        gic_end
        mov     x26, #1
        eret

        .balign 8
ready:  .quad   0

on_synchronous:
        b       unexpected
        vectors on_synchronous, on_irq
