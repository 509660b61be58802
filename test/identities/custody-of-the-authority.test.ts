// The key of the authority in a process of its own, with the program as it is shipped: what that process may, and what happens when it dies.

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';

import { openSession } from '../../src/agent/session.ts';
import { defaultLimits } from '../../src/protocol/limits.ts';
import { silentLogger } from '../../src/system/logger.ts';
import { deploy } from '../support/deployment.ts';
import { httpsOrigin } from '../support/origin.ts';
import { waitUntil } from '../support/program.ts';
import { tlsThrough } from '../support/proxy-client.ts';
import { createTestAuthority } from '../support/test-authority.ts';

const skip = process.env['TEST_IDENTITIES'] === undefined ? 'npm run test:identities runs it' : false;

/** The processes that this one started, by what stands on their command lines. */
function childrenOf(pid: number, word: string): readonly number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((one) => {
      try {
        const [, parent] = /^PPid:\s+(\d+)$/m.exec(readFileSync(`/proc/${one}/status`, 'utf8')) ?? [];
        return Number(parent) === pid && readFileSync(`/proc/${one}/cmdline`, 'utf8').includes(word);
      } catch {
        return false;
      }
    });
}

test('the signer of an authority has no network, dies without harm and comes back', { skip }, async () => {
  await using stack = new AsyncDisposableStack();
  const authority = createTestAuthority();
  const origin = stack.use(await httpsOrigin({ authority }));
  const hosts = ['a.up.test', 'b.up.test', 'c.test'];
  const set = stack.use(
    await deploy({
      authority,
      hosts: Object.fromEntries(hosts.map((host) => [host, '127.0.0.1'])),
      rules: [{ name: 'api', hosts, addresses: ['127.0.0.1/32'], ports: [origin.port] }],
      config: { certificateAuthority: { separateProcess: true, names: ['up.test'] } },
    }),
  );
  const session = await openSession({
    gatewayUrl: set.gateway.url,
    gatewayCa: set.gatewayCaFile,
    token: { file: await set.issueToken() },
    dangerouslyAllowPlainGateway: false,
    relayPort: 0,
    dangerouslyAllowUnhardened: false,
    environment: {},
    scrubEnvironment: false,
    baseEnvironment: {},
    limits: defaultLimits,
    logger: silentLogger,
    tlsEndsIn: 'gateway',
  });
  stack.defer(() => session.close());
  const ca = readFileSync(session.files.ownCa ?? '', 'utf8');
  const request = async (host: string): Promise<string> => {
    const tls = await tlsThrough({ relayPort: session.port, host, port: origin.port, ca });
    tls.write(`GET /hello HTTP/1.1\r\nHost: ${host}:${origin.port}\r\nConnection: close\r\n\r\n`);
    return /hello/.exec(await text(tls))?.[0] ?? 'nothing';
  };
  const isServed = (host: string): Promise<boolean> =>
    request(host).then(
      (said) => said === 'hello',
      () => false,
    );
  assert.equal(await request('a.up.test'), 'hello');
  // Outside of the names that are configured.
  assert.equal(await isServed('c.test'), false);
  const signer = (): number | undefined => childrenOf(set.gateway.pid, 'ca-signer')[0];
  const first = signer() ?? assert.fail('no signer');
  const flags = readFileSync(`/proc/${first}/cmdline`, 'utf8').split('\0');
  assert.ok(flags.includes('--permission') && !flags.includes('--allow-net'), flags.join(' '));
  const sockets = readdirSync(`/proc/${first}/fd`).length;
  assert.ok(sockets > 0);
  process.kill(first, 'SIGKILL');
  assert.equal(await request('a.up.test'), 'hello');
  await waitUntil('another signer is there', () => {
    const next = signer();
    return next !== undefined && next !== first;
  });
  await waitUntil('a host that is new is served', () => isServed('b.up.test'));
  const log = set.gateway.log();
  assert.match(log, /its process ended \(SIGKILL\), and is started again/);
  const refused = (await set.audit()).filter(({ errorCode }) => errorCode === 'signing_refused');
  assert.ok(refused.length > 0);
  assert.match(JSON.stringify(refused), /c\.test lies outside of certificateAuthority\.names/);
  assert.ok(readdirSync(join(set.directory, 'state', 'ca')).includes('ca.key'));
});
