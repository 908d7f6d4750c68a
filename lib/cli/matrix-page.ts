/**
 * All pairs of some hosts as one page of HTML: a table of verdicts, and behind each the findings. It loads nothing, and reads
 * without its script, which opens what a cell of the table leads to.
 *
 * @packageDocumentation
 */
import { describeFinding, type Finding, type HostComparison, type Verdict } from '../state.ts';
import { inOrder } from './findings.ts';

const VERDICTS: Readonly<Record<Verdict, readonly [sign: string, meaning: string]>> = {
  identical: ['=', 'nothing differs'],
  superset: ['✓', 'it loads, and the destination has more that no guest notices'],
  compatible: ['~', 'it loads, and a guest may notice what changed'],
  incompatible: ['✕', 'it does not load'],
};

const STYLE = `
:root {
  color-scheme: light dark;
  --ground: #fff; --text: #1c1f24; --faint: #5d6673; --line: #d8dde4; --panel: #f5f7f9; --link: #0b5cad;
  --identical: #dff3e4; --superset: #dff3e4; --compatible: #fdf0c8; --incompatible: #fbdcd9;
  --on-identical: #14592b; --on-superset: #14592b; --on-compatible: #6a4a00; --on-incompatible: #8a1c12;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #14171b; --text: #e4e8ed; --faint: #9aa4b1; --line: #333a43; --panel: #1c2127; --link: #7fb8f5;
    --identical: #173a23; --superset: #173a23; --compatible: #40340f; --incompatible: #4a1d1a;
    --on-identical: #9fdfb3; --on-superset: #9fdfb3; --on-compatible: #f0d27a; --on-incompatible: #ffb3ab;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; padding: 1.5rem clamp(.75rem, 3vw, 2.5rem) 4rem; max-width: 84rem;
  background: var(--ground); color: var(--text); font: 15px/1.5 system-ui, sans-serif;
}
h1 { font-size: 1.5rem; margin: 0 0 .25rem; }
h2 { font-size: 1.15rem; margin: 2.5rem 0 .5rem; }
p { margin: .25rem 0 .75rem; max-width: 46rem; }
.faint { color: var(--faint); }
.legend { display: flex; flex-wrap: wrap; gap: .25rem 1.5rem; padding: 0; margin: 1rem 0; list-style: none; }
.legend b, .tag { border-radius: .25rem; padding: .05rem .4rem; font-weight: 600; white-space: nowrap; }
.wide { overflow-x: auto; border: 1px solid var(--line); border-radius: .4rem; width: fit-content; max-width: 100%; }
table { border-collapse: separate; border-spacing: 0; }
.matrix th, .matrix td { border: 0 solid var(--line); border-width: 0 1px 1px 0; }
.matrix tr > :last-child { border-right-width: 0; }
.matrix tbody tr:last-child > * { border-bottom-width: 0; }
.matrix th { background: var(--panel); font-weight: 600; text-align: left; white-space: nowrap; padding: .35rem .6rem; }
.matrix tbody th { position: sticky; left: 0; z-index: 1; }
.matrix thead th { vertical-align: bottom; }
.matrix thead th > span { writing-mode: vertical-rl; transform: rotate(180deg); }
.matrix .corner { position: sticky; left: 0; z-index: 2; color: var(--faint); font-weight: 400; }
@media (max-width: 40rem) {
  .matrix tbody th, .matrix .corner { max-width: 38vw; white-space: normal; overflow-wrap: anywhere; font-size: .8rem; }
}
.matrix a {
  display: block; min-width: 2.6rem; padding: .35rem .5rem; text-align: center; text-decoration: none; font-weight: 600;
}
.matrix a:hover, .matrix a:focus-visible { outline: 2px solid var(--link); outline-offset: -2px; }
${Object.keys(VERDICTS)
  .map(
    verdict => `.${verdict}, .${verdict} a { background: var(--${verdict}); color: var(--on-${verdict}); }`,
  )
  .join('\n')}
details { border: 1px solid var(--line); border-radius: .4rem; margin: .4rem 0; scroll-margin-top: 1rem; }
details[open] { background: var(--panel); }
summary { cursor: pointer; padding: .4rem .75rem; overflow-wrap: anywhere; }
summary .tag { margin: 0 .4rem; }
details > :not(summary) { margin: .25rem .75rem .5rem; }
details ul { padding: 0 0 .5rem; list-style: none; }
li.finding { padding: .3rem 0; border-top: 1px solid var(--line); overflow-wrap: anywhere; }
.finding code { font: 13px/1.5 ui-monospace, monospace; }
.remedy::before { content: "→ "; }
.remedy { padding-left: 1.25rem; text-indent: -1.25rem; }
.unnoticed { opacity: .8; }
`;

