// Turns the MMU on over three pages of tables and touches pages that are not there, or not for that. The handler reports
// syndrome and address of each fault and repairs the page; the program then reports what it got.
        .include "guest.inc"
        .include "vectors.inc"

.set L1, RAM + 0x10000          // 1 GiB each, 39 bits
.set L2, RAM + 0x11000          // 2 MiB each, from 0x80000000
.set L3, RAM + 0x12000          // 4 KiB each, from 0x80000000
.set PAGES, RAM + 0x14000       // what page n from 0x80000000 becomes: PAGES + n * 4 KiB
.set LOW, 0x80000000            // the addresses of the test

.set TABLE, 3
.set BLOCK_DEVICE, 0x0060000000000401   // execute never, AF, attribute 0
.set BLOCK_NORMAL, 0x0000000000000705   // AF, inner shareable, attribute 1
.set PAGE_NORMAL, 0x0000000000000707
.set READ_ONLY, 1 << 7
.set ACCESSED, 1 << 10
.set PRIVILEGED_NEVER, 1 << 53

        ldr     x0, =L1
        ldr     x1, =BLOCK_DEVICE
        str     x1, [x0]
        ldr     x1, =RAM + BLOCK_NORMAL
        str     x1, [x0, #8]
        ldr     x1, =L2 + TABLE
        str     x1, [x0, #16]
        ldr     x2, =L2
        ldr     x1, =L3 + TABLE
        str     x1, [x2]
        // Page 0: not there. 1: read-only. 2: not accessed yet. 3: not there. 4: not to be executed.
        ldr     x3, =L3
        ldr     x1, =PAGES + 0x1000 + PAGE_NORMAL + READ_ONLY
        str     x1, [x3, #8]
        ldr     x1, =PAGES + 0x2000 + PAGE_NORMAL - ACCESSED
        str     x1, [x3, #16]
        ldr     x1, =PAGES + 0x4000 + PAGE_NORMAL + PRIVILEGED_NEVER
        str     x1, [x3, #32]
        // What pages 3 and 4 have: mov x0, #42; ret.
        ldr     x1, =0xd65f03c0d2800540
        ldr     x4, =PAGES + 0x3000
        str     x1, [x4]
        ldr     x4, =PAGES + 0x4000
        str     x1, [x4]
        ldr     x1, =0x1122334455667788
        ldr     x4, =PAGES
        str     x1, [x4, #0x10]

        install_vectors
        ldr     x1, =0xff00             // attribute 0: Device-nGnRnE; 1: normal, write-back
        msr     mair_el1, x1
        ldr     x1, =0x803519           // T0SZ 25, 4 KiB, write-back, inner shareable; TTBR1 off
        msr     tcr_el1, x1
        msr     ttbr0_el1, x0
        dsb     sy
        ic      iallu
        tlbi    vmalle1
        dsb     sy
        isb
        mrs     x1, sctlr_el1
        orr     x1, x1, #1              // M
        orr     x1, x1, #4              // C
        msr     sctlr_el1, x1
        isb

        ldr     x19, =LOW
        ldr     x0, [x19, #0x10]        // page 0
        report  x0
        ldr     x0, =0xabcd
        add     x20, x19, #0x1000
        str     x0, [x20, #8]           // page 1
        ldr     x4, =PAGES + 0x1000
        ldr     x0, [x4, #8]
        report  x0
        add     x20, x19, #0x2000
        ldrb    w0, [x20, #1]           // page 2
        report  x0
        add     x20, x19, #0x3000       // page 3
        blr     x20
        report  x0
        mov     x0, #0
        add     x20, x19, #0x4000       // page 4
        blr     x20
        report  x0
        mov     x0, #0x1000000000       // beyond what the first page of tables has
        ldr     x0, [x0, #0x18]
        report  x0
        system_off

fault:  mrs     x24, esr_el1
        report  x24
        mrs     x25, far_el1
        report  x25
        lsr     x26, x25, #32
        cbnz    x26, skip
        and     x25, x25, #0x1ff000
        ldr     x26, =PAGES + PAGE_NORMAL
        add     x26, x26, x25
        lsr     x25, x25, #9
        ldr     x27, =L3
        str     x26, [x27, x25]
        dsb     ishst
        tlbi    vmalle1is
        dsb     ish
        isb
        eret
skip:   mrs     x25, elr_el1
        add     x25, x25, #4
        msr     elr_el1, x25
        mov     x0, #-1
        eret

        vectors fault, unexpected
