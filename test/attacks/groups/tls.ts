// TLS on both sides: what the client's handshake may be, and what an origin's certificate must be.

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { Duplex } from 'node:stream';
import { connect as connectTls, type TlsOptions, type TLSSocket } from 'node:tls';

import { createEphemeralAuthority } from '../../../src/pki/certificate-authority.ts';
import { createTestAuthority } from '../../support/test-authority.ts';
import { findTool } from '../../support/tools.ts';
import { originAuthority, usualPolicy, type Arena } from '../support/arena.ts';
import { strangeOrigin } from '../support/strange-origin.ts';
import { responded, get, nothingDialled, refused, type AttackTable } from '../support/attack.ts';
import { preface } from '../support/h2-frames.ts';
import { http2Send, openHttp2, pseudo } from '../support/http2-client.ts';

/** A ClientHello of TLS 1.2 with these bytes as its extensions (RFC 8446 §4.1.2). */
function clientHello(extensions: Buffer, version = 0x0303): Buffer {
  const suites = Buffer.from('130113021303c02bc02fc02cc030', 'hex');
  const body = Buffer.concat([
    Buffer.of(version >> 8, version & 255),
    Buffer.alloc(32, 7),
    Buffer.of(0, 0, suites.length),
    suites,
    Buffer.of(1, 0, extensions.length >> 8, extensions.length & 255),
    extensions,
  ]);
  const handshake = Buffer.concat([Buffer.of(1, 0, body.length >> 8, body.length & 255), body]);
  return Buffer.concat([Buffer.of(0x16, 3, 1, handshake.length >> 8, handshake.length & 255), handshake]);
}

function extension(type: number, data: Buffer): Buffer {
  return Buffer.concat([Buffer.of(type >> 8, type & 255, data.length >> 8, data.length & 255), data]);
}

function serverNames(...names: readonly (readonly [type: number, name: Buffer])[]): Buffer {
  const entries = names.map(([type, name]) =>
    Buffer.concat([Buffer.of(type, name.length >> 8, name.length & 255), name]),
  );
  const list = Buffer.concat(entries);
  return extension(0, Buffer.concat([Buffer.of(list.length >> 8, list.length & 255), list]));
}

/** ECDSA and RSA with SHA-256 (RFC 8446 §4.2.3). */
function signatureAlgorithms(): Buffer {
  return extension(13, Buffer.from('000404030804', 'hex'));
}

/** Sends bytes instead of a handshake; nothing is dialled, and each leaves one event. */
async function rawHandshakes(a: Arena, hellos: readonly Buffer[]): Promise<void> {
  for (const hello of hellos) {
    const reply = await a.inTunnel(a.at('allowed.test'), hello);
    assert.notEqual(reply.ending, 'open');
    assert.ok(
      reply.bytes.length === 0 || reply.bytes[0] === 0x15 || reply.bytes[0] === 0x16,
      reply.text.slice(0, 100),
    );
  }
  nothingDialled(a);
}