const SCRIPT = `
function reveal() {
  const wanted = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (wanted instanceof HTMLDetailsElement) { wanted.open = true; wanted.scrollIntoView(); }
}
addEventListener('hashchange', reveal);
reveal();
`;

/**
 * The page.
 *
 * @param comparisons - a row for each source, with all destinations in the same order
 * @param made - by which program, and when
 */
export function matrixPage(comparisons: readonly (readonly HostComparison[])[], made: string): string {
  const hosts = comparisons.map(([first]) => first!.source);
  const counts = Object.entries(VERDICTS).map(([verdict, [sign, meaning]]) => {
    const count = comparisons.flat().filter(each => each.verdict === verdict).length;
    return `<li><b class="${verdict}">${sign} ${verdict}</b> ${count}: ${meaning}</li>`;
  });
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Will it load there? ${hosts.length} hosts</title>
<style>${STYLE}</style>
<h1>Will it load there?</h1>
<p>What becomes of a new vCPU that moves from a host on the left to one on top. Each cell leads to what was found.</p>
<ul class="legend">${counts.join('')}</ul>
<div class="wide" tabindex="0" role="region" aria-label="All pairs">
<table class="matrix">
<thead><tr><th class="corner" scope="col">from, to</th>${hosts.map(host => `<th scope="col"><span>${escapeHtml(host)}</span></th>`).join('')}</tr></thead>
<tbody>
${comparisons.map((row, i) => matrixRow(row, i)).join('\n')}
</tbody>
</table>
</div>
${comparisons.map((row, i) => findingsFrom(row, i)).join('\n')}
<p class="faint">${escapeHtml(made)}</p>
<script>${SCRIPT}</script>
</html>
`;
}

const idOf = (from: number, to: number) => `from-${from + 1}-to-${to + 1}`;

function matrixRow(row: readonly HostComparison[], from: number): string {
  const cells = row.map(({ source, destination, verdict, findings }, to) => {
    const title = `${source} to ${destination}: ${verdict}, ${countOf(findings.length)}`;
    return `<td class="${verdict}"><a href="#${idOf(from, to)}" title="${escapeHtml(title)}" aria-label="${escapeHtml(title)}">${VERDICTS[verdict][0]}</a></td>`;
  });
  return `<tr><th scope="row">${escapeHtml(row[0]!.source)}</th>${cells.join('')}</tr>`;
}

const countOf = (count: number) => `${count || 'no'} finding${count === 1 ? '' : 's'}`;

function findingsFrom(row: readonly HostComparison[], from: number): string {
  const pairs = row.map(({ destination, verdict, features, findings }, to) => {
    const known = `<p class="faint">With ${escapeHtml(features.join(', ') || 'no feature')}.</p>`;
    const list = inOrder(findings).map(listItem).join('');
    return `<details id="${idOf(from, to)}"><summary>to ${escapeHtml(destination)} <span class="tag ${verdict}">${VERDICTS[verdict][0]} ${verdict}</span><span class="faint">${countOf(findings.length)}</span></summary>${known}${findings.length === 0 ? '' : `<ul>${list}</ul>`}</details>`;
  });
  return `<h2>From ${escapeHtml(row[0]!.source)}</h2>\n${pairs.join('\n')}`;
}

function listItem(finding: Finding): string {
  const { guestNotices, remedy } = finding;
  const text = `<code>${escapeHtml(describeFinding(finding))}</code>`;
  const unnoticed = guestNotices ? '' : ' <span class="faint">no guest notices</span>';
  const cure = remedy === undefined ? '' : `<div class="remedy">${escapeHtml(remedy.text)}</div>`;
  return `<li class="finding${guestNotices ? '' : ' unnoticed'}">${text}${unnoticed}${cure}</li>`;
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Names of hosts come from files. */
function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, character => ENTITIES[character]!);
}
