// Numeric functions. Rounding works on the decimal digits, so that 1.005 to two places is 1.01 as in any ledger.
import { number } from './arithmetic.js';
import { complain, define } from './signature.js';

/** How the magnitude's remainder rounds: whether to take the next one away from zero. */
const MODES = {
  floor: (twice, odd, negative) => negative,
  ceiling: (twice, odd, negative) => !negative,
  up: () => true,
  down: () => false,
  'half up': (twice) => twice >= 0,
  'half down': (twice) => twice > 0,
  'half even': (twice, odd) => twice > 0 || (twice === 0 && odd),
};

/** A number rounded to so many decimals. */
export function rounded(value, scale, mode) {
  const places = Math.trunc(scale);
  if (places < -6111 || places > 6176) return complain(`a scale of ${places} is out of range`);
  const [mantissa, exponent] = Math.abs(value).toExponential().split('e');
  const digits = BigInt(mantissa.replace('.', ''));
  const shift = Number(exponent) - (mantissa.length > 1 ? mantissa.length - 2 : 0) + places;
  if (shift >= 0) return value;
  const divisor = 10n ** BigInt(-shift);
  const [whole, rest] = [digits / divisor, digits % divisor];
  const twice = 2n * rest - divisor;
  const away = rest !== 0n && MODES[mode](twice > 0n ? 1 : twice < 0n ? -1 : 0, whole % 2n === 1n, value < 0);
  const magnitude = Number(`${whole + (away ? 1n : 0n)}e${-places}`);
  return value < 0 ? 0 - magnitude : magnitude;
}

define('decimal', 'n: number, scale: number', (n, scale) => rounded(n, scale, 'half even'));
define('floor', 'n: number, scale: number?', (n, scale) => (scale === null ? null : rounded(n, scale ?? 0, 'floor')));
define('ceiling', 'n: number, scale: number?', (n, scale) => (scale === null ? null : rounded(n, scale ?? 0, 'ceiling')));
for (const mode of ['up', 'down', 'half up', 'half down']) {
  define(`round ${mode}`, 'n: number, scale: number', (n, scale) => rounded(n, scale, mode));
}
define('modulo', 'dividend: number, divisor: number', (dividend, divisor) => (
  divisor === 0 ? complain('modulo: the divisor is 0') : number(modulo(dividend, divisor))
));

function modulo(dividend, divisor) {
  const scale = Math.max(decimals(dividend), decimals(divisor));
  if (scale > 15) return dividend - divisor * Math.floor(dividend / divisor);
  const [a, b] = [Math.round(dividend * 10 ** scale), Math.round(divisor * 10 ** scale)];
  return (((a % b) + b) % b) / 10 ** scale;
}

const decimals = (value) => {
  const [mantissa, exponent] = value.toExponential().split('e');
  return Math.max(0, mantissa.length - 2 - Number(exponent));
};

const NUMBER = /^[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?$/;
const SEPARATORS = [' ', ',', '.'];

define('number', 'from: string, grouping separator: string?, decimal separator: string?', (from, grouping, decimal) => {
  if (grouping === undefined || decimal === undefined) return complain('number: both separators must be given');
  if (grouping !== null && (!SEPARATORS.includes(grouping) || grouping === (decimal ?? '.'))) return complain('number: bad grouping separator');
  if (decimal !== null && !['.', ','].includes(decimal)) return complain('number: bad decimal separator');
  let text = grouping === null ? from : from.split(grouping).join('');
  if (decimal === ',') text = text.split('.').join('#').replace(',', '.');
  return NUMBER.test(text) ? Number(text) : complain(`number: ${from} is no number`);
});
