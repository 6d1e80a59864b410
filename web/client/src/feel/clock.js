// FEEL's now() and today() read the engine's clock, not the machine's: Python sends the instant with every call.
import { Temporal } from 'temporal-polyfill';

let clock = ['1970-01-01T00:00:00Z', 'UTC'];

/** Sets the clock: ISO instant and the clinic's zone. */
export function setClock(now) {
  clock = now;
}

const here = () => Temporal.Instant.from(clock[0]).toZonedDateTimeISO(clock[1]);

Object.defineProperty(Temporal.Now, 'zonedDateTimeISO', { value: here });
Object.defineProperty(Temporal.Now, 'plainDateISO', { value: () => here().toPlainDate() });
