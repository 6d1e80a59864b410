// Bundles the browser's scripts and the FEEL engine's script. Called by hatch_build.py, or `npm run build`.
import { readFileSync, readdirSync, rmSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

import { build } from 'esbuild';

const here = dirname(fileURLToPath(import.meta.url));
const src = (name) => join(here, 'src', name);
const dist = join(here, '../static/dist');
const feel = join(here, '../../engine/execution/feel/bundle.js');

const PAGES = ['app', 'inbox', 'viewer', 'modeler', 'dmn', 'forms', 'simulation', 'charts', 'compare'];

const common = {
  absWorkingDir: here,
  bundle: true,
  minify: true,
  format: 'iife',
  target: ['es2021'],
  legalComments: 'linked',
  logLevel: 'warning',
};

const [pages] = await Promise.all([
  // Fonts travel inside the style sheets: one request less, and no path to get wrong behind a proxy.
  build({
    ...common,
    entryPoints: PAGES.map((name) => src(`${name}.js`)),
    outdir: dist,
    metafile: true,
    loader: { '.woff': 'dataurl', '.woff2': 'dataurl', '.ttf': 'empty', '.eot': 'empty', '.svg': 'dataurl' },
    define: { 'process.env.NODE_ENV': '"production"' },
  }),
  // The same FEEL in V8 on the server and in the editor. Not minified names: they show in error messages.
  build({ ...common, entryPoints: [src('feel.js')], outfile: feel, keepNames: true, legalComments: 'inline' }),
]);

// What an earlier build left is removed only now, so that a running clinic never misses a file meanwhile.
const written = new Set(Object.keys(pages.metafile.outputs).map((path) => resolve(here, path)));

for (const name of readdirSync(dist).sort()) {
  const path = join(dist, name);
  if (!written.has(path)) rmSync(path);
  if (!written.has(path) || !/\.(js|css)$/.test(name)) continue;
  const zipped = gzipSync(readFileSync(path)).length;
  console.log(`${name.padEnd(16)} ${String(Math.round(statSync(path).size / 1024)).padStart(6)} KB ${String(Math.round(zipped / 1024)).padStart(6)} KB gz`);
}
