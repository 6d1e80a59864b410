// String functions, and XPath's regular expressions (which FEEL uses) in terms of JavaScript's.
import { complain, define } from './signature.js';
import { stringOf } from './text.js';

define('string', 'from: any', (from) => (from === null ? null : stringOf(from)));

define('substring', 'string: string, start position: number, length: number?', (string, start, length) => {
  const letters = Array.from(string);
  const at = Math.trunc(start);
  if (at === 0 || Math.abs(at) > letters.length) return complain(`substring: there is no position ${start}`);
  if (length !== undefined && (length === null || length < 1)) return complain('substring: the length must be at least 1');
  const from = at < 0 ? letters.length + at : at - 1;
  return letters.slice(from, length === undefined ? undefined : from + Math.trunc(length)).join('');
});

define('matches', 'input: string, pattern: string, flags: string?', (input, pattern, flags) => {
  const expression = regular(pattern, flags ?? '');
  return expression ? expression.test(input) : complain(`matches: ${pattern} is no pattern`);
});

define('replace', 'input: string, pattern: string, replacement: string, flags: string?', (input, pattern, replacement, flags) => {
  const expression = regular(pattern, flags ?? '', 'g');
  if (!expression || new RegExp(expression.source, expression.flags).test('')) return complain(`replace: ${pattern} is no pattern to replace`);
  if ((flags ?? '').includes('q')) return input.replace(expression, () => replacement);
  if (!/^(\\[\\$]|\$\d|[^\\$])*$/s.test(replacement)) return complain('replace: $ and \\ need a number or an escape');
  return input.replace(expression, (...found) => filled(replacement, found));
});

define('split', 'string: string, delimiter: string', (string, delimiter) => {
  const expression = regular(delimiter, '');
  return expression ? string.split(new RegExp(ungrouped(expression.source), expression.flags)) : complain(`split: ${delimiter} is no pattern`);
});

define('extract', 'string: string, pattern: string', (string, pattern) => {
  const expression = regular(pattern, '', 'g');
  return expression ? Array.from(string.matchAll(expression), ([found]) => found) : complain(`extract: ${pattern} is no pattern`);
});
define('trim', 'string: string', (string) => string.trim());
define('is blank', 'string: string', (string) => string.trim() === '');

/** `$1` is a group as long as there are that many; further digits are text. */
function filled(replacement, found) {
  const groups = found.findIndex((part, at) => at > 0 && typeof part === 'number');
  return replacement.replace(/\\([\\$])|\$(\d+)/g, (_, escape, digits) => {
    if (escape) return escape;
    let count = digits.length;
    while (count > 1 && Number(digits.slice(0, count)) >= groups) count--;
    return (found[Number(digits.slice(0, count))] ?? '').toString().replace(/^\d+$/, (text) => text) + digits.slice(count);
  });
}

const ungrouped = (source) => source.replace(/(\\.|\[(?:\\.|[^\]])*\])|\((?!\?)/gs, (all, kept) => kept ?? '(?:');

const BLOCKS = {
  BasicLatin: '\\u0000-\\u007F', 'Latin-1Supplement': '\\u0080-\\u00FF', 'LatinExtended-A': '\\u0100-\\u017F',
  'LatinExtended-B': '\\u0180-\\u024F', Greek: '\\u0370-\\u03FF', GreekandCoptic: '\\u0370-\\u03FF', Cyrillic: '\\u0400-\\u04FF',
  Hebrew: '\\u0590-\\u05FF', Arabic: '\\u0600-\\u06FF', Thai: '\\u0E00-\\u0E7F', Hiragana: '\\u3040-\\u309F',
  Katakana: '\\u30A0-\\u30FF', CJKUnifiedIdeographs: '\\u4E00-\\u9FFF', GeneralPunctuation: '\\u2000-\\u206F',
};
const CLASSES = {
  i: '\\p{L}_:', c: '\\p{L}\\p{N}\\p{M}\\-._:\\u00B7', d: '\\p{Nd}', s: ' \\t\\n\\r',
};
const SUBTRACTION = /\[((?:[^[\]\\]|\\.)*)-\[((?:[^[\]\\]|\\.)*)\]\]/gs; // [A-Z-[OI]]: a class without another
const kept = new Map();

/** The JavaScript form of an XPath pattern; null when it is none. */
export function regular(pattern, flags, more = '') {
  const key = `${flags}\n${more}\n${pattern}`;
  if (kept.has(key)) return kept.get(key);
  if (kept.size > 500) kept.clear();
  const made = compiled(pattern, flags, more);
  kept.set(key, made);
  return made;
}

function compiled(pattern, flags, more) {
  if (/[^smixq]/.test(flags)) return null;
  const plain = flags.replace(/[xq]/g, '') + more;
  try {
    if (flags.includes('q')) return new RegExp(pattern.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&').replace(/\\-/g, '-'), `u${plain}`);
    const source = translated(flags.includes('x') ? spaceless(pattern) : pattern);
    return source === null ? null : new RegExp(source, `${pattern.search(SUBTRACTION) < 0 ? 'u' : 'v'}${plain}`);
  } catch {
    return null; // not a pattern
  }
}

/** Flag x: spaces outside of classes do not count. */
const spaceless = (pattern) => {
  let depth = 0;
  return Array.from(pattern).filter((letter, at, all) => {
    if (letter === '[' && all[at - 1] !== '\\') depth++;
    if (letter === ']' && all[at - 1] !== '\\') depth--;
    return depth > 0 || !' \t\r\n'.includes(letter);
  }).join('');
};

function translated(pattern) {
  if (/\(\?(?!:)|\\0|\\[^nrt\\|.?*+(){}$\-[\]^sSiIcCdDwWpP1-9]/.test(pattern)) return null;
  let depth = 0;
  return pattern.replace(SUBTRACTION, '[[$1]--[$2]]').replace(/\\p\{Is([\w-]+)\}|\\P\{Is([\w-]+)\}|\\([icds])|\\([ICDS])|\\-|[[\]]|\\./gs, (found, block, notBlock, set, notSet) => {
    if (block) return depth ? BLOCKS[block] ?? '\\p{Unknown}' : `[${BLOCKS[block] ?? '\\p{Unknown}'}]`;
    if (notBlock) return `[^${BLOCKS[notBlock] ?? '\\p{Unknown}'}]`;
    if (set) return depth ? CLASSES[set] : `[${CLASSES[set]}]`;
    if (notSet) return `[^${CLASSES[notSet.toLowerCase()]}]`;
    if (found === '\\-') return depth ? found : '-';
    if (found === '[') depth++;
    if (found === ']') depth--;
    return found;
  });
}
