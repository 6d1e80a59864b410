// range("[1..5)"): a range from its text. Its ends are constants, one of them may be missing.
import { isRange } from 'feelin';

import { constantTests } from './cells.js';
import { rangeOf } from './ranges.js';
import { complain, define } from './signature.js';
import { decode } from './values.js';

const RANGE = /^\s*([[(\]])(.*?)\.\.(.*?)([\])[])\s*$/s;
const LITERAL = /^(-?\d*\.?\d+|@?"[^"]*"|(date|time|date and time|duration|years and months duration)\s*\(\s*"[^"]*"\s*\))$/;

define('range', 'from: string', (text) => {
  const found = RANGE.exec(text);
  const ends = found && [found[2], found[3]].map(constant);
  const [open, close] = found ? [found[1] === '[', found[4] === ']'] : [];
  if (!ends || ends.includes(undefined) || ends.every((end) => end === null)) return complain(`range: ${text} is none`);
  if ((ends[0] === null && open) || (ends[1] === null && close)) return complain('range: an end that is missing is not included');
  return rangeOf(ends[0], ends[1], open, close) ?? complain(`range: the ends of ${text} do not go together`);
});

/** The value of a literal; null when there is none, undefined when it is something else. */
function constant(text) {
  if (text.trim() === '') return null;
  if (!LITERAL.test(text.trim())) return undefined;
  const found = constantTests(text.trim());
  if (!found?.tests || found.negate || found.tests.length !== 1) return undefined;
  const value = decode(found.tests[0]);
  return value === null || isRange(value) ? undefined : value;
}
