// SSH that the gateway ends, with the library on the other side of both of its ends. The real programs are in test/protocol-ends.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { type Duplex, duplexPair, Transform } from 'node:stream';
import { test } from 'node:test';
import ssh2 from 'ssh2';
import type { Algorithms, Client, ClientChannel, ServerChannel } from 'ssh2';

import { createSigningKey } from '../../../src/gateway/sessions/signing-key.ts';
import { sshHostKey } from '../../../src/gateway/ssh/host-key.ts';
import { patienceMs } from '../../support/patience.ts';
import { openRequestPath, type RequestPath } from '../support/request-path.ts';

const serverKey = sshHostKey(createSigningKey());
const clientKey = sshHostKey(createSigningKey());
const options = { timeout: patienceMs };

interface Scene extends AsyncDisposable {
  readonly path: RequestPath;
  /** Commands that the server ran. */
  readonly ran: string[];
  readonly authenticated: string[];
  /** A connection of a workload, as the gateway gets it. */
  open(): Duplex;
}

interface SceneOptions {
  readonly algorithms?: Algorithms;
  readonly run?: (channel: ServerChannel) => void;
  /** A connection to the server has ended. */
  readonly closed?: () => void;
  readonly commands?: string;
  /** Of the rule: what the server should have. */
  readonly hostKey?: string;
  readonly path?: Parameters<typeof openRequestPath>[0]['limits'];
  /** What goes to the gateway from the server. */
  readonly through?: () => Transform;
}

async function openScene({
  algorithms,
  run,
  commands = 'run',
  hostKey = serverKey.publicKey,
  path: limits = {},
  through,
  closed,
}: SceneOptions = {}): Promise<Scene> {
  const ran: string[] = [];
  const authenticated: string[] = [];
  const server = new ssh2.Server(
    { hostKeys: [serverKey.privateKey], ...(algorithms === undefined ? {} : { algorithms }) },
    (connection) => {
      connection.on('error', () => undefined);
      connection.on('close', () => closed?.());
      connection.on('authentication', (login) => {
        authenticated.push(`${login.username} ${login.method}`);
        login.accept();
      });
      connection.on('session', (accept) =>
        accept().on('exec', (take, _reject, { command }) => {
          ran.push(command);
          const channel = take();
          channel.on('error', () => undefined);
          if (run !== undefined) run(channel);
          else {
            channel.stderr.write('beside\n');
            channel.write('given\n');
            channel.exit(7);
            channel.end();
          }
        }),
      );
    },
  );
  const sockets = new Set<Duplex>();
  const listener = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    const changed = through?.();
    if (changed === undefined) {
      server.injectSocket(socket);
      return;
    }
    const [near, far] = duplexPair();
    socket.pipe(far).pipe(changed).pipe(socket);
    // Any stream is enough for it.
    server.injectSocket(near as Socket);
  });
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const { port } = listener.address() as AddressInfo;
  const path = openRequestPath({
    policy: `rules: [{ name: machine, hosts: machine.test, ports: ${port}, addresses: 127.0.0.0/8, protocol: ssh, ssh: { hostKeys: '${hostKey}', commands: ${commands} }, inject: deploy }]`,
    hosts: ['machine.test'],
    trust: [],
    credentials: { deploy: { kind: 'ssh-key', username: 'git', source: { env: 'KEY' } } },
    environment: { KEY: clientKey.privateKey },
    limits,
  });
  return {
    path,
    ran,
    authenticated,
    open: () => path.open({ authority: `machine.test:${port}`, mode: 'raw' }).socket,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      listener.close();
      await path[Symbol.asyncDispose]();
    },
  };
}

async function connected(sock: Duplex, algorithms?: Algorithms): Promise<Client> {
  const client = new ssh2.Client();
  const ready = once(client, 'ready');
  client.connect({
    sock,
    username: 'anybody',
    hostVerifier: () => true,
    ...(algorithms === undefined ? {} : { algorithms }),
  });
  await ready;
  client.on('error', () => undefined);
  return client;
}

function exec(client: Client, command: string): Promise<ClientChannel> {
  const { promise, resolve, reject } = Promise.withResolvers<ClientChannel>();
  client.exec(command, (error, channel) => (error === undefined ? resolve(channel) : reject(error)));
  return promise;
}

async function outcome(channel: ClientChannel): Promise<{ out: string; err: string; code: unknown }> {
  let [out, err] = ['', ''];
  channel.on('data', (chunk: Buffer) => (out += chunk.toString()));
  channel.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()));
  const [code] = (await once(channel, 'close')) as unknown[];
  return { out, err, code };
}

test('a command of the rule runs with the key of the gateway, and gives what it gives', options, async () => {
  await using scene = await openScene();
  const client = await connected(scene.open());
  assert.deepEqual(await outcome(await exec(client, 'run')), { out: 'given\n', err: 'beside\n', code: 7 });
  client.end();
  assert.deepEqual(scene.ran, ['run']);
  assert.ok(scene.authenticated.every((one) => one === 'git publickey'));
  const [event] = await scene.path.events(1);
  assert.deepEqual(
    [event?.verdict, event?.rule, event?.protocol, event?.injected, event?.details?.['ssh']],
    ['allow', 'machine', 'ssh', ['deploy'], { command: 'run', status: 7 }],
  );
});

