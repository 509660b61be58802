// Shells that a rule allows, with the library on both sides. The real programs are in test/protocol-ends.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { join } from 'node:path';
import { type AddressInfo, createServer } from 'node:net';
import type { Duplex } from 'node:stream';
import { test } from 'node:test';
import ssh2 from 'ssh2';
import type { Client, ClientChannel, PseudoTtyOptions, ServerChannel } from 'ssh2';

import { CapturedBodies } from '../../../src/gateway/captured/captured-bodies.ts';
import { keyOfFile } from '../../../src/gateway/captured/day-keys.ts';
import { createSigningKey } from '../../../src/gateway/sessions/signing-key.ts';
import { sshHostKey } from '../../../src/gateway/ssh/host-key.ts';
import { patienceMs } from '../../support/patience.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';
import { openRequestPath } from '../support/request-path.ts';

const serverKey = sshHostKey(createSigningKey());
const clientKey = sshHostKey(createSigningKey());
const options = { timeout: patienceMs };
const terminal: PseudoTtyOptions = { term: 'xterm-256color', rows: 30, cols: 100, width: 0, height: 0 };

type RecordedEvent = readonly [code: string, text: string];

interface SceneOptions {
  /** Of the rule. */
  readonly rule?: string;
  /** What the server does with a shell. */
  readonly run?: (channel: ServerChannel) => void;
  readonly keepBytes?: number;
  readonly keepsNothing?: true;
  readonly limits?: Parameters<typeof openRequestPath>[0]['limits'];
}

