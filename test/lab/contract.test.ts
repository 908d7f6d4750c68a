/** The contract on a real kernel: one boot runs every case, and each test here is the verdict of one. */
import { beforeAll, describe, it } from 'vitest';
import { suites } from '../contract/index.ts';
import { type CaseResult, casesOf } from './contract-cases.ts';
import { describeLab, runPackage } from './tier.ts';

/** The guest is slow, and the contract grows. */
const WHOLE_CONTRACT = 600_000;

describeLab('the contract on a real kernel', () => {
  const verdicts = new Map<string, CaseResult>();
  let end = '';

  beforeAll(async () => {
    const { status, stdout, stderr } = await runPackage({
      script: 'dist/test/lab/contract-runner.js',
      timeoutMs: WHOLE_CONTRACT,
    });
    for (const line of stdout.toString().split('\n').slice(0, -1)) {
      const result = JSON.parse(line) as CaseResult;
      verdicts.set(JSON.stringify(result.path), result);
    }
    end = `status ${status}\n${stderr}`;
  }, WHOLE_CONTRACT);

  const open = () => {
    throw new Error('cases are named here, and run in the guest');
  };
  for (const [name, suite] of Object.entries(suites)) {
    describe(name, () => {
      for (const { path } of casesOf({ [name]: suite }, open)) {
        it(path.slice(1).join(' > '), () => {
          const verdict = verdicts.get(JSON.stringify(path));
          if (verdict === undefined) throw new Error(`the guest did not get to this case: ${end}`);
          if (verdict.error !== undefined) throw new Error(`in the guest: ${verdict.error}`);
        });
      }
    });
  }
});
