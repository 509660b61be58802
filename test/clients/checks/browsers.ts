// Browsers without a screen. A page of loopback asks the origin and tells the program beside it what came.

import type { ClientCheck } from '../check.ts';

const pageFetch = `fetch('@https:web@/hello').then((response) => response.text())`;
// On the connection that stands, which is over HTTP/2 where the gateway offers it (RFC 8441).
const pageSocket = `fetch('@https:web@/hello', { mode: 'no-cors', credentials: 'include' }).then(() => new Promise((done, failed) => {
  const socket = new WebSocket('@wss:web@/ws');
  socket.onmessage = ({ data }) => done(data);
  socket.onerror = () => failed(new Error('the WebSocket failed'));
}))`;

/** Starts a browser with the URL of a page behind its arguments, prints what the page says, and ends the browser. */
const driver = `import { spawn } from 'node:child_process';
import http from 'node:http';

const page = \`<!doctype html><meta charset="utf-8"><script>
PAGE_PROGRAM.catch(String).then((said) => fetch('/said', { method: 'POST', body: said }));
</script>\`;
const server = http.createServer(async (request, response) => {
  if (request.url !== '/said') {
    response.setHeader('content-type', 'text/html');
    response.end(request.url === '/' ? page : '');
    return;
  }
  for await (const chunk of request) process.stdout.write(chunk);
  response.end(() => browser.kill('SIGKILL'));
});
await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
const [command, ...others] = process.argv.slice(2);
const proxy = process.env.https_proxy;
const filled = others.filter((other) => other !== '--proxy-server' || proxy !== undefined)
  .map((other) => (other === '--proxy-server' ? other + '=' + proxy : other));
const browser = spawn(command, [...filled, 'http://127.0.0.1:' + server.address().port + '/'], { stdio: ['ignore', 'ignore', 'inherit'] });
browser.on('exit', () => { server.close(); server.closeAllConnections(); });
`;

function chromiumCheck(
  id: string,
  how: string,
  program: string,
  others: readonly string[] = [],
): ClientCheck {
  return {
    id,
    client: 'Chromium',
    version: ['chromium', '--version'],
    needs: ['chromium', 'certutil'],
    how,
    help: '--no-sandbox: its own sandbox makes namespaces, which the jail refuses',
    homeFiles: ['environment', 'capture'],
    files: { 'driver.mjs': driver.replace('PAGE_PROGRAM', () => program) },
    // Its sandbox makes namespaces, which the jail refuses.
    command: [
      '@node@',
      'driver.mjs',
      'chromium',
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-dev-shm-usage',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--user-data-dir=@dir@/profile',
      ...others,
    ],
    expect: /hello from web/,
    timeoutMs: 90_000,
  };
}

/** Debian's Chromium, led by a library. */
function automationCheck(id: string, name: string): ClientCheck {
  const library = `@tools@/${id}/node_modules/${name}`;
  return {
    id,
    client: name,
    version: ['@node@', '-p', `require('${library}/package.json').version`],
    needs: [`${library}/package.json`, 'chromium', 'certutil'],
    how: 'https_proxy; ~/.pki/nssdb',
    help: '--no-sandbox',
    homeFiles: ['environment', 'capture'],
    files: {
      'program.cjs': `const library = require('${library}');
(async () => {
  const launcher = library.chromium ?? library;
  const options = { executablePath: '/usr/bin/chromium', args: ['--no-sandbox', '--disable-dev-shm-usage'] };
  const browser = await launcher.launch({ headless: true, ...options });
  try {
    const page = await browser.newPage();
    await page.goto('@https:web@/hello');
    console.log(await page.content());
  } finally {
    await browser.close();
  }
})();
`,
    },
    command: ['@node@', 'program.cjs'],
    expect: /hello from web/,
    timeoutMs: 90_000,
  };
}

export const browserChecks: readonly ClientCheck[] = [
  chromiumCheck('chromium-env', 'https_proxy; ~/.pki/nssdb', pageFetch),
  {
    ...chromiumCheck('chromium-flag', '--proxy-server; ~/.pki/nssdb', pageFetch, ['--proxy-server']),
    modes: ['environment'],
    modeReason: 'the check names the proxy',
  },
  chromiumCheck('chromium-ws', 'https_proxy; ~/.pki/nssdb', pageSocket),
  {
    ...chromiumCheck('chromium-policy', 'https_proxy; /etc/chromium/policies/managed', pageFetch),
    needs: ['chromium'],
    // Without the database of HOME.
    env: { HOME: '@dir@' },
    homeFiles: [],
    systemStore: ['environment', 'capture'],
  },
  automationCheck('playwright', 'playwright-core'),
  automationCheck('puppeteer', 'puppeteer-core'),
  {
    id: 'firefox',
    client: 'Firefox',
    version: ['firefox-esr', '--version'],
    needs: ['firefox-esr'],
    how: 'https_proxy; /etc/firefox/policies/policies.json',
    systemStore: ['environment', 'capture'],
    files: {
      'driver.mjs': driver.replace('PAGE_PROGRAM', () => pageFetch),
      // What it would ask its makers at the first start.
      'profile/user.js': `user_pref('browser.shell.checkDefaultBrowser', false);
user_pref('datareporting.policy.dataSubmissionEnabled', false);
user_pref('browser.aboutwelcome.enabled', false);
user_pref('network.captive-portal-service.enabled', false);
user_pref('network.connectivity-service.enabled', false);
`,
    },
    env: {
      MOZ_CRASHREPORTER_DISABLE: '1',
    },
    command: [
      '@node@',
      'driver.mjs',
      'firefox-esr',
      '--headless',
      '--no-remote',
      '--profile',
      '@dir@/profile',
    ],
    expect: /hello from web/,
    timeoutMs: 90_000,
  },
];
