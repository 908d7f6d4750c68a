/**
 * The fields of the registers that say what a CPU and its firmware are, so that a difference can be told by name: as
 * facts from `arch/arm64/tools/sysreg` of Linux 7.3, Documentation/virt/kvm/arm/fw-pseudo-registers.rst and, for
 * MIDR_EL1, Arm DDI 0487.
 *
 * @packageDocumentation
 */
import { registerBits } from './register-id.ts';
import { formatRegister } from './register-names.ts';

/** A register in a line: its name, then each field with its lowest bit, and its width where that is not 4. */
const TABLE = `
ID_PFR0_EL1 State0:0 State1:4 State2:8 State3:12 CSV2:16 AMU:20 DIT:24 RAS:28
ID_PFR1_EL1 ProgMod:0 Security:4 MProgMod:8 Virtualization:12 GenTimer:16 Sec_frac:20 Virt_frac:24 GIC:28
ID_DFR0_EL1 CopDbg:0 CopSDbg:4 MMapDbg:8 CopTrc:12 MMapTrc:16 MProfDbg:20 PerfMon:24 TraceFilt:28
ID_AFR0_EL1 IMPDEF0:0 IMPDEF1:4 IMPDEF2:8 IMPDEF3:12
ID_MMFR0_EL1 VMSA:0 PMSA:4 OuterShr:8 ShareLvl:12 TCM:16 AuxReg:20 FCSE:24 InnerShr:28
ID_MMFR1_EL1 L1HvdVA:0 L1UniVA:4 L1HvdSW:8 L1UniSW:12 L1Hvd:16 L1Uni:20 L1TstCln:24 BPred:28
ID_MMFR2_EL1 L1HvdFG:0 L1HvdBG:4 L1HvdRng:8 HvdTLB:12 UniTLB:16 MemBarr:20 WFIStall:24 HWAccFlg:28
ID_MMFR3_EL1 CMaintVA:0 CMaintSW:4 BPMaint:8 MaintBcst:12 PAN:16 CohWalk:20 CMemSz:24 Supersec:28
ID_ISAR0_EL1 Swap:0 BitCount:4 BitField:8 CmpBranch:12 Coproc:16 Debug:20 Divide:24
ID_ISAR1_EL1 Endian:0 Except:4 Except_AR:8 Extend:12 IfThen:16 Immediate:20 Interwork:24 Jazelle:28
ID_ISAR2_EL1 LoadStore:0 MemHint:4 MultiAccessInt:8 Mult:12 MultS:16 MultU:20 PSR_AR:24 Reversal:28
ID_ISAR3_EL1 Saturate:0 SIMD:4 SVC:8 SynchPrim:12 TabBranch:16 T32Copy:20 TrueNOP:24 T32EE:28
ID_ISAR4_EL1 Unpriv:0 WithShifts:4 Writeback:8 SMC:12 Barrier:16 SynchPrim_frac:20 PSR_M:24 SWP_frac:28
ID_ISAR5_EL1 SEVL:0 AES:4 SHA1:8 SHA2:12 CRC32:16 RDM:24 VCMA:28
ID_ISAR6_EL1 JSCVT:0 DP:4 FHM:8 SB:12 SPECRES:16 BF16:20 I8MM:24
ID_MMFR4_EL1 SpecSEI:0 AC2:4 XNX:8 CnP:12 HPDS:16 LSM:20 CCIDX:24 EVT:28
MVFR0_EL1 SIMDReg:0 FPSP:4 FPDP:8 FPTrap:12 FPDivide:16 FPSqrt:20 FPShVec:24 FPRound:28
MVFR1_EL1 FPFtZ:0 FPDNaN:4 SIMDLS:8 SIMDInt:12 SIMDSP:16 SIMDHP:20 FPHP:24 SIMDFMAC:28
MVFR2_EL1 SIMDMisc:0 FPMisc:4
ID_PFR2_EL1 CSV3:0 SSBS:4 RAS_frac:8
ID_DFR1_EL1 MTPMU:0 HPMN0:4
ID_MMFR5_EL1 ETS:0 nTLBPA:4
ID_AA64PFR0_EL1 EL0:0 EL1:4 EL2:8 EL3:12 FP:16 AdvSIMD:20 GIC:24 RAS:28 SVE:32 SEL2:36 MPAM:40 AMU:44 DIT:48 RME:52 CSV2:56 CSV3:60
ID_AA64PFR1_EL1 BT:0 SSBS:4 MTE:8 RAS_frac:12 MPAM_frac:16 SME:24 RNDR_trap:28 CSV2_frac:32 NMI:36 MTE_frac:40 GCS:44 THE:48 MTEX:52 DF2:56 PFAR:60
ID_AA64PFR2_EL1 MTEPERM:0 MTESTOREONLY:4 MTEFAR:8 GCIE:12 UINJ:16 FPMR:32
ID_AA64ZFR0_EL1 SVEver:0 AES:4 EltPerm:12 BitPerm:16 BF16:20 B16B16:24 SHA3:32 SM4:40 I8MM:44 F16MM:48 F32MM:52 F64MM:56
ID_AA64SMFR0_EL1 SMOP4:0+1 STMOP:16+1 SFEXPA:23+1 AES:24+1 SBitPerm:25+1 SF8DP2:28+1 SF8DP4:29+1 SF8FMA:30+1 F32F32:32+1 BI32I32:33+1 B16F32:34+1 F16F32:35+1 I8I32:36 F8F32:40+1 F8F16:41+1 F16F16:42+1 B16B16:43+1 I16I32:44 F64F64:48+1 I16I64:52 SMEver:56 LUTv2:60+1 LUT6:61+1 FA64:63+1
ID_AA64FPFR0_EL1 F8E5M2:0+1 F8E4M3:1+1 F16MM2:15+1 F8MM4:26+1 F8MM8:27+1 F8DP2:28+1 F8DP4:29+1 F8FMA:30+1 F8CVT:31+1
ID_AA64DFR0_EL1 DebugVer:0 TraceVer:4 PMUVer:8 BRPs:12 PMSS:16 WRPs:20 SEBEP:24 CTX_CMPs:28 PMSVer:32 DoubleLock:36 TraceFilt:40 TraceBuffer:44 MTPMU:48 BRBE:52 ExtTrcBuff:56 HPMN0:60
ID_AA64DFR1_EL1 SYSPMUID:0+8 BRPs:8+8 WRPs:16+8 CTX_CMPs:24+8 SPMU:32 PMICNTR:36 ABLE:40 ITE:44 EBEP:48 DPFZS:52 ABL_CMPs:56+8
ID_AA64DFR2_EL1 STEP:0 BWE:4 SPE_EXC:16 SPE_nVM:20 TRBE_EXC:24
ID_AA64AFR0_EL1 IMPDEF0:0 IMPDEF1:4 IMPDEF2:8 IMPDEF3:12 IMPDEF4:16 IMPDEF5:20 IMPDEF6:24 IMPDEF7:28
ID_AA64ISAR0_EL1 AES:4 SHA1:8 SHA2:12 CRC32:16 ATOMIC:20 RDM:28 SHA3:32 SM3:36 SM4:40 DP:44 FHM:48 TS:52 TLB:56 RNDR:60
ID_AA64ISAR1_EL1 DPB:0 APA:4 API:8 JSCVT:12 FCMA:16 LRCPC:20 GPA:24 GPI:28 FRINTTS:32 SB:36 SPECRES:40 BF16:44 DGH:48 I8MM:52 XS:56 LS64:60
ID_AA64ISAR2_EL1 WFxT:0 RPRES:4 GPA3:8 APA3:12 MOPS:16 BC:20 PAC_frac:24 CLRBHB:28 SYSREG_128:32 SYSINSTR_128:36 PRFMSLC:40 PCDPHINT:44 RPRFM:48 CSSC:52 LUT:56 ATS1A:60
ID_AA64ISAR3_EL1 CPA:0 FAMINMAX:4 TLBIW:8 PACM:12 LSFE:16 OCCMO:20 LSUI:24 FPRCVT:28
ID_AA64MMFR0_EL1 PARANGE:0 ASIDBITS:4 BIGEND:8 SNSMEM:12 BIGENDEL0:16 TGRAN16:20 TGRAN64:24 TGRAN4:28 TGRAN16_2:32 TGRAN64_2:36 TGRAN4_2:40 EXS:44 FGT:56 ECV:60
ID_AA64MMFR1_EL1 HAFDBS:0 VMIDBits:4 VH:8 HPDS:12 LO:16 PAN:20 SpecSEI:24 XNX:28 TWED:32 ETS:36 HCX:40 AFP:44 nTLBPA:48 TIDCP1:52 CMOW:56 ECBHB:60
ID_AA64MMFR2_EL1 CnP:0 UAO:4 LSM:8 IESB:12 VARange:16 CCIDX:20 NV:24 ST:28 AT:32 IDS:36 FWB:40 TTL:48 BBM:52 EVT:56 E0PD:60
ID_AA64MMFR3_EL1 TCRX:0 SCTLRX:4 S1PIE:8 S2PIE:12 S1POE:16 S2POE:20 AIE:24 MEC:28 D128:32 D128_2:36 SNERR:40 ANERR:44 SDERR:52 ADERR:56 Spec_FPACC:60
ID_AA64MMFR4_EL1 PoPS:0 EIESB:4 ASID2:8 HACDBS:12 FGWTE3:16 NV_frac:20 E2H0:24 RMEGDI:28 EAESR:32 E3DSE:36 TLBID:40 SRMASK:44 TPS:48 TEV:52 SCRX:56 MTEFGT:60
CLIDR_EL1 Ctype1:0+3 Ctype2:3+3 Ctype3:6+3 Ctype4:9+3 Ctype5:12+3 Ctype6:15+3 Ctype7:18+3 LoUIS:21+3 LoC:24+3 LoUU:27+3 ICB:30+3 Ttypen:33+14
CTR_EL0 IminLine:0 L1Ip:14+2 DminLine:16 ERG:20 CWG:24 IDC:28+1 DIC:29+1 TminLine:32+6
MIDR_EL1 Revision:0 PartNum:4+12 Architecture:16 Variant:20 Implementer:24+8
KVM_REG_ARM_PSCI_VERSION MINOR:0+16 MAJOR:16+15
KVM_REG_ARM_STD_BMAP TRNG_V1_0:0+1
KVM_REG_ARM_STD_HYP_BMAP PV_TIME:0+1
KVM_REG_ARM_VENDOR_HYP_BMAP FUNC_FEAT:0+1 PTP:1+1
KVM_REG_ARM_VENDOR_HYP_BMAP_2 DISCOVER_IMPL_VER:0+1 DISCOVER_IMPL_CPUS:1+1
`;

