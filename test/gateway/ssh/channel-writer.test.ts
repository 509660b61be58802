import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { duplexPair, type Readable } from 'node:stream';
import { test } from 'node:test';
import ssh2 from 'ssh2';
import type { ClientChannel, ServerChannel } from 'ssh2';

import { createSigningKey } from '../../../src/gateway/sessions/signing-key.ts';
import { ChannelWriter, finish } from '../../../src/gateway/ssh/channel-writer.ts';
import { sshHostKey } from '../../../src/gateway/ssh/host-key.ts';
import { SideBounds, SshWire } from '../../../src/gateway/ssh/ssh-wire.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import { patienceMs } from '../../support/patience.ts';

const options = { timeout: patienceMs };
const { privateKey } = sshHostKey(createSigningKey());
/** More than the window of 2 MiB. */
const much = 3 * 1024 * 1024;

interface Both extends Disposable {
  readonly writer: ChannelWriter<ServerChannel>;
  readonly wire: SshWire;
  readonly channel: ClientChannel;
}

/** A channel from the writer to a client that takes nothing yet. */
async function open(): Promise<Both> {
  const [near, far] = duplexPair();
  const wire = new SshWire(near, new SideBounds(defaultLimits, () => undefined));
  wire.on('error', () => undefined);
  const taken = Promise.withResolvers<ServerChannel>();
  const server = new ssh2.Server({ hostKeys: [privateKey] }, (connection) => {
    connection.on('error', () => undefined);
    connection.on('authentication', (login) => login.accept());
    connection.on('session', (accept) => accept().on('exec', (take) => taken.resolve(take())));
  });
  server.injectSocket(wire as unknown as Socket);
  const client = new ssh2.Client();
  client.on('error', () => undefined);
  client.connect({ sock: far, username: 'anybody', hostVerifier: () => true });
  await once(client, 'ready');
  const channel = await new Promise<ClientChannel>((resolve, reject) => {
    client.exec('run', (error, one) => (error === undefined ? resolve(one) : reject(error)));
  });
  const writer = new ChannelWriter(await taken.promise, wire);
  return { writer, wire, channel, [Symbol.dispose]: () => void wire.destroy() };
}

function taken(stream: Readable): { readonly text: () => string } {
  const pieces: Buffer[] = [];
  stream.on('data', (chunk: Buffer) => pieces.push(chunk));
  return { text: () => String(Buffer.concat(pieces)) };
}

test('a stream that waits for the window sends nothing of the other again', options, async () => {
  using both = await open();
  const { writer, channel } = both;
  const written = async (to: 'stdout' | 'stderr', character: string): Promise<void> => {
    const stream = to === 'stdout' ? writer.channel : writer.channel.stderr;
    await new Promise<void>((resolve, reject) => {
      writer.write(stream, Buffer.alloc(much, character), (error) => (error ? reject(error) : resolve()));
    });
  };
  const first = written('stdout', 'a');
  const out = taken(channel);
  await first;
  const second = written('stderr', 'b');
  const beside = taken(channel.stderr);
  await second;
  // Both at once as well.
  await Promise.all([written('stdout', 'c'), written('stderr', 'd'), written('stdout', 'e')]);
  await Promise.all([finish(writer, ['last words'], 3), once(channel, 'close')]);
  const of = (character: string): string => character.repeat(much);
  assert.ok(out.text() === of('a') + of('c') + of('e'), `${out.text().length} octets came`);
  const words = 'upstreamproxy: last words\n';
  assert.ok(beside.text() === of('b') + of('d') + words, `${beside.text().length} octets came beside`);
});

test('what waits for a window hears of the end of the connection, and of a channel', options, async () => {
  for (const end of ['wire', 'channel'] as const) {
    using both = await open();
    const { writer, wire, channel } = both;
    writer.channel.resume();
    const first = new Promise((resolve) => {
      writer.write(writer.channel, Buffer.alloc(much), resolve);
    });
    const second = new Promise((resolve) => {
      writer.write(writer.channel.stderr, Buffer.alloc(much), resolve);
    });
    if (end === 'wire') wire.destroy();
    else channel.close();
    const isError = (value: unknown): boolean => value instanceof Error;
    assert.deepEqual([await first, await second].map(isError), Array(2).fill(end === 'wire'));
    const late = new Promise((resolve) => {
      writer.write(writer.channel, Buffer.alloc(1), resolve);
    });
    await late;
  }
});
