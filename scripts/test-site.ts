// `npm run test:site`: builds the documentation site and looks at it in a real browser.

import { runBrowserTests } from './browser-tests.ts';

const passed = await runBrowserTests({
  name: 'site',
  build: ['scripts/build-site.ts', '--archive', 'site/documents.tar.zst'],
  files: ['test/site/site.browser.ts'],
  picturesVariable: 'UPSTREAMPROXY_SITE_PICTURES',
});
if (!passed) process.exitCode = 1;