export const tls: AttackTable = {
  'TLS-01': async (a) => {
    const at = a.at('allowed.test');
    assert.equal((await leafOf(a, at, undefined)).subjectAltName, 'DNS:allowed.test');
    responded(await a.send(at, get(at, '/no-sni'), { sni: undefined }), 200);
    responded(await a.send(a.at('evil.test'), get(a.at('evil.test'), '/'), { sni: undefined }), 403);
  },
  'TLS-02': async (a) => {
    const name = (text: string): Buffer => Buffer.from(text, 'latin1');
    await rawHandshakes(a, [
      clientHello(serverNames([0, name('127.0.0.1')])),
      clientHello(serverNames([0, name('a'.repeat(300))])),
      clientHello(serverNames([0, name('allowed.test\0.evil.test')])),
      clientHello(serverNames([0, name('*.test')])),
      clientHello(serverNames([0, name('allowed.test')], [0, name('evil.test')])),
      clientHello(extension(0, Buffer.of(0, 0))),
      clientHello(serverNames([1, name('allowed.test')])),
    ]);
    // Case and a dot at the end are the same name.
    responded(
      await a.send(a.at('allowed.test'), get(a.at('allowed.test'), '/case'), { sni: 'ALLOWED.test' }),
      200,
    );
    responded(
      await a.send(a.at('allowed.test'), get(a.at('allowed.test'), '/dot'), { sni: 'allowed.test.' }),
      200,
    );
    // No leaf has any other name than the one in CONNECT.
    assert.equal((await leafOf(a, a.at('allowed.test'), 'allowed.test.')).subjectAltName, 'DNS:allowed.test');
  },
  'TLS-03': async (a) => {
    // GREASE ECH: an outer hello whose payload means nothing to anybody (RFC 9849 §6.2).
    const ech = extension(
      0xfe0d,
      Buffer.concat([
        Buffer.of(0, 0, 1, 0, 1, 9, 0, 32),
        Buffer.alloc(32, 1),
        Buffer.of(0, 16),
        Buffer.alloc(16, 2),
      ]),
    );
    await rawHandshakes(a, [clientHello(Buffer.concat([serverNames([0, Buffer.from('evil.test')]), ech]))]);
    assert.equal(a.lastEvent?.errorCode, 'authority_mismatch');
    // With the right outer name the handshake goes on as if there were no ECH: a ServerHello, of TLS 1.2 as offered.
    const groups = extension(10, Buffer.from('0004001d0017', 'hex'));
    const greased = clientHello(
      Buffer.concat([serverNames([0, Buffer.from('allowed.test')]), ech, groups, signatureAlgorithms()]),
    );
    const reply = await a.inTunnel(a.at('allowed.test'), greased, { keepOpen: true, deadlineMs: 1_000 });
    assert.deepEqual([reply.bytes[0], reply.bytes[5]], [0x16, 2], 'a ServerHello');
    assert.ok(!reply.bytes.includes(Buffer.from('evil.test')));
  },
  'TLS-04': async (a) => {
    const first = await a.tls(a.at('allowed.test'));
    let session: Buffer | undefined;
    first.on('session', (given) => (session = given));
    first.write(get(a.at('allowed.test'), '/first'));
    a.attempts += 1;
    first.resume();
    await once(first, 'end');
    first.destroy();
    for (const [name, principal] of [
      ['b.allowed.test', 'alice'],
      ['allowed.test', 'bob'],
    ] as const) {
      const socket: TLSSocket = await a.tls(a.at(name), {
        principal,
        tls: session === undefined ? {} : { session },
      });
      // The handshake is a whole one: neither a name nor a principal takes over a session of another.
      assert.equal(socket.isSessionReused(), false, `${name} for ${principal}`);
      socket.end(get(a.at(name), `/${principal}`));
      a.attempts += 1;
      socket.resume();
      await once(socket, 'end');
    }
    const hosts = (await a.events(3)).map(({ host }) => host);
    assert.deepEqual(hosts, ['allowed.test', 'b.allowed.test', 'allowed.test']);
  },
  'TLS-06': async (a) => {
    const at = a.at('allowed.test');
    const before = a.ownEvents.length;
    const wrong = await a.send(at, get(at, '/'), { alpn: ['h2'], events: 0 });
    assert.doesNotMatch(wrong.text, /^HTTP\/1/);
    a.attempts += (await a.events(before + 1)).length - before;
    refused(await a.send(at, preface, { alpn: ['http/1.1'] }), 400, 505);
    a.attempts += 1;
    await assert.rejects(a.tls(at, { alpn: ['foo'] }), /no application protocol/i);
    nothingDialled(a);
    responded(await a.send(at, get(at, '/no-alpn')), 200);
    // HTTP/2 to an origin of HTTP/1.1: each stream is one request there, and one event.
    await using client = await openHttp2(a, at);
    await http2Send(a, client, [pseudo(at, '/one'), pseudo(at, '/two'), pseudo(at, '/three')]);
    const paths = (await a.events(a.attempts)).map(({ path }) => path);
    for (const path of ['/one', '/two', '/three'])
      assert.equal(paths.filter((one) => one === path).length, 1);
  },
  'TLS-07': {
    limits: { headTimeoutMs: 400 },
    run: async (a) => {
      const at = a.at('allowed.test');
      const first = [
        'SSH-2.0-x\r\n',
        '\x05\x01\x00',
        '\0\0\0\x08\x04\xd2\x16\x2f',
        Buffer.alloc(65_536, 0xa5),
      ];
      for (const bytes of first) refused(await a.inTunnel(at, bytes));
      // One byte, then silence.
      refused(await a.inTunnel(at, '\x16', { keepOpen: true }));
      nothingDialled(a);
    },
  },
  'TLS-09': {
    // It ends the connection that asked for another handshake; thousands of updates of keys take longer.
    shortLimits: { headTimeoutMs: 2_000, idleTimeoutMs: 5_000 },
    run: async (a, scale) => {
      await assert.rejects(
        a.tls(a.at('allowed.test'), {
          tls: { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'ALL:@SECLEVEL=0' },
        }),
      );
      a.attempts += 1;
      await a.events(1);
      // SSLv2: its first byte is a length.
      await rawHandshakes(a, [
        Buffer.from('802e0100020015000000100100800200800300800400800500800600400700c0', 'hex'),
        clientHello(serverNames([0, Buffer.from('allowed.test')]), 0x0300),
      ]);
      await renegotiations(a);
      await keyUpdates(a, scale === 'full' ? 5_000 : 200);
    },
  },
  'TLS-10': {
    policy: (ports) =>
      `${usualPolicy(ports)}  - { name: bad, hosts: bad.test, ports: 9976, inject: api, addresses: 127.0.0.10/32 }\n`,
    run: async (a) => {
      const decade = 3_650 * 86_400_000;
      const bad: Record<string, TlsOptions> = {
        'of another authority': createTestAuthority().issue('bad.test'),
        'of another name': originAuthority.issue('other.test'),
        expired: pemOf(createEphemeralAuthority(Date.now() - decade), 'bad.test', Date.now() - decade),
        'not yet valid': pemOf(
          createEphemeralAuthority(Date.now() + decade),
          'bad.test',
          Date.now() + decade,
        ),
        ...madeByOpenssl(),
      };
      for (const [what, identity] of Object.entries(bad)) {
        await using origin = await strangeOrigin(9_976, identity);
        const at = `bad.test:${origin.port}`;
        responded(await a.send(at, get(at, '/'), { principal: `asks-${what.replaceAll(' ', '-')}` }), 502);
        assert.equal(a.lastEvent?.errorCode, 'origin_untrusted', what);
        assert.deepEqual([origin.handshakes() > 0, origin.bytes()], [true, 0], what);
      }
      nothingDialled(a);
    },
  },
  'TLS-14': async (a) => {
    const leaf = await leafOf(a, a.at('allowed.test'), 'allowed.test');
    assert.equal(leaf.subjectAltName, 'DNS:allowed.test');
    assert.equal(leaf.ca, false);
    assert.deepEqual(leaf.keyUsage, ['1.3.6.1.5.5.7.3.1']);
    // Authority and subject key identifiers, which strict clients ask for (RFC 5280 §4.2.1).
    for (const identifier of ['551d23', '551d0e'])
      assert.ok(leaf.raw.includes(Buffer.from(`0603${identifier}`, 'hex')), identifier);
    const days = (Date.parse(leaf.validTo) - Date.parse(leaf.validFrom)) / 86_400_000;
    assert.ok(days <= 398);
    const literal = await leafOf(a, `127.0.0.66:${a.ports.tls}`, undefined);
    assert.match(literal.subjectAltName ?? '', /IP Address:127\.0\.0\.66/);
  },
};

