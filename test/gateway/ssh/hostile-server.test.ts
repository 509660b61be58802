// Servers that break off at odd places. Each of them ends its own command, and never the process: what nobody caught fails these tests.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { PassThrough } from 'node:stream';
import { test, type TestContext } from 'node:test';
import ssh2 from 'ssh2';
import type { Connection } from 'ssh2';

import { createSigningKey } from '../../../src/gateway/sessions/signing-key.ts';
import { sshHostKey } from '../../../src/gateway/ssh/host-key.ts';
import {
  type RunningCommand,
  runAtServer,
  type ServerConnection,
} from '../../../src/gateway/ssh/server-side.ts';
import type { DialResult } from '../../../src/net/dialer.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import { Secret } from '../../../src/protocol/secret.ts';
import { patienceMs } from '../../support/patience.ts';

const serverKey = sshHostKey(createSigningKey());
const clientKey = sshHostKey(createSigningKey());
const options = { timeout: patienceMs };

interface Trial {
  readonly speak: (socket: Socket) => void;
  readonly privateKey?: string;
  readonly sshLoginTimeoutMs?: number;
}

/** A command at a server that speaks so. Whatever the library says late has been said once this has settled. */
async function runAt(t: TestContext, trial: Trial): Promise<RunningCommand> {
  const listener = createServer((socket) => {
    socket.on('error', () => undefined);
    t.after(() => socket.destroy());
    trial.speak(socket);
  });
  t.after(() => listener.close());
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const socket = connect((listener.address() as AddressInfo).port, '127.0.0.1');
  await once(socket, 'connect');
  const closed = new Promise((resolve) => void socket.once('close', resolve));
  const limits = { ...defaultLimits, sshLoginTimeoutMs: trial.sshLoginTimeoutMs ?? patienceMs };
  const connection: ServerConnection = {
    client: new PassThrough(),
    host: 'machine.test',
    limits,
    end: {
      protocol: 'ssh',
      hostKeys: [serverKey.publicKey],
      git: [],
      commands: ['run'],
      shell: 'none',
      isAbsolute: false,
    },
    key: () =>
      Promise.resolve({
        username: 'git',
        privateKey: new Secret(trial.privateKey ?? clientKey.privateKey),
        onShown: () => undefined,
        onRejected: () => undefined,
      }),
    dial: () => Promise.resolve({ socket } as unknown as DialResult),
    startDeadline: (ms, onTimeout) => {
      const timer = setTimeout(onTimeout, ms);
      return { clear: () => clearTimeout(timer) };
    },
  };
  try {
    return await runAtServer(connection, { kind: 'command', command: 'run', gitProtocol: undefined });
  } finally {
    if (socket.destroyed || socket.readableEnded || socket.errored !== null) await closed;
    for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => void setImmediate(resolve));
  }
}

/** A server of the library whose user may log in. */
function library(
  socket: Socket,
  greet: (connection: Connection, send: (packets: () => void) => void) => void,
) {
  const server = new ssh2.Server({ hostKeys: [serverKey.privateKey] }, (connection) => {
    connection.on('error', () => undefined);
    // All of it in one piece.
    greet(connection, (packets) => {
      socket.cork();
      packets();
      socket.uncork();
    });
  });
  server.injectSocket(socket);
}

interface Raw {
  disconnect(reason: number): void;
  channelExtData(id: number, data: Buffer, type: number): void;
  channelEOF(id: number): void;
}

const rawOf = (connection: unknown): Raw => (connection as { _protocol: Raw })._protocol;

/** RFC 4253 §11.1, in the clear. */
function disconnect(): Buffer {
  const payload = Buffer.from([1, 0, 0, 0, 2, 0, 0, 0, 1, 0x78, 0, 0, 0, 0]);
  const padding = 16 - ((5 + payload.length) % 8);
  const head = Buffer.alloc(5);
  head.writeUInt32BE(1 + payload.length + padding);
  head[4] = padding;
  return Buffer.concat([head, payload, Buffer.alloc(padding)]);
}

test('a server that resets before its banner', options, async (t) => {
  const speak = (socket: Socket): void => void socket.once('data', () => socket.resetAndDestroy());
  await assert.rejects(runAt(t, { speak }), { code: 'origin_unreachable' });
});

test('a server that ends before its banner', options, async (t) => {
  const speak = (socket: Socket): void => void socket.once('data', () => socket.end());
  await assert.rejects(runAt(t, { speak }), { code: 'origin_unreachable' });
});

test('a server that stays silent', options, async (t) => {
  await assert.rejects(runAt(t, { speak: () => undefined, sshLoginTimeoutMs: 50 }), {
    code: 'timeout',
    limit: 'sshLoginTimeoutMs',
  });
});

test('a server that says goodbye twice', options, async (t) => {
  const speak = (socket: Socket): void =>
    void socket.write(Buffer.concat([Buffer.from('SSH-2.0-x\r\n'), disconnect(), disconnect()]));
  await assert.rejects(runAt(t, { speak }), { code: 'origin_unreachable' });
});

test('a server that takes the log-in and says goodbye with it', options, async (t) => {
  const speak = (socket: Socket): void =>
    library(socket, (connection, send) => {
      connection.on('authentication', (login) =>
        send(() => {
          login.accept();
          if (login.method !== 'publickey' || login.signature === undefined) return;
          rawOf(connection).disconnect(2);
          rawOf(connection).disconnect(2);
        }),
      );
    });
  await assert.rejects(runAt(t, { speak }));
});

test('a server that writes beside behind its end', options, async (t) => {
  const speak = (socket: Socket): void =>
    library(socket, (connection, send) => {
      connection.on('authentication', (login) => login.accept());
      connection.on('session', (accept) =>
        accept().on('exec', (take) =>
          send(() => {
            const channel = take();
            const { id } = (channel as unknown as { outgoing: { id: number } }).outgoing;
            rawOf(connection).channelEOF(id);
            rawOf(connection).channelExtData(id, Buffer.from('late'), 1);
            rawOf(connection).channelExtData(id, Buffer.from('late'), 1);
          }),
        ),
      );
    });
  const running = await runAt(t, { speak });
  running.stream.on('error', () => undefined);
  running.close();
});

test('a key that the library cannot read', options, async (t) => {
  await assert.rejects(runAt(t, { speak: () => undefined, privateKey: 'none' }), {
    code: 'credential_unavailable',
  });
});