test('another command is never dialled for, and says so on its standard error', options, async () => {
  await using scene = await openScene();
  const client = await connected(scene.open());
  const { err, code } = await outcome(await exec(client, 'other'));
  assert.match(err, /^upstreamproxy: rule machine does not allow the command "other"\n/);
  assert.equal(code, 128);
  client.end();
  const [event] = await scene.path.events(1);
  assert.deepEqual([event?.verdict, event?.errorCode, event?.address], ['deny', 'policy_denied', undefined]);
  assert.deepEqual(scene.authenticated, []);
});

test('a server with another key than that of the rule is shown nothing', options, async () => {
  await using scene = await openScene({ hostKey: clientKey.publicKey });
  const client = await connected(scene.open());
  const { err, code } = await outcome(await exec(client, 'run'));
  assert.match(err, /machine\.test has the key SHA256:[A-Za-z0-9+/]{43}, which is none of hostKeys/);
  assert.equal(code, 128);
  assert.deepEqual([scene.authenticated, scene.ran], [[], []]);
  client.end();
  const [event] = await scene.path.events(1);
  assert.deepEqual([event?.verdict, event?.errorCode], ['deny', 'origin_untrusted']);
  assert.deepEqual([event?.injected, event?.offered], [[], ['deploy']]);
});

test('a second session, a forward and an agent are refused', options, async () => {
  await using scene = await openScene({ run: () => undefined });
  const client = await connected(scene.open());
  await exec(client, 'run');
  await assert.rejects(exec(client, 'run'), /open failure/i);
  await assert.rejects(
    new Promise((resolve, reject) => {
      client.forwardOut('127.0.0.1', 1, '127.0.0.1', 22, (error, channel) =>
        error === undefined ? resolve(channel) : reject(error),
      );
    }),
    /open failure/i,
  );
  await assert.rejects(
    new Promise((resolve, reject) => {
      client.forwardIn('127.0.0.1', 0, (error, port) =>
        error === undefined ? resolve(port) : reject(error),
      );
    }),
  );
  client.end();
});

test('a server that has nothing but weak algorithms is not logged in to', options, async () => {
  for (const algorithms of [
    { kex: ['diffie-hellman-group14-sha1'] },
    { kex: ['diffie-hellman-group14-sha256'] },
    { cipher: ['chacha20-poly1305@openssh.com'] },
    { cipher: ['aes128-cbc'] },
    { cipher: ['aes128-ctr'], hmac: ['hmac-sha2-256-etm@openssh.com'] },
    { cipher: ['aes128-ctr'], hmac: ['hmac-sha1'] },
  ] satisfies Algorithms[]) {
    await using scene = await openScene({ algorithms });
    const client = await connected(scene.open());
    const { err } = await outcome(await exec(client, 'run'));
    assert.match(err, /machine\.test and the gateway agree on nothing: .*no matching/i);
    assert.deepEqual(scene.authenticated, []);
    client.end();
  }
});

test('what is slipped in before the first keys ends the connection (Terrapin)', options, async () => {
  await using scene = await openScene({ through: () => slippingIn() });
  const client = await connected(scene.open());
  const { err } = await outcome(await exec(client, 'run'));
  assert.match(err, /agree on nothing: .*strict KEX/);
  assert.deepEqual(scene.authenticated, []);
  client.end();
});

/** A message to ignore (RFC 4253 §11.2), in the clear, behind the line with the version. */
function slippingIn(): Transform {
  let isBefore = true;
  const ignore = Buffer.from([0, 0, 0, 12, 6, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      const end = chunk.indexOf('\n');
      if (!isBefore || end < 0) return done(null, chunk);
      isBefore = false;
      done(null, Buffer.concat([chunk.subarray(0, end + 1), ignore, chunk.subarray(end + 1)]));
    },
  });
}

test(
  'a client that takes nothing keeps the server from sending on, and one that is gone ends it',
  options,
  async () => {
    let sent = 0;
    const closed = Promise.withResolvers<undefined>();
    await using scene = await openScene({
      run: (channel) => {
        const block = Buffer.alloc(256 * 1024);
        const more = (): void => {
          sent += block.length;
          if (sent < 512 * 1024 * 1024) channel.write(block, more);
        };
        more();
      },
      closed: () => closed.resolve(undefined),
    });
    const socket = scene.open();
    const client = await connected(socket);
    const channel = await exec(client, 'run');
    channel.pause();
    // It rests when what was sent stays the same over many turns of everything between.
    let [before, quiet] = [-1, 0];
    while (quiet < 60) {
      quiet = sent === before ? quiet + 1 : 0;
      before = sent;
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    assert.ok(sent < 24 * 1024 * 1024, `${sent} octets were sent for nobody`);
    assert.equal(scene.path.parts.held.all, 8 * 1024 * 1024);
    socket.destroy();
    await closed.promise;
    await scene.path.events(1);
    assert.equal(scene.path.parts.held.all, 0);
  },
);

test('a client that says nothing is cut off', options, async () => {
  await using scene = await openScene({ path: { sshLoginTimeoutMs: 100 } });
  scene.open().resume();
  const [event] = await scene.path.events(1);
  assert.deepEqual([event?.errorCode, event?.limit], ['timeout', 'sshLoginTimeoutMs']);
});
