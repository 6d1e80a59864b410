// Reading a variable or an entry by its name. Only what is there itself counts: nothing is inherited from JavaScript.
import { normalizeContextKey } from 'lezer-feel';

/** A context's entry, undefined when it has none. Names match whatever their spacing. */
export function entry(context, name) {
  if (Object.hasOwn(context, name)) return context[name];
  const wanted = normalizeContextKey(name);
  for (const key of Object.keys(context)) if (normalizeContextKey(key) === wanted) return context[key];
  return undefined;
}

/** The variables as the outermost scope. Scopes nest by prototype; the outermost has none, so JavaScript's own stay out. */
export function scopeOf(variables) {
  const scope = Object.create(null);
  for (const name of Object.keys(variables)) scope[normalizeContextKey(name)] = variables[name];
  return scope;
}

/** A scope within a scope. */
export function inner(scope, names = {}) {
  const nested = Object.create(scope);
  for (const name of Object.keys(names)) define(nested, normalizeContextKey(name), names[name]);
  return nested;
}

/** Sets an own property, whatever it is called. */
export function define(target, name, value) {
  Object.defineProperty(target, name, { value, enumerable: true, writable: true, configurable: true });
}
