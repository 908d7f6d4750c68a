/**
 * Findings of a comparison or a plan, for people and as JSON.
 *
 * @packageDocumentation
 */
import { styleText } from 'node:util';
import { describeFinding, type Finding, type Verdict } from '../state.ts';

/** For the help: the fields of a finding in JSON. */
export const FINDING_FIELDS =
  'what, effect (lacked, refused, changed, added), name, id, vcpu, source and destination (values), fields (name, source, destination), code (errno), guestNotices, remedy (action, on, value, text)';

const COLOURS = { identical: 'green', superset: 'green', compatible: 'yellow', incompatible: 'red' } as const;

/** A verdict in its colour. */
export function colouredVerdict(verdict: Verdict, text: string = verdict): string {
  return styleText(COLOURS[verdict], text);
}

const EFFECTS: readonly Finding['effect'][] = ['refused', 'lacked', 'changed', 'added'];

/** What a guest notices first, and of that what stops a restore. */
export function inOrder(findings: readonly Finding[]): Finding[] {
  return findings.toSorted(
    (a, b) =>
      Number(b.guestNotices) - Number(a.guestNotices) ||
      EFFECTS.indexOf(a.effect) - EFFECTS.indexOf(b.effect),
  );
}

/** A list with a line for each finding, those that stop a restore first, and their remedies below. */
export function formatFindings(findings: readonly Finding[]): string {
  return inOrder(findings)
    .map(finding => {
      const unnoticed = finding.guestNotices ? '' : styleText('dim', ' [no guest notices]');
      const cure = finding.remedy === undefined ? '' : `\n    ${finding.remedy.text}`;
      return `  ${describeFinding(finding)}${unnoticed}${cure}`;
    })
    .join('\n');
}
