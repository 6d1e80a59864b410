// Shuts the isolate once everything is loaded. FEEL has no way to JavaScript's objects; should one ever be found, there is
// nothing behind it: no code from text, no timers, no shared memory, and prototypes that cannot be changed, so that one
// evaluation leaves nothing behind for the next. (The isolate has no files, network or processes to begin with.)
const KINDS = [function () {}, async function () {}, function* () {}, async function* () {}];
const GONE = [
  'eval', 'Function', 'WebAssembly', 'SharedArrayBuffer', 'Atomics', 'setTimeout', 'clearTimeout', '__timer_manager', 'ShadowRealm',
  'FinalizationRegistry', 'WeakRef', 'Proxy', 'Reflect', 'console',
];

/** Leaves `keep` as the only global that is ours. */
export function lockDown(keep) {
  for (const kind of KINDS) Object.defineProperty(Object.getPrototypeOf(kind), 'constructor', { value: undefined });
  for (const name of GONE) {
    if (!delete globalThis[name]) globalThis[name] = undefined;
  }
  for (const name of Object.getOwnPropertyNames(globalThis)) {
    const value = globalThis[name];
    if (typeof value !== 'function' && name !== 'JSON' && name !== 'Math') continue;
    if (value.prototype) Object.freeze(value.prototype);
    Object.freeze(value);
  }
  Object.defineProperty(globalThis, keep, { writable: false, configurable: false });
  Object.preventExtensions(globalThis);
}