async function openScene({
  rule = 'shell: record',
  run,
  keepBytes = 2 ** 30,
  keepsNothing,
  limits,
}: SceneOptions) {
  /** What the server was asked for, in order. */
  const asked: unknown[] = [];
  const server = new ssh2.Server({ hostKeys: [serverKey.privateKey] }, (connection) => {
    connection.on('error', () => undefined);
    connection.on('authentication', (login) => login.accept());
    connection.on('session', (accept) => {
      const session = accept();
      session.on('pty', (take, _reject, { term, rows, cols }) => {
        asked.push(['pty', term, rows, cols]);
        take();
      });
      session.on('window-change', (_accept, _reject, { rows, cols }) => asked.push(['size', rows, cols]));
      session.on('signal', (_accept, _reject, { name }) => asked.push(['signal', name]));
      session.on('shell', (take) => {
        asked.push('shell');
        const channel = take();
        channel.on('error', () => undefined);
        run?.(channel);
      });
    });
  });
  const sockets = new Set<Duplex>();
  const listener = createServer((socket) => {
    sockets.add(socket.on('error', () => undefined));
    server.injectSocket(socket);
  });
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  // It listens on an address and a port.
  const { port } = listener.address() as AddressInfo;
  const folder = await temporaryDirectory();
  const bodies = new CapturedBodies({
    directory: join(folder.path, 'captured'),
    keepDays: 1,
    keepBytes,
    gatewayKey: () => keyOfFile(join(folder.path, 'key')),
    clock: Date.now,
    onLimit: () => undefined,
    onFault: () => undefined,
  });
  const path = openRequestPath({
    policy: `rules: [{ name: machine, hosts: machine.test, ports: ${port}, addresses: 127.0.0.0/8, protocol: ssh, ssh: { hostKeys: '${serverKey.publicKey}', ${rule} }, inject: deploy }]`,
    hosts: ['machine.test'],
    trust: [],
    credentials: { deploy: { kind: 'ssh-key', username: 'git', source: { env: 'KEY' } } },
    environment: { KEY: clientKey.privateKey },
    ...(limits === undefined ? {} : { limits }),
    ...(keepsNothing === true ? {} : { captured: bodies }),
  });
  const recorded = async (): Promise<{
    readonly events: readonly RecordedEvent[];
    readonly isWhole: boolean;
  }> => {
    const [event] = await path.events(1);
    const read = await bodies.readRecording(event?.id ?? '');
    assert.ok(read !== undefined, 'there is a recording');
    assert.equal(event?.captured?.recording, read.bytes);
    const lines = read.text.trim().split('\n');
    const events = lines.slice(1).map((line) => {
      const [, code, text] = JSON.parse(line) as readonly [number, string, string];
      return [code, text] as const;
    });
    return { events, isWhole: read.isWhole };
  };
  return {
    path,
    asked,
    recorded,
    client: () => connected(path.open({ authority: `machine.test:${port}`, mode: 'raw' }).socket),
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      listener.close();
      await path[Symbol.asyncDispose]();
      await bodies[Symbol.asyncDispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
}

async function connected(sock: Duplex): Promise<Client> {
  const client = new ssh2.Client();
  const ready = once(client, 'ready');
  client.connect({ sock, username: 'anybody', hostVerifier: () => true });
  await ready;
  return client.on('error', () => undefined);
}

function shellOf(client: Client, window: PseudoTtyOptions | false): Promise<ClientChannel> {
  const { promise, resolve, reject } = Promise.withResolvers<ClientChannel>();
  client.shell(window, (error, channel) => (error === undefined ? resolve(channel) : reject(error)));
  return promise;
}

/** What the client sees from now on, and how it ends. */
function watch(channel: ClientChannel) {
  const seen = { out: '', err: '' };
  channel.on('data', (chunk: Buffer) => (seen.out += chunk.toString()));
  channel.stderr.on('data', (chunk: Buffer) => (seen.err += chunk.toString()));
  let more = (): void => undefined;
  for (const one of [channel, channel.stderr]) one.on('data', () => more());
  const until = async (text: string): Promise<void> => {
    while (!seen.out.includes(text)) await new Promise<void>((resolve) => (more = resolve));
  };
  const closed = once(channel, 'close').then((ending: unknown[]) => ({
    ...seen,
    ending: ending.slice(0, 2),
  }));
  return { until, closed };
}

/** Shows a prompt and what it is sent, and ends with the line `exit`. */
function echo(channel: ServerChannel): void {
  channel.write('$ ');
  channel.on('data', (chunk: Buffer) => {
    channel.stderr.write('beside');
    channel.write(chunk);
    if (!chunk.toString().includes('exit')) return;
    channel.exit(3);
    channel.end();
  });
}

for (const rule of ['record', 'record-all'] as const)
  test(`a shell opens with its terminal, and what it shows is recorded (${rule})`, options, async () => {
    await using scene = await openScene({ rule: `shell: ${rule}`, run: echo });
    const client = await scene.client();
    const channel = await shellOf(client, terminal);
    const { until, closed } = watch(channel);
    await until('$ ');
    channel.setWindow(40, 120, 0, 0);
    channel.write('exit\n');
    assert.deepEqual(await closed, { out: '$ exit\n', err: 'beside', ending: [3] });
    client.end();
    const { events, isWhole } = await scene.recorded();
    assert.ok(isWhole);
    const shown = events.filter(([code]) => code === 'o').map(([, text]) => text);
    assert.deepEqual(shown.toSorted(), ['$ ', 'beside', 'exit\n']);
    const sent = events.filter(([code]) => code === 'i');
    assert.deepEqual(sent, rule === 'record' ? [] : [['i', 'exit\n']]);
    assert.ok(events.some(([code, text]) => code === 'r' && text === '120x40'));
    assert.deepEqual(scene.asked.slice(0, 3), [
      ['pty', 'xterm-256color', 30, 100],
      'shell',
      ['size', 40, 120],
    ]);
    const [event] = await scene.path.events(1);
    assert.deepEqual(
      [event?.verdict, event?.protocol, event?.injected, event?.details?.['ssh']],
      ['allow', 'ssh', ['deploy'], { command: 'shell', status: 3 }],
    );
  });

test('a signal gets to the shell, and the one that ends it to the client', options, async () => {
  const run = (channel: ServerChannel): void => void channel.write('ready');
  await using scene = await openScene({ run });
  const client = await scene.client();
  const channel = await shellOf(client, false);
  const { until, closed } = watch(channel);
  await until('ready');
  channel.signal('TERM');
  while (scene.asked.length < 2) await new Promise(setImmediate);
  assert.deepEqual(scene.asked, ['shell', ['signal', 'TERM']]);
  client.end();
  await closed;

  const killed = (ended: ServerChannel): void => {
    ended.exit('KILL', false, '');
    ended.end();
  };
  await using other = await openScene({ run: killed });
  const second = await other.client();
  const { closed: gone } = watch(await shellOf(second, false));
  assert.deepEqual((await gone).ending, [null, 'SIGKILL']);
  second.end();
  const [event] = await other.path.events(1);
  assert.deepEqual(event?.details?.['ssh'], { command: 'shell', signal: 'KILL' });
});

for (const way of ['its output', 'what it writes beside'])
  test(
    `where the recording has no room for ${way}, the shell ends and its client hears why`,
    options,
    async () => {
      const ended = Promise.withResolvers<undefined>();
      const run = (channel: ServerChannel): void => {
        channel.write('seen');
        channel.once('close', () => ended.resolve(undefined));
        const shown = way === 'its output' ? channel : channel.stderr;
        channel.on('data', () => shown.write('unseen '.repeat(2000)));
      };
      await using scene = await openScene({ run, keepBytes: 8000 });
      const client = await scene.client();
      const channel = await shellOf(client, terminal);
      const { until, closed } = watch(channel);
      await until('seen');
      channel.write('more');
      const { out, err, ending } = await closed;
      assert.doesNotMatch(out + err, /unseen/);
      assert.match(
        err,
        /upstreamproxy: there is no room for the recording of this shell \(capturedFilesMax\)\r\n/,
      );
      assert.deepEqual(ending, [128]);
      client.end();
      const { events, isWhole } = await scene.recorded();
      assert.deepEqual([events, isWhole], [[['o', 'seen']], false]);
      await ended.promise;
      const [event] = await scene.path.events(1);
      assert.deepEqual([event?.errorCode, event?.limit], ['limit_exceeded', 'capturedFilesMax']);
    },
  );

test('a shell that cannot be recorded is not dialled for', options, async () => {
  for (const more of [{ keepsNothing: true }, { keepBytes: 10 }] as const) {
    await using scene = await openScene({ ...more, run: echo });
    const client = await scene.client();
    const { out, err, ending } = await watch(await shellOf(client, terminal)).closed;
    assert.equal(out, '');
    assert.match(err, /^upstreamproxy: (this gateway keeps no recordings|there is no room)/);
    assert.deepEqual(ending, [128]);
    client.end();
    const [event] = await scene.path.events(1);
    assert.deepEqual([event?.verdict, event?.address], ['deny', undefined]);
    assert.deepEqual(scene.asked, []);
  }
});

test('what ends the session or stays silent for too long says so in the shell', options, async () => {
  await using scene = await openScene({ run: echo, limits: { blindIdleTimeoutMs: 300 } });
  const client = await scene.client();
  const { err, ending } = await watch(await shellOf(client, false)).closed;
  assert.match(err, /^upstreamproxy: no byte either way for 300 ms \(blindIdleTimeoutMs\)\n/);
  assert.deepEqual(ending, [128]);
  client.end();
  assert.ok((await scene.recorded()).isWhole);
});

test('without a shell in its rule there is none, and no terminal', options, async () => {
  await using scene = await openScene({ rule: 'commands: run', run: echo });
  const client = await scene.client();
  await assert.rejects(shellOf(client, terminal), /pseudo-terminal/);
  client.end();
  const second = await scene.client();
  const { err, ending } = await watch(await shellOf(second, false)).closed;
  assert.match(err, /rule machine allows no shell here/);
  assert.deepEqual(ending, [128]);
  second.end();
  assert.deepEqual(scene.asked, []);
});

test('a command gets no terminal, nor does one with a name that is none', options, async () => {
  await using scene = await openScene({ rule: 'shell: record, commands: less', run: echo });
  const client = await scene.client();
  const channel = await new Promise<ClientChannel>((resolve, reject) => {
    client.exec('less', { pty: terminal }, (error, one) =>
      error === undefined ? resolve(one) : reject(error),
    );
  });
  const { err, ending } = await watch(channel).closed;
  assert.match(err, /rule machine allows a terminal for a shell alone; leave out -t/);
  assert.deepEqual(ending, [128]);
  client.end();
  for (const term of ['-x', 'a=b', 'a b', 'x'.repeat(65), '../x']) {
    const other = await scene.client();
    await assert.rejects(shellOf(other, { ...terminal, term }), /pseudo-terminal/, term);
    other.end();
  }
  assert.deepEqual(scene.asked, []);
});

test('a channel on which a shell runs takes no other one and no command', options, async () => {
  for (const word of ['shell', 'exec'] as const) {
    await using scene = await openScene({ rule: 'shell: record, commands: run', run: echo });
    const client = await scene.client();
    const channel = await shellOf(client, false);
    const { until, closed } = watch(channel);
    await until('$ ');
    // The library itself sends one alone.
    const { _protocol: protocol, outgoing } = { ...client, ...channel } as unknown as {
      readonly _protocol: Record<typeof word, (id: number, ...more: unknown[]) => void>;
      readonly outgoing: { readonly id: number };
    };
    if (word === 'shell') protocol.shell(outgoing.id, false);
    else protocol.exec(outgoing.id, 'run', false);
    // It would stay open, and its client deaf.
    await closed;
    await scene.path.events(1);
    assert.deepEqual(scene.asked, ['shell']);
  }
});
