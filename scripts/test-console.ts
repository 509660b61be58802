// `npm run test:console [-- FILE…]`: builds the console and opens it in a real browser, before a real gateway with real traffic. There are
// pictures of each view.

import { globSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { runBrowserTests } from './browser-tests.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const named = process.argv.slice(2);
const passed = await runBrowserTests({
  name: 'console',
  build: ['scripts/build-console.ts'],
  files: named.length > 0 ? named : globSync('test/console/browser/*.browser.ts', { cwd: root }).sort(),
  picturesVariable: 'UPSTREAMPROXY_CONSOLE_PICTURES',
});
if (!passed) process.exitCode = 1;
