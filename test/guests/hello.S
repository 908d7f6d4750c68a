// Prints a line, and ends the machine.
        .include "guest.inc"

        adr     x19, text
        mov     x20, #CONSOLE
1:      ldrb    w21, [x19], #1
        cbz     w21, 2f
        strb    w21, [x20]
        b       1b
2:      system_off

text:   .asciz  "Hello from EL1\n"