/** A client of TLS 1.2 that asks for another handshake is refused, and the connection with it. */
async function renegotiations(a: Arena): Promise<void> {
  const wire = await a.connect(a.at('allowed.test'));
  const ended = new Promise((resolve) => wire.once('end', resolve).once('close', resolve));
  // TLS reads nothing more behind its error, so the end is seen below it.
  const below = new Duplex({ read() {}, write: (chunk, _encoding, done) => void wire.write(chunk, done) });
  wire.on('data', (chunk: Buffer) => below.push(chunk));
  const options = { ca: a.caPem, servername: 'allowed.test', maxVersion: 'TLSv1.2' } as const;
  const socket = connectTls({ socket: below, ...options });
  await once(socket, 'secureConnect');
  a.attempts += 1;
  const error = await new Promise<Error | null>((resolve) => {
    socket.resume().on('error', resolve).setMaxListeners(0);
    for (let count = 0; count < 1_000; count += 1) socket.renegotiate({}, resolve);
    void ended.then(() => resolve(new Error('closed')));
  });
  assert.notEqual(error, null, 'a renegotiation succeeded');
  await ended;
  socket.destroy();
  wire.destroy();
}

/** KeyUpdate after KeyUpdate (RFC 8446 §4.6.3) by openssl's client: a line of `K` asks for a response to each. */
async function keyUpdates(a: Arena, count: number): Promise<void> {
  const openssl = findTool('openssl');
  if (openssl === undefined) return;
  const port = await a.relayPort();
  const at = a.at('allowed.test');
  const args = ['s_client', '-quiet', '-no_ign_eof', '-proxy', `127.0.0.1:${port}`, '-connect', at];
  const client = spawn(openssl, [...args, '-servername', 'allowed.test', '-tls1_3'], {
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const timer = setTimeout(() => client.kill('SIGKILL'), 60_000);
  const exited = once(client, 'exit');
  client.stdin.on('error', () => undefined);
  let text = '';
  client.stdout.on('data', (chunk: Buffer) => (text += String(chunk)));
  const said = createInterface({ input: client.stderr })[Symbol.asyncIterator]();
  for (let sent = 0; sent < count; sent += 1) {
    client.stdin.write('K\n');
    // It takes one command for each piece that it reads and forgets the rest of the piece, so each is waited for.
    let line = await said.next();
    while (line.done !== true && line.value !== 'KEYUPDATE') line = await said.next();
    if (line.done === true) break;
  }
  // The connection still serves, or was cut; what counts is that nobody else notices.
  client.stdin.write(`GET /updated HTTP/1.1\r\nHost: ${at}\r\nConnection: close\r\n\r\n`);
  await exited;
  clearTimeout(timer);
  assert.match(text, /hello/, 'the connection was not served behind its updates');
  a.attempts += 1;
}

/** The certificate that a client is shown; the connection is used for one request. */
async function leafOf(a: Arena, at: string, sni: string | undefined): Promise<X509Certificate> {
  const socket = await a.tls(at, { sni });
  const leaf = new X509Certificate(socket.getPeerCertificate().raw);
  a.attempts += 1;
  socket.end(get(at, '/leaf'));
  socket.resume();
  await once(socket, 'end');
  return leaf;
}

function pemOf(
  authority: ReturnType<typeof createEphemeralAuthority>,
  host: string,
  nowMs: number,
): { cert: string; key: string } {
  const leaf = authority.issue(host, nowMs);
  const { privateKey } = leaf;
  const key =
    typeof privateKey === 'string'
      ? privateKey
      : privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  return { cert: leaf.certificatePem, key };
}

/** Self-signed ones of kinds that our own authority cannot make; none where there is no openssl. */
function madeByOpenssl(): Record<string, TlsOptions> {
  const openssl = findTool('openssl');
  if (openssl === undefined) return {};
  const make = (...args: readonly string[]): TlsOptions => {
    const common = [
      'req',
      '-x509',
      '-nodes',
      '-days',
      '30',
      '-subj',
      '/CN=bad.test',
      '-keyout',
      '-',
      '-out',
      '-',
    ];
    const { stdout } = spawnSync(openssl, [...common, ...args], { encoding: 'utf8' });
    return { cert: stdout, key: stdout };
  };
  return {
    'of a common name alone': make('-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'),
    'of a weak key': {
      ...make('-newkey', 'rsa:1024', '-addext', 'subjectAltName=DNS:bad.test'),
      ciphers: 'DEFAULT@SECLEVEL=0',
    },
    'self-signed, and no authority': make(
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-addext',
      'subjectAltName=DNS:bad.test',
      '-addext',
      'basicConstraints=critical,CA:FALSE',
    ),
  };
}
