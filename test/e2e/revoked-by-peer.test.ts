// One gateway of two loses the database alone: what is revoked at the other one holds there too, by the link between gateways.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { connect, createServer, type Socket } from 'node:net';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { runShared } from '../support/command-process.ts';
import { gatewayPair } from '../support/gateway-pair.ts';
import { postgresBinaries } from '../support/postgres-server.ts';
import { waitUntil } from '../support/program.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const binaries = postgresBinaries();
const skip = 'missing' in binaries ? binaries.missing : false;

/** A way to the Unix socket of a database, that can be cut. */
async function wayTo(store: string, folder: string) {
  const url = new URL(store);
  const name = `.s.PGSQL.${url.port}`;
  const far = join(decodeURIComponent(url.hostname), name);
  const sockets = new Set<Socket>();
  let isCut = false;
  const server = createServer((near) => {
    const onward = connect(far);
    for (const socket of [near, onward]) {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.once('close', () => {
        sockets.delete(socket);
        near.destroy();
        onward.destroy();
      });
    }
    if (isCut) return void near.destroy();
    near.pipe(onward).pipe(near);
  });
  server.listen(join(folder, name));
  await once(server, 'listening');
  return {
    cut: (): void => {
      isCut = true;
      for (const socket of sockets) socket.destroy();
    },
    mend: (): void => {
      isCut = false;
    },
    [Symbol.asyncDispose]: async (): Promise<void> => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

test(
  'a session that is revoked ends at a gateway that has lost the database, which confirms it by the other one, and so does a policy that is published',
  { skip },
  async () => {
    await using stack = new AsyncDisposableStack();
    const folder = stack.use(await temporaryDirectory()).path;
    const ways: Promise<Awaited<ReturnType<typeof wayTo>>>[] = [];
    const peers = { listen: { address: '127.0.0.1', port: 0 } };
    const pair = stack.use(
      await gatewayPair({ rules: [], config: { peers, policy: 'store' } }, (which, store) => {
        if (which === 'first') return {};
        const way = wayTo(store, folder);
        ways.push(way);
        const url = new URL(store);
        return { store: store.replace(url.hostname, encodeURIComponent(folder)) };
      }),
    );
    const way = stack.use(await (ways[0] ?? assert.fail('no way')));
    const { set, other } = pair;
    pair.moveTo(other);
    const agent = stack.use(await set.startAgent({ gatewayUrl: pair.balancerUrl }));
    const operator = async (...args: string[]): Promise<string> => {
      const { code, stdout, stderr } = await runShared([...args, '--config', set.configFile]);
      assert.equal(code, 0, stderr);
      return stdout;
    };
    const policy = join(folder, 'policy.yaml');
    await writeFile(policy, 'rules:\n  - { name: one, hosts: [api.test] }\n');
    await operator('policy', 'publish', policy);
    await waitUntil('both have it', () =>
      [set.gateway, other].every((one) => one.log().includes('main@1 is in force')),
    );
    way.cut();
    await waitUntil('it is noticed', () => other.log().includes('the store is away'));
    const { id } = JSON.parse(await operator('session', 'list', '--json')) as { readonly id: string };
    assert.match(
      await operator('session', 'revoke', id),
      /^revoked \S+\nconfirmed by 2 of 2 gateways in \d\.\d s\n$/,
    );
    await waitUntil('the agent is told', () => agent.said().includes('session_revoked'));
    await writeFile(policy, 'rules:\n  - { name: two, hosts: [other.test] }\n');
    await operator('policy', 'publish', policy);
    await waitUntil('it is in force there', () => other.log().includes('main@2 is in force'));
    assert.ok(!other.log().includes('the store is back'));
    way.mend();
    await waitUntil('it is back', () => other.log().includes('the store is back'));
  },
);

test(
  'keys that are rotated while one gateway has lost the database are taken there from the other one: it serves agents whose tokens they signed',
  { skip },
  async () => {
    await using stack = new AsyncDisposableStack();
    const folder = stack.use(await temporaryDirectory()).path;
    const keyFile = join(folder, 'identity-key');
    await writeFile(keyFile, randomBytes(32).toString('hex'), { mode: 0o600 });
    const ways: Promise<Awaited<ReturnType<typeof wayTo>>>[] = [];
    const peers = { listen: { address: '127.0.0.1', port: 0 } };
    const identity = { store: true, keyEncryptionKey: { file: keyFile } };
    const pair = stack.use(
      await gatewayPair({ rules: [], config: { peers, identity } }, (which, store) => {
        if (which === 'first') return {};
        const way = wayTo(store, folder);
        ways.push(way);
        return { store: store.replace(new URL(store).hostname, encodeURIComponent(folder)) };
      }),
    );
    const way = stack.use(await (ways[0] ?? assert.fail('no way')));
    const { set, other } = pair;
    way.cut();
    await waitUntil('it is noticed', () => other.log().includes('the store is away'));
    for (const [step, version] of [
      [['next'], 2],
      // Half a minute is for gateways that look at files.
      [['switch', '--at-once'], 3],
    ] as const) {
      const { code, stderr } = await runShared(['keys', ...step, '--config', set.configFile]);
      assert.equal(code, 0, stderr);
      await waitUntil('it is taken there', () =>
        other.log().includes(`version ${version} of the identity in the store was taken`),
      );
    }
    assert.ok(!other.log().includes('the store is back'));
    // Its token is signed by the new key.
    const agent = stack.use(await set.startAgent({ gatewayUrl: pair.balancerUrl }));
    pair.moveTo(other);
    await waitUntil('it lost its tunnel', () => agent.said().includes('connection to the gateway was lost'));
    const asked = request({
      host: '127.0.0.1',
      port: agent.relayPort,
      path: 'http://upstreamproxy.invalid/',
      headers: { host: 'upstreamproxy.invalid' },
      agent: false,
    }).end();
    // What the gateway itself serves.
    const [{ statusCode }] = (await once(asked, 'response')) as [IncomingMessage];
    assert.equal(statusCode, 200, agent.said());
    asked.destroy();
    way.mend();
    await waitUntil('it is back', () => other.log().includes('the store is back'));
  },
);
