// Reports what it finds in the registers that a program may write before the first run, in the order of
// selftests/id-registers.ts.
        .include "guest.inc"

        .macro  ask register
        mrs     x0, \register
        report  x0
        .endm

        ask     id_aa64dfr0_el1
        ask     id_dfr0_el1
        ask     id_aa64isar0_el1
        ask     id_aa64isar1_el1
        ask     s3_0_c0_c6_2            // ID_AA64ISAR2_EL1
        ask     s3_0_c0_c6_3            // ID_AA64ISAR3_EL1
        ask     id_aa64pfr0_el1
        ask     id_aa64pfr1_el1
        ask     id_aa64mmfr0_el1
        ask     id_aa64mmfr1_el1
        ask     id_aa64mmfr2_el1
        ask     s3_0_c0_c7_3            // ID_AA64MMFR3_EL1
        ask     s3_0_c0_c4_4            // ID_AA64ZFR0_EL1
        ask     mpidr_el1
        ask     s3_1_c0_c0_1            // CLIDR_EL1
        ask     ctr_el0
        ask     midr_el1
        ask     revidr_el1
        ask     s3_1_c0_c0_7            // AIDR_EL1
        system_off
