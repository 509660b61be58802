// Builds the console (`src/console`) into dist/console: one document and files with a hash of their content in their names. Given a folder,
// builds into that one; given a file too, writes there which files of source it has something of, relative to the checkout.

import { writeFileSync } from 'node:fs';
import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'vite';

const root = fileURLToPath(new URL('..', import.meta.url));
const [, , folder, list] = process.argv;

const built = await build({
  root: fileURLToPath(new URL('../src/console', import.meta.url)),
  configFile: false,
  logLevel: 'warn',
  base: '/',
  // Nothing is taken from the environment of whoever builds.
  envPrefix: 'UPSTREAMPROXY_CONSOLE_NEVER_',
  publicDir: false,
  build: {
    outDir: folder ?? `${root}/dist/console`,
    emptyOutDir: true,
    assetsDir: 'assets',
    // A file in an address of its own would need `data:` in the page's policy.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    target: 'es2023',
    reportCompressedSize: false,
    license: { fileName: 'LICENSES.md' },
  },
});
if (list !== undefined) {
  const outputs = 'close' in built ? [] : [built].flat().flatMap(({ output }) => output);
  const modules = outputs.flatMap((output) => (output.type === 'chunk' ? Object.keys(output.modules) : []));
  // What the bundler adds of its own has names that begin with a zero.
  const files = modules
    .filter((name) => !name.startsWith('\0'))
    .map((name) => relative(root, name.split('?', 1)[0] ?? ''));
  writeFileSync(list, JSON.stringify([...new Set(files)].toSorted()));
}
console.log(`${folder ?? 'dist/console'}: the console`);
