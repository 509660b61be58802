// Builds the console (`src/console`) into dist/console: one document and files with a hash of their content in their names. Given a folder,
// builds into that one.

import { fileURLToPath } from 'node:url';
import { build } from 'vite';

const root = fileURLToPath(new URL('..', import.meta.url));

await build({
  root: fileURLToPath(new URL('../src/console', import.meta.url)),
  configFile: false,
  logLevel: 'warn',
  base: '/',
  // Nothing is taken from the environment of whoever builds.
  envPrefix: 'UPSTREAMPROXY_CONSOLE_NEVER_',
  publicDir: false,
  build: {
    outDir: process.argv[2] ?? `${root}/dist/console`,
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
console.log('dist/console: the console');