/** Bits of a register that have a meaning of their own. */
export interface RegisterField {
  /** Its name, or where it has none here its bits, `[7:4]`. */
  readonly name: string;
  /** The lowest bit. */
  readonly shift: number;
  /** How many bits. */
  readonly width: number;
}

const DIGIT = 4;

let known: ReadonlyMap<string, readonly RegisterField[]> | undefined;

function table(): ReadonlyMap<string, readonly RegisterField[]> {
  known ??= new Map(
    TABLE.trim()
      .split('\n')
      .map(line => {
        const [register = '', ...fields] = line.split(' ');
        return [register, fields.map(parseField)] as const;
      }),
  );
  return known;
}

function parseField(text: string): RegisterField {
  const [, name = '', shift, width = DIGIT] = /^(\w+):(\d+)(?:\+(\d+))?$/.exec(text) ?? [];
  return { name, shift: Number(shift), width: Number(width) };
}

/**
 * The fields of a register, lowest first: those with a name here, and hex digits where no name reaches. None of a
 * register of more than 64 bits.
 *
 * @example
 * ```ts
 * registerFields(parseRegister('ID_AA64PFR0_EL1'))[8]; // { name: 'SVE', shift: 32, width: 4 }
 * ```
 */
export function registerFields(id: bigint): readonly RegisterField[] {
  const bits = registerBits(id);
  if (bits > 64) return [];
  const named = table().get(formatRegister(id)) ?? [];
  const fields: RegisterField[] = [];
  let shift = 0;
  for (const field of [...named, { name: '', shift: bits, width: 0 }]) {
    while (shift < field.shift) {
      const width = Math.min(DIGIT - (shift % DIGIT), field.shift - shift);
      fields.push({ name: width === 1 ? `[${shift}]` : `[${shift + width - 1}:${shift}]`, shift, width });
      shift += width;
    }
    if (field.width > 0) fields.push(field);
    shift = field.shift + field.width;
  }
  return fields;
}

/** What a field has in a register's value. */
export function fieldValue({ shift, width }: RegisterField, value: bigint): bigint {
  return BigInt.asUintN(width, value >> BigInt(shift));
}
