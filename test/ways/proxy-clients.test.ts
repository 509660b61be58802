// Real clients through the listener for those without an agent, with the very variables that `token issue --env` prints.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { proxyEnvironment } from '../../src/cli/gateway/proxy-environment.ts';
import { defaultLimits } from '../../src/protocol/limits.ts';
import { ask, basic, openProxyScene, originName, type ProxyScene } from '../gateway/proxy/proxy-scene.ts';
import { temporaryDirectory, type TemporaryDirectory } from '../support/temporary-directory.ts';
import * as clients from './clients.ts';

const skip = process.env['TEST_WAYS'] === undefined ? '`npm run test:ways` runs it' : false;

let scene: ProxyScene;
let temporary: TemporaryDirectory;
let caFile: string;

before(async () => {
  if (skip !== false) return;
  temporary = await temporaryDirectory();
  // Both ends of all handshakes are on this one thread, of a machine that may be busy.
  const ms = 120_000;
  const limits = { ...defaultLimits, handshakeTimeoutMs: ms, headTimeoutMs: ms, lingerTimeoutMs: ms };
  scene = await openProxyScene({ limits, handler: await clients.originOf(join(temporary.path, 'origin')) });
  caFile = join(temporary.path, 'gateway.pem');
  await writeFile(caFile, scene.serverCa + scene.interceptionCa);
});
after(async () => {
  await scene?.[Symbol.asyncDispose]();
  await temporary?.[Symbol.asyncDispose]();
});

async function placeOf(
  name: string,
  token: string,
  changes: Readonly<Record<string, string | undefined>> = {},
): Promise<clients.Place> {
  const folder = join(temporary.path, name);
  await mkdir(folder, { recursive: true });
  const lines = proxyEnvironment({ url: `https://localhost:${scene.port}`, token, caFile });
  const variables = lines.map((line) => [
    line.slice(0, line.indexOf('=')),
    line.slice(line.indexOf('=') + 1),
  ]);
  const env = { PATH: process.env['PATH'], HOME: folder, ...Object.fromEntries(variables), ...changes };
  const set = Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return { folder, url: `https://${originName}:${scene.origin.port}`, env: Object.fromEntries(set) };
}

const none = { https_proxy: undefined, http_proxy: undefined };
const served: Readonly<
  Record<string, readonly [clients.Client, changes?: Readonly<Record<string, undefined>>]>
> = {
  curl: [(place) => clients.curl('--proxy-cacert', caFile)(place)],
  'curl, HTTP/2 offered': [(place) => clients.curl('--proxy-http2', '--proxy-cacert', caFile)(place)],
  git: [clients.git],
  pip: [clients.pip],
  npm: [clients.npm],
  Go: [clients.go],
  'Node, https': [clients.nodeHttps],
  'Node, fetch': [clients.nodeFetch, none],
  Java: [clients.java],
};

describe('by the variables', { skip }, () => {
  for (const [name, [client, changes]] of Object.entries(served))
    test(`${name} is served, and its token stays good`, async () => {
      const token = scene.token({ subject: name });
      const output = await client(await placeOf(name, token, changes));
      // pip prints the name of what it got, and the others what the origin says.
      assert.match(output, name === 'pip' ? /Saved .*said-1\.0/ : new RegExp(clients.said), output);
      const sessions = await scene.gateway.sessions.list({ living: true });
      assert.equal(sessions.filter(({ principalId }) => principalId.endsWith(`|${name}`)).length, 1);
    });

  for (const [name, client] of Object.entries({ wget: clients.wget, urllib: clients.urllib }))
    test(`${name} uses no proxy, and sends the token nowhere`, async () => {
      const output = await client(await placeOf(name, scene.token({ subject: name })));
      assert.ok(!output.includes(clients.said), output);
      const sessions = await scene.gateway.sessions.list();
      assert.ok(!sessions.some(({ principalId }) => principalId.endsWith(`|${name}`)));
    });
});

describe('a token in the clear', { skip }, () => {
  for (const [name, client, agent] of [
    ['wget', clients.wget, /^Wget/],
    ['urllib', clients.urllib, /^(Python-urllib|undefined)/],
  ] as const)
    test(`by ${name} ends with its session, and the audit has the client`, async () => {
      const token = scene.token({ subject: `clear-${name}` });
      const first = await scene.connect();
      const target = `${originName}:${scene.origin.port}`;
      assert.match(await ask(first, target, basic(token)), /^HTTP\/1\.1 200 /);
      const closed = once(first, 'close');
      const { folder, url, env } = await placeOf(`clear-${name}`, token);
      const output = await client({ folder, url, env: { ...env, https_proxy: env['HTTPS_PROXY'] ?? '' } });
      assert.ok(!output.includes(clients.said), output);
      await closed;
      const again = await scene.connect();
      assert.match(await ask(again, target, basic(token)), /^HTTP\/1\.1 407 /);
      again.destroy();
      const alarm = (await scene.events()).find(
        ({ action, principal }) => action === 'proxy_token_exposed' && principal?.endsWith(`|clear-${name}`),
      );
      assert.match(String(alarm?.details?.['userAgent']), agent);
    });
});
