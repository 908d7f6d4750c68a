/**
 * The word that was probably meant.
 *
 * @packageDocumentation
 */

/** Fewer letters begin too many words to tell one. */
const LEAST_BEGINNING = 3;

/**
 * The candidate closest to a word, for "did you mean", ignoring case: the shortest that begins with it; else by edit
 * distance (insert, delete, replace, swap neighbours), and none when even the closest differs in more than a third of
 * the letters. The first of equals.
 */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
  // What is no word at all, such as a number, has no near word; and its length would make the search slow.
  if (word.length > 64 || !/[a-z]/i.test(word)) return undefined;
  const wanted = word.toUpperCase();
  if (word.length >= LEAST_BEGINNING) {
    const longer = candidates.filter(candidate => candidate.toUpperCase().startsWith(wanted));
    if (longer.length > 0) return longer.reduce((a, b) => (b.length < a.length ? b : a));
  }
  let best: string | undefined;
  let bound = Math.max(1, Math.floor(word.length / 3)) + 1;
  for (const candidate of candidates) {
    const distance = editDistance(wanted, candidate.toUpperCase(), bound);
    if (distance < bound) [best, bound] = [candidate, distance];
  }
  return best;
}

/** " (did you mean X?)", or nothing: the end of a sentence about an unknown name. */
export function didYouMean(word: string, candidates: readonly string[]): string {
  const candidate = nearest(word, candidates);
  return candidate === undefined ? '' : ` (did you mean ${candidate}?)`;
}

/** Rows of the distance table, as long as the longest word: reused, since a search compares with a thousand names. */
let [before, above, row] = [new Uint8Array(65), new Uint8Array(65), new Uint8Array(65)];

/** Edit distance of optimal string alignment, at most 64 letters; `bound` or more where it reaches the bound. */
function editDistance(a: string, b: string, bound: number): number {
  if (b.length > 64 || Math.abs(a.length - b.length) >= bound) return bound;
  for (let j = 0; j <= b.length; j++) above[j] = j;
  for (let i = 1; i <= a.length; i++) {
    let least = i;
    row[0] = i;
    for (let j = 1; j <= b.length; j++) {
      const replace = above[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      let cost = Math.min(above[j]! + 1, row[j - 1]! + 1, replace);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        cost = Math.min(cost, before[j - 2]! + 1);
      }
      row[j] = cost;
      least = Math.min(least, cost);
    }
    if (least >= bound) return bound;
    [before, above, row] = [above, row, before];
  }
  return above[b.length]!;
}
