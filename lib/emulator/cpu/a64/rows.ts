/** Every class of instruction words that the decoder knows. */
import type { Row } from '../instruction.ts';
import { BRANCH } from './branches.ts';
import { CHECKSUMS } from './checksums.ts';
import { ATOMIC } from './exclusives.ts';
import { FLAGS } from './flags.ts';
import { FP } from './fp.ts';
import { GAPS } from './gaps.ts';
import { IMMEDIATE } from './immediate.ts';
import { LOAD_STORE } from './loads-stores.ts';
import { REGISTER } from './register.ts';
import { SIMD_FP } from './simd-fp.ts';
import { SIMD_FP_UNARY } from './simd-fp-unary.ts';
import { SIMD_INTEGER } from './simd-integer.ts';
import { SIMD_LOAD_STORE } from './simd-loads-stores.ts';
import { SIMD_LONG } from './simd-long.ts';
import { SIMD_MISC } from './simd-misc.ts';
import { SIMD_MOVE } from './simd-move.ts';
import { SIMD_SHIFT } from './simd-shift.ts';
import { SYSTEM } from './system.ts';

export const ROWS: readonly Row[] = [
  ...IMMEDIATE,
  ...REGISTER,
  ...CHECKSUMS,
  ...FLAGS,
  ...BRANCH,
  ...LOAD_STORE,
  ...ATOMIC,
  ...SYSTEM,
  ...FP,
  ...SIMD_LOAD_STORE,
  ...SIMD_MOVE,
  ...SIMD_INTEGER,
  ...SIMD_MISC,
  ...SIMD_SHIFT,
  ...SIMD_LONG,
  ...SIMD_FP,
  ...SIMD_FP_UNARY,
  ...GAPS,
];
