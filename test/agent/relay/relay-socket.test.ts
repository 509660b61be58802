import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { chmodSync, existsSync, lstatSync, mkdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { connect, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { describe, test } from 'node:test';

import { startRelay } from '../../../src/agent/relay/relay.ts';
import type { RelayTunnel } from '../../../src/agent/relay/relay-connection.ts';
import { ProxyError } from '../../../src/protocol/error.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';
import { findTool } from '../../support/tools.ts';

/** Responses in words, without a gateway. */
const tunnel: RelayTunnel = {
  isUp: false,
  whenUp: () => Promise.reject(new ProxyError('tunnel_lost', 'no tunnel in this test')),
  openStream: () => {
    throw new Error('not in this test');
  },
};

async function responseOf(path: string): Promise<string> {
  const socket: Socket = connect(path);
  let text = '';
  socket.on('data', (chunk: Buffer) => (text += chunk.toString()));
  socket.on('error', () => {});
  socket.write('CONNECT origin.test:443 HTTP/1.1\r\nHost: origin.test:443\r\n\r\n');
  await new Promise((resolve) => socket.once('close', resolve));
  return text;
}

describe('the relay on a Unix socket', () => {
  test('serves this user by a file of mode 0600, and removes it', async () => {
    await using directory = await temporaryDirectory();
    const path = join(directory.path, 'own', 'relay.sock');
    const relay = await startRelay({ tunnel, port: 'off', socketPath: path });
    assert.equal(relay.port, 0);
    assert.deepEqual(relay.hosts, []);
    assert.equal(relay.socketPath, path);
    assert.equal(statSync(path).mode & 0o777, 0o600);
    assert.equal(statSync(join(directory.path, 'own')).mode & 0o777, 0o700);
    assert.match(await responseOf(path), /^HTTP\/1\.1 503 [^]*no tunnel in this test/);
    await relay.close();
    assert.equal(existsSync(path), false);
  });

  // The listeners are found by a channel of Node's.
  const withoutChannel =
    process.versions['bun'] === undefined ? false : 'this runtime does not say which servers listen';
  test(
    'outlives connections that the kernel cannot give it, as for want of descriptors',
    { skip: withoutChannel },
    async () => {
      await using directory = await temporaryDirectory();
      const servers: Server[] = [];
      const channel = 'tracing:net.server.listen:asyncStart';
      // The message of this channel has the server (diagnostics_channel documentation).
      const onListen = (message: unknown): void => void servers.push((message as { server: Server }).server);
      subscribe(channel, onListen);
      const warnings: string[] = [];
      const logger = { info: () => {}, warn: (message: string) => void warnings.push(message) };
      const path = join(directory.path, 'relay.sock');
      await using relay = await startRelay({
        tunnel,
        socketPath: path,
        host: '127.0.0.1',
        logger,
      });
      unsubscribe(channel, onListen);
      assert.equal(servers.length, 2);
      for (const server of servers)
        for (let round = 0; round < 3; round++) server.emit('error', new Error('accept EMFILE'));
      assert.equal(warnings.length, 6);
      assert.match(await responseOf(path), /^HTTP\/1\.1 503 /);
      assert.notEqual(relay.port, 0);
    },
  );

  test('stands beside the port where both are wanted', async () => {
    await using directory = await temporaryDirectory();
    const path = join(directory.path, 'relay.sock');
    await using relay = await startRelay({ tunnel, socketPath: path });
    assert.notEqual(relay.port, 0);
    assert.match(await responseOf(path), /^HTTP\/1\.1 503 /);
  });

  test(
    'refuses another user, even one whom the file would let in',
    {
      skip:
        process.getuid?.() === 0 && findTool('setpriv') && findTool('curl')
          ? false
          : 'needs root, setpriv and curl',
    },
    async () => {
      await using directory = await temporaryDirectory();
      const path = join(directory.path, 'own', 'relay.sock');
      await using relay = await startRelay({ tunnel, port: 'off', socketPath: path });
      const request = ['curl', '-s', '--max-time', '10', '--unix-socket', path, 'http://origin.test/'];
      const drop = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', ...request];
      const play = async ([file = '', ...args]: readonly string[]): Promise<number | null> => {
        const child = spawn(file, args, { stdio: 'ignore' });
        await once(child, 'exit');
        return child.exitCode;
      };
      // Control: this user gets a response.
      assert.equal(await play(request), 0);
      assert.notEqual(await play(drop), 0, 'the folder keeps others out');
      for (const [name, mode] of [
        [directory.path, 0o755],
        [join(directory.path, 'own'), 0o755],
        [path, 0o666],
      ] as const)
        chmodSync(name, mode);
      assert.notEqual(await play(drop), 0, 'the kernel says who is there');
      assert.equal(await play(request), 0);
      assert.notEqual(relay.socketPath, undefined);
    },
  );

  test('replaces the socket of a dead relay, and nothing else', async () => {
    await using directory = await temporaryDirectory();
    const path = join(directory.path, 'relay.sock');
    const script = `require('node:net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`;
    spawnSync(process.execPath, ['-e', script]);
    assert.ok(lstatSync(path).isSocket(), 'no stale socket was left');
    const relay = await startRelay({ tunnel, port: 'off', socketPath: path });
    await assert.rejects(startRelay({ tunnel, port: 'off', socketPath: path }), {
      code: 'relay_port_in_use',
    });
    assert.match(await responseOf(path), /503/, 'the refusal of a second relay ended the first');
    await relay.close();
    writeFileSync(path, 'precious');
    const attempt = startRelay({ tunnel, port: 'off', socketPath: path });
    await assert.rejects(attempt, { code: 'config_invalid', message: /no socket is there/ });
    assert.ok(existsSync(path));
  });

  test('is refused where others could reach it, and leaves no port open then', async () => {
    await using directory = await temporaryDirectory();
    const open = join(directory.path, 'open');
    mkdirSync(open);
    chmodSync(open, 0o755);
    const link = join(directory.path, 'link');
    mkdirSync(join(directory.path, 'private'), { mode: 0o700 });
    symlinkSync(join(directory.path, 'private'), link);
    for (const path of [join(open, 'r'), join(link, 'r'), 'relative', join(directory.path, 'x'.repeat(120))])
      await assert.rejects(startRelay({ tunnel, socketPath: path }), { code: 'config_invalid' });
    await assert.rejects(startRelay({ tunnel, port: 'off' }), { code: 'usage' });
  });
});
