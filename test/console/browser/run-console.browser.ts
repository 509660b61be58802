// The console of `run --ui` in a real browser: the link opens it once, and pages of the workload on the same machine get nothing of it.

import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { axeFindings, openBrowser, openPage, picture } from '../support/browser.ts';
import { launcher } from '../../support/program.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';

interface Run extends AsyncDisposable {
  readonly link: string;
  readonly origin: string;
  readonly port: number;
  readonly child: ChildProcess;
  /** Ends the command; gives its exit code and what it wrote. */
  end(): Promise<{ readonly code: number | null; readonly stdout: string }>;
}

let browser: Browser;
const look = { width: 1440, height: 900, theme: 'light' } as const;

before(async () => {
  browser = await openBrowser();
});
after(async () => {
  await browser?.close();
});

async function startRun(options: readonly string[] = []): Promise<Run> {
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(await temporaryDirectory());
  const env = { ...process.env, XDG_STATE_HOME: folder.path };
  const child = spawn(launcher, ['run', '--ui', ...options, '--', 'cat'], {
    env,
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const closed = once(child, 'close');
  stack.defer(async () => {
    child.stdin.end();
    await closed;
  });
  let [stdout, stderr] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (piece: string) => (stdout += piece));
  const named = Promise.withResolvers<string>();
  child.stderr.setEncoding('utf8').on('data', (piece: string) => {
    stderr += piece;
    const found = /http:\/\/\S+#log-in=\S+/.exec(stderr)?.[0];
    if (found !== undefined && stderr.endsWith('\n')) named.resolve(found);
  });
  const link = await Promise.race([named.promise, closed.then(() => assert.fail(stderr))]);
  const { origin, port } = new URL(link);
  const owned = stack.move();
  return {
    link,
    origin,
    port: Number(port),
    child,
    end: async () => {
      child.stdin.end('still here');
      const [code] = (await closed) as [number | null];
      return { code, stdout };
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

async function opened(run: Run): Promise<{ page: Page; context: BrowserContext; faults: string[] }> {
  const watched = await openPage(browser, run.origin, look);
  await watched.page.goto(run.link);
  await watched.page.getByRole('navigation', { name: 'Views' }).first().waitFor({ state: 'attached' });
  return watched;
}

test('the link opens the live view, leaves the address, and works no second time: then nobody is logged in', async () => {
  await using run = await startRun();
  const { page, context, faults } = await opened(run);
  assert.equal(await page.evaluate('location.href'), `${run.origin}/`);
  await page.getByRole('row').filter({ hasText: 'Committed' }).first().waitFor();
  assert.deepEqual(await axeFindings(page), []);
  await picture(page, 'run-console');
  // A page that is loaded anew is still logged in, and there is no cookie.
  await page.reload();
  await page.getByRole('row').filter({ hasText: 'Committed' }).first().waitFor();
  assert.deepEqual(await context.cookies(), []);
  assert.deepEqual(faults, []);
  const other = await context.newPage();
  await other.goto(run.link);
  await other.getByText('the link was used before, so the log-in by it has ended').waitFor();
  await page.getByText('The token is not known').waitFor();
  assert.deepEqual(await run.end(), { code: 0, stdout: 'still here' });
  await context.close();
});

test('closing the page changes nothing for the command, and its end is said in the page', async () => {
  await using run = await startRun();
  const first = await opened(run);
  await first.context.close();
  await using second = await startRun();
  const { page, context } = await opened(second);
  assert.deepEqual(await run.end(), { code: 0, stdout: 'still here' });
  assert.deepEqual(await second.end(), { code: 0, stdout: 'still here' });
  await page.getByText(/Not connected since/).waitFor();
  await context.close();
});

/** A page of the workload, which tries all that a page can. */
const hostilePage = (target: string): string => `<!doctype html><title>w</title><script>
  const told = [];
  const tell = (name, what) => told.push(name + ': ' + what);
  (async () => {
    for (const mode of ['cors', 'no-cors'])
      for (const path of ['/v1/who', '/', '/v1/exchanges'])
        await fetch('${target}' + path, { mode, credentials: 'include' }).then(async (r) => tell(mode + ' ' + path, r.type + ' ' + r.status + ' ' + (await r.text()).length), (e) => tell(mode + ' ' + path, 'failed'));
    await fetch('${target}/v1/log-in', { method: 'POST', mode: 'no-cors', body: '{"secret":"x"}' }).then((r) => tell('post', r.type), () => tell('post', 'failed'));
    const frame = document.createElement('iframe');
    frame.src = '${target}/';
    const framed = new Promise((done) => (frame.onload = done));
    document.body.append(frame);
    await framed;
    let inner = 'nothing';
    try { inner = frame.contentDocument ? 'document ' + frame.contentDocument.body.innerHTML.length : 'nothing'; } catch { inner = 'nothing'; }
    tell('frame', inner);
    const child = open('${target}/');
    await new Promise((done) => setTimeout(done, 500));
    let seen = 'nothing';
    try { seen = child === null || child.closed ? 'nothing' : child.sessionStorage.length + child.location.href; } catch { seen = 'nothing'; }
    tell('opened', seen);
    tell('storage', JSON.stringify({ ...sessionStorage }));
    document.title = 'done';
    window.told = told;
  })();
</script><body></body>`;

async function serve(
  port: number,
  respond: (path: string) => readonly [type: string, body: string],
): Promise<Server> {
  const server = createServer((request, response) => {
    const [type, body] = respond(request.url ?? '/');
    response.writeHead(200, { 'content-type': type, 'service-worker-allowed': '/' }).end(body);
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

test('a page of the workload on another port of the same machine receives nothing', async () => {
  await using run = await startRun();
  const { page, context } = await opened(run);
  const server = await serve(0, () => ['text/html', hostilePage(run.origin)]);
  const { port } = server.address() as AddressInfo;
  for (const host of ['127.0.0.1', 'localhost', 'other.localhost']) {
    const hostile = await context.newPage();
    await hostile.goto(`http://${host}:${port}/`);
    await hostile.waitForFunction('document.title === "done"');
    const told = (await hostile.evaluate('window.told')) as readonly string[];
    for (const line of told)
      assert.match(line, /: (?:failed|nothing|opaque(?: 0 0)?|\{\})$/, `${host} ${line}`);
    assert.equal(told.length, 10, told.join('\n'));
    await hostile.close();
  }
  // The console goes on as before.
  await page.getByRole('row').filter({ hasText: 'Committed' }).first().waitFor();
  assert.equal((await run.end()).code, 0);
  server.closeAllConnections();
  server.close();
  await context.close();
});

test('a service worker that the workload registered on the very port before is of another origin, and gets nothing', async () => {
  const worker = `self.addEventListener('install', () => self.skipWaiting());
    self.addEventListener('activate', (event) => event.waitUntil(clients.claim()));
    self.addEventListener('fetch', (event) => event.respondWith(new Response('<title>caught</title>caught', { headers: { 'content-type': 'text/html' } })));`;
  const register = `<!doctype html><title>w</title><script>navigator.serviceWorker.register('/worker.js', { scope: '/' }).then(() => navigator.serviceWorker.ready).then(() => (document.title = 'registered'))</script>`;
  await using run = await startRun();
  const { context } = await openPage(browser, run.origin, look);
  // As if it had been there before: the same browser finds the worker at the port under the names that a workload has.
  const mapped = await serve(0, (path) =>
    path === '/worker.js' ? ['text/javascript', worker] : ['text/html', register],
  );
  const { port } = mapped.address() as AddressInfo;
  const page = await context.newPage();
  for (const host of ['127.0.0.1', 'localhost']) {
    await page.goto(`http://${host}:${port}/`);
    await page.waitForFunction('document.title === "registered"');
    await page.goto(`http://${host}:${port}/anything`);
    assert.equal(await page.title(), 'caught');
  }
  mapped.closeAllConnections();
  mapped.close();
  await once(mapped, 'close');
  // The control: at that port it catches whatever is served now.
  const now = await serve(port, () => ['text/html', '<title>the console</title>']);
  await page.goto(`http://127.0.0.1:${port}/`);
  assert.equal(await page.title(), 'caught');
  // A name that is new is served by who listens, and its secret is in no request that the worker sees.
  await page.goto(`http://abcdefghijklmnopqrst.localhost:${port}/#log-in=secret`);
  assert.equal(await page.title(), 'the console');
  now.closeAllConnections();
  now.close();
  await context.close();
});
