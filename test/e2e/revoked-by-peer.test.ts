// One gateway of two loses the database alone: what is revoked at the other one holds there too, by the link between gateways.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { runCommand } from '../support/command.ts';
import { gatewayPair } from '../support/gateway-pair.ts';
import { postgresBinaries } from '../support/postgres-server.ts';
import { launcher, waitUntil } from '../support/program.ts';
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
      const { code, stdout, stderr } = await runCommand(launcher, [...args, '--config', set.configFile]);
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
