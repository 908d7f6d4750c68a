// Asks for the PSCI version and reports it, again and again.
        .include "guest.inc"

again:  psci    PSCI_VERSION
        report  x0
        b       again
