// An image as others write them, for examples/flat-image.ts: it may be anywhere in memory, finds its UART, memory, command
// line and initrd by the device tree at X0 (Devicetree Specification v0.4, chapter 5), says what it finds, turns CPUs 1 to
// 3 on, and ends with the status that is the last digit of its command line.
        .include "guest.inc"

.set FDT_MAGIC, 0xd00dfeed
.set FDT_OFF_STRUCT, 8
.set FDT_OFF_STRINGS, 12
.set FDT_BEGIN_NODE, 1
.set FDT_END_NODE, 2
.set FDT_PROP, 3
.set FDT_NOP, 4

// X19: the tree; X22: the UART.
.macro print label
        adr     x0, \label
        bl      puts
.endm

.macro find node, property
        adr     x0, \node
        adr     x1, \property
        bl      find_property
.endm

// Two cells as one value.
.macro cells to, from, offset=0
        ldr     w1, [\from, #\offset]
        rev     w1, w1
        ldr     w2, [\from, #\offset + 4]
        rev     w2, w2
        orr     \to, x2, x1, lsl #32
.endm

        mov     x19, x0                 // as booting.rst has it, or nothing is printed
        orr     x1, x1, x2
        orr     x1, x1, x3
        cbnz    x1, end
        tst     x19, #7
        b.ne    end
        mrs     x4, currentel
        cmp     x4, #4                  // EL1
        b.ne    end
        mrs     x4, daif
        cmp     x4, #0x3c0              // all masked
        b.ne    end
        mrs     x4, sctlr_el1
        tbnz    w4, #0, end             // no MMU
        ldr     w1, [x19]
        rev     w1, w1
        ldr     w2, =FDT_MAGIC
        cmp     w1, w2
        b.ne    end

        find    chosen, stdout_path
        cbz     x0, end
        add     x0, x0, #1              // behind the slash
        adr     x1, reg
        bl      find_property
        cbz     x0, end
        cells   x22, x0

        print   uart_is
        mov     x0, x22
        bl      put_hex
        find    memory, reg
        cells   x20, x0
        cells   x21, x0, 8
        print   memory_is
        mov     x0, x20
        bl      put_hex
        print   of_size
        mov     x0, x21
        bl      put_hex
        print   psci_is
        psci    PSCI_VERSION
        bl      put_hex
        find    chosen, bootargs
        mov     x20, x0
        add     x21, x0, x1
        print   args_are
        mov     x0, x20
        bl      puts
        find    chosen, initrd_start
        cbz     x0, 1f
        cells   x23, x0
        print   initrd_is
        mov     x0, x23
        bl      puts

1:      mov     x23, #1
2:      mov     x1, x23
        adr     x2, secondary
        add     x3, x23, #0x100
        psci    PSCI_CPU_ON
        cbnz    x0, 4f
        adr     x4, seen
3:      ldr     x0, [x4, x23, lsl #3]
        cbz     x0, 3b
4:      mov     x24, x0
        print   cpu_has
        mov     x0, x24
        bl      put_hex
        add     x23, x23, #1
        cmp     x23, #4
        b.ne    2b

        ldrb    w20, [x21, #-2]         // before the NUL
        sub     w20, w20, #'0'
        lsl     w20, w20, #1
        add     w20, w20, #'0' + 1
        print   status_is
        strb    w20, [x22]
        mov     w20, #'\n'
        strb    w20, [x22]
end:    system_off

secondary:                              // X0: the context
        mrs     x5, mpidr_el1
        and     x5, x5, #0xff
        adr     x6, seen
        str     x0, [x6, x5, lsl #3]
        psci    PSCI_CPU_OFF
        b       .

// X0: text, to its NUL.
puts:   ldrb    w1, [x0], #1
        cbz     w1, 1f
        strb    w1, [x22]
        b       puts
1:      ret

// X0 in hex.
put_hex:
        mov     x1, #60
1:      lsr     x2, x0, x1
        cbnz    x2, 2f
        subs    x1, x1, #4
        b.ne    1b
2:      lsr     x2, x0, x1
        and     x2, x2, #0xf
        add     w3, w2, #'0'
        add     w4, w2, #'a' - 10
        cmp     w2, #10
        csel    w3, w3, w4, lo
        strb    w3, [x22]
        subs    x1, x1, #4
        b.ge    2b
        ret

// X0: how the name of a node at whatever depth begins, X1: a property. X0: its value, or 0; X1: its length.
find_property:
        ldr     w9, [x19, #FDT_OFF_STRUCT]
        rev     w9, w9
        add     x9, x19, x9
        ldr     w10, [x19, #FDT_OFF_STRINGS]
        rev     w10, w10
        add     x10, x19, x10
        mov     x11, #0                 // whether this is the node
token:  ldr     w2, [x9], #4
        rev     w2, w2
        cmp     w2, #FDT_BEGIN_NODE
        b.eq    node
        cmp     w2, #FDT_PROP
        b.eq    property
        cmp     w2, #FDT_NOP
        b.eq    token
        mov     x11, #0
        cmp     w2, #FDT_END_NODE
        b.eq    token
        mov     x0, #0                  // the end
        ret

node:   mov     x3, x0
        mov     x4, x9
        mov     x11, #1
1:      ldrb    w5, [x3], #1
        cbz     w5, 2f
        ldrb    w6, [x4], #1
        cmp     w5, w6
        b.eq    1b
        mov     x11, #0
2:      ldrb    w5, [x9], #1
        cbnz    w5, 2b
        b       align

property:
        ldr     w5, [x9], #4
        rev     w5, w5
        ldr     w6, [x9], #4
        rev     w6, w6
        add     x6, x10, x6
        cbz     x11, 2f
        mov     x3, x1
1:      ldrb    w7, [x3], #1
        ldrb    w8, [x6], #1
        cmp     w7, w8
        b.ne    2f
        cbnz    w7, 1b
        mov     x0, x9
        mov     x1, x5
        ret
2:      add     x9, x9, x5
align:  add     x9, x9, #3
        and     x9, x9, #~3
        b       token

        .ltorg
        .balign 8
seen:   .fill   4, 8, 0

chosen: .asciz  "chosen"
memory: .asciz  "memory@"
reg:    .asciz  "reg"
bootargs:
        .asciz  "bootargs"
stdout_path:
        .asciz  "stdout-path"
initrd_start:
        .asciz  "linux,initrd-start"
uart_is:
        .asciz  "UART 0x"
memory_is:
        .asciz  "\nmemory 0x"
of_size:
        .asciz  " size 0x"
psci_is:
        .asciz  "\nPSCI 0x"
args_are:
        .asciz  "\nargs "
initrd_is:
        .asciz  "\ninitrd "
cpu_has:
        .asciz  "\nCPU 0x"
status_is:
        .asciz  "\nEXIT: STATUS="
        .balign 4
