// Texts: what escapes in a literal stand for, and the text that stands for a value.
import { isRange } from 'feelin';

import { typeOf } from './compare.js';
import { isTemporal, textOf } from './temporal.js';

const LETTERS = { n: '\n', r: '\r', t: '\t', '"': '"', "'": "'", '\\': '\\' };

/** A string literal's content; escapes that FEEL does not know stay as they are (regular expressions use them). */
export function escaped(text) {
  return text.replace(/\\(?:U([0-9a-fA-F]{6})|u([0-9a-fA-F]{4})|(["'\\nrt]))/g, (_, long, short, letter) => (
    letter ? LETTERS[letter] : String.fromCodePoint(parseInt(long ?? short, 16))
  ));
}

/** What `string(value)` gives. */
export function stringOf(value) {
  return typeof value === 'string' ? value : literalOf(value);
}

function literalOf(value) {
  if (value === null || value === undefined) return 'null';
  if (typeof value === 'string') return `"${value.replace(/["\\]/g, '\\$&')}"`;
  if (typeof value === 'number') return plainNumber(value);
  if (typeof value === 'boolean') return String(value);
  if (Array.isArray(value)) return `[${value.map(literalOf).join(', ')}]`;
  if (isTemporal(value)) return textOf(value);
  if (isRange(value)) return rangeText(value);
  if (typeOf(value) !== 'context') return 'function';
  return `{${Object.entries(value).map(([key, item]) => `${/^[\p{L}_][\p{L}\p{N}_]*$/u.test(key) ? key : literalOf(key)}: ${literalOf(item)}`).join(', ')}}`;
}

function rangeText(range) {
  const [open, close] = [range['start included'] ? '[' : '(', range['end included'] ? ']' : ')'];
  const bound = (value) => (value === null ? '' : isTemporal(value) ? `@"${textOf(value)}"` : literalOf(value));
  return `${open}${bound(range.start)}..${bound(range.end)}${close}`;
}

/** FEEL writes numbers without exponents. */
function plainNumber(value) {
  const text = String(value);
  if (!text.includes('e')) return text;
  const [mantissa, exponent] = text.split('e');
  const [whole, fraction = ''] = mantissa.replace('-', '').split('.');
  const places = Number(exponent);
  const digits = whole + fraction;
  const plain = places < 0 ? `0.${'0'.repeat(-places - 1)}${digits}` : digits.padEnd(places + 1, '0');
  return value < 0 ? `-${plain}` : plain;
}
