// The injected credential: out of the origin's responses, off every other host, and nobody else's in its place.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';

import { cases as hardeningCases } from '../../hardening/cases.ts';
import { Bench } from '../../hardening/support/bench.ts';
import { Lab } from '../../hardening/support/lab.ts';
import { rawFrame } from '../../net/websocket-frames.ts';
import { findTool } from '../../support/tools.ts';
import {
  responded,
  CannotPlayHere,
  get,
  nothingDialled,
  post,
  refused,
  type AttackTable,
} from '../support/attack.ts';
import { placeholder, usualPolicy, type Arena } from '../support/arena.ts';
import { strangeOrigin } from '../support/strange-origin.ts';
import { http2Send, openHttp2, pseudo } from '../support/http2-client.ts';

/** Values of a field as the origin got them, for requests to a host. */
function valuesSeen(a: Arena, host: string, name: string): string[] {
  return a.origins.seen
    .filter((seen) => seen.host === host)
    .flatMap(({ rawHeaders }) =>
      rawHeaders.filter((_, i) => i % 2 === 1 && rawHeaders[i - 1]?.toLowerCase() === name),
    );
}

export const credential: AttackTable = {
  'CRED-01': async (a) => {
    const at = a.at('api.allowed.test');
    const reply = await a.send(at, get(at, '/reflect'));
    responded(reply, 200);
    assert.deepEqual(valuesSeen(a, 'api.allowed.test', 'authorization'), [`Bearer ${a.secret}`]);
    assert.match(reply.text, /x-reflected: Bearer \*+/i);
    assert.match(reply.text, /you sent Bearer \*+/);
    assert.equal(a.lastEvent?.details?.['scrubbed'], 1);
  },
  'CRED-02': async (a) => {
    const at = a.rawAt('api.allowed.test');
    // Base64 at each of the three offsets; what is before and behind belongs to groups that hold other bytes too.
    const offsets = ['', 'x', 'xy'].flatMap((before) =>
      (['base64', 'base64url'] as const).map((coding) =>
        Buffer.from(`${before}${a.secret}zz`).toString(coding),
      ),
    );
    const forms = [a.secret, ...offsets, encodeURIComponent(a.secret)];
    for (const form of forms) {
      a.origins.respondRaw = (socket) => {
        socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n');
        for (const byte of form) socket.write(`1\r\n${byte}\r\n`);
        socket.end('0\r\n\r\n');
      };
      const reply = await a.send(at, get(at, '/split'));
      responded(reply, 200);
      assert.match(reply.responses[0]?.body ?? '', /\*{20}/);
    }
    // Reversed, hexadecimal and the like are not searched for: docs/reference/attacks.md says so.
  },
  'CRED-03': async (a) => {
    const at = a.at('api.allowed.test');
    for (const coding of ['gzip', 'br', 'zstd', 'deflate', 'gzip, gzip', 'x-unknown']) {
      a.origins.respond = (request, response) => {
        assert.equal(request.headers['accept-encoding'], 'identity');
        response
          .writeHead(200, { 'content-encoding': coding })
          .end(gzipSync(request.headers.authorization ?? ''));
      };
      responded(await a.send(at, get(at, '/zip', 'Accept-Encoding: br, zstd, gzip')), 502);
    }
  },
  'CRED-05': async (a) => {
    const at = a.at('api.allowed.test');
    for (const status of [302, 307, 308]) {
      a.origins.respond = (_request, response) =>
        response.writeHead(status, { location: `https://${a.at('evil.test')}/` }).end();
      responded(await a.send(at, get(at, '/go')), status);
    }
    // A page that refreshes itself elsewhere is for the client to follow, and that is judged like any request.
    a.origins.respond = (_request, response) =>
      response
        .writeHead(200, { refresh: `0; url=https://${a.at('evil.test')}/` })
        .end('<meta http-equiv="refresh">');
    responded(await a.send(at, get(at, '/refresh')), 200);
    assert.equal(a.origins.seen.filter(({ host }) => host === 'api.allowed.test').length, 4);
    responded(await a.send(a.at('evil.test'), get(a.at('evil.test'), '/')), 403);
    assert.deepEqual(valuesSeen(a, 'evil.test', 'authorization'), []);
  },
  'CRED-06': async (a) => {
    const at = a.at('api.allowed.test');
    a.origins.respond = (_request, response) =>
      response
        .writeHead(302, {
          location: `https://evil.test/?t=${a.secret}`,
          'set-cookie': `t=${a.secret}`,
          'www-authenticate': `Bearer realm="${a.secret}"`,
        })
        .end();
    const reply = await a.send(at, get(at, '/go'));
    responded(reply, 302);
    assert.match(reply.text, /location: https:\/\/evil\.test\/\?t=\*+/i);
  },
  'CRED-07': async (a) => {
    const at = a.at('api.allowed.test');
    const own = ['Authorization: Bearer ATTACKER', 'X-Api-Key: ATTACKER', 'Cookie: session=ATTACKER'];
    const upload = post(at, '/upload', [...own, 'Content-Length: 4'], 'data');
    responded(await a.send(at, upload), 200);
    assert.deepEqual(valuesSeen(a, 'api.allowed.test', 'authorization'), [`Bearer ${a.secret}`]);
    const seen = a.origins.seen.filter(({ host }) => host === 'api.allowed.test');
    assert.doesNotMatch(JSON.stringify(seen), /ATTACKER/);
  },
  'CRED-08': async (a) => {
    const at = a.at('api.allowed.test');
    const attack = 'Bearer ATTACKER';
    refused(await a.send(at, get(at, '/a', `authorization: ${attack}`, `Authorization: ${attack}`)), 400);
    refused(await a.send(at, get(at, '/b', `Authorization : ${attack}`)), 400);
    nothingDialled(a);
    responded(await a.send(at, get(at, '/c', `AUTHORIZATION: ${attack}`)), 200);
    responded(
      await a.send(
        at,
        post(at, '/d', ['Transfer-Encoding: chunked'], `1\r\nx\r\n0\r\nAuthorization: ${attack}\r\n\r\n`),
      ),
      200,
      400,
    );
    await using client = await openHttp2(a, at);
    await http2Send(a, client, [[...pseudo(at, '/e'), ['authorization', attack]]]);
    // Twice on one stream: refused, or replaced as one.
    await http2Send(a, client, [
      [...pseudo(at, '/f'), ['authorization', attack], ['authorization', `${attack}2`]],
    ]);
    for (const seen of a.origins.seen.filter(({ host }) => host === 'api.allowed.test')) {
      const text = JSON.stringify(seen.rawHeaders);
      assert.equal(text.match(new RegExp(a.secret, 'g'))?.length, 1);
      assert.ok(!text.includes('ATTACKER'), text);
    }
  },
  'CRED-10': async (a) => {
    const basic = Buffer.from(`user:${placeholder}`).toString('base64');
    const bound = a.at('tool.test');
    responded(await a.send(bound, get(bound, '/reflect', `Authorization: Bearer ${placeholder}`)), 200);
    assert.deepEqual(valuesSeen(a, 'tool.test', 'authorization'), [`Bearer ${a.secret}`]);
    // Anywhere else it is the worthless text that it looks like.
    const other = a.at('allowed.test');
    const fields = [
      `Authorization: Bearer ${placeholder}`,
      `Authorization: Basic ${basic}`,
      `Cookie: t=${placeholder}`,
    ];
    for (const field of fields)
      responded(await a.send(other, get(other, `/${placeholder}?t=${placeholder}`, field)), 200);
    for (const seen of a.origins.seen.filter(({ host }) => host === 'allowed.test'))
      assert.ok(!JSON.stringify(seen).includes(a.secret));
  },
  'CRED-11': {
    policy: (ports) =>
      `${usualPolicy(ports)}  - { name: strange, hosts: api.allowed.test, ports: 9977, inject: api, addresses: 127.0.0.10/32 }\n`,
    run: async (a) => {
      refused(
        await a.toRelay(get(a.plainAt('api.allowed.test'), `http://${a.plainAt('api.allowed.test')}/`), {
          events: 1,
        }),
        403,
        502,
      );
      nothingDialled(a);
      // An origin that nobody vouches for: it gets a handshake, and not a byte of a request.
      await using stranger = await strangeOrigin(9_977);
      const at = `api.allowed.test:${stranger.port}`;
      responded(await a.send(at, get(at, '/')), 502);
      assert.equal(a.lastEvent?.errorCode, 'origin_untrusted');
      assert.ok(stranger.handshakes() > 0);
      assert.equal(stranger.bytes(), 0);
      nothingDialled(a);
    },
  },
  'CRED-13': async (a) => {
    const hop = [
      'Proxy-Authorization: Bearer SESSION',
      'Proxy-Connection: keep-alive',
      'Proxy: http://evil.test',
    ];
    responded(await a.send(a.at('allowed.test'), get(a.at('allowed.test'), '/t', ...hop)), 200);
    responded(
      await a.toRelay(get(a.plainAt('allowed.test'), `http://${a.plainAt('allowed.test')}/p`, ...hop), {
        events: 1,
      }),
      200,
    );
    await using client = await openHttp2(a, a.at('allowed.test'));
    await http2Send(a, client, [
      [...pseudo(a.at('allowed.test'), '/h2'), ['proxy-authorization', 'Bearer SESSION']],
    ]);
    const upgrade = [
      'Connection: Upgrade',
      'Upgrade: websocket',
      'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
    ];
    const at = a.at('allowed.test');
    responded(
      await a.send(
        at,
        get(at, '/up', ...upgrade, 'Sec-WebSocket-Version: 13', ...hop).replace('Connection: close\r\n', ''),
      ),
      426,
    );
    assert.equal(a.origins.seen.filter(({ host }) => host === 'allowed.test').length, 4);
    for (const seen of a.origins.seen) assert.doesNotMatch(JSON.stringify(seen.rawHeaders), /SESSION|proxy/i);
  },
  'CRED-14': async (a) => {
    const at = a.at('api.allowed.test');
    responded(await a.send(at, get(at, '/reflect')), 200);
    a.origins.respond = (_request, response) => response.destroy();
    const broken = await a.send(at, get(at, '/broken'), { principal: 'second' });
    responded(broken, 502);
    // The oracle looks through every byte that came back and through the whole audit.
    assert.ok(a.audit.length > 0);
  },
  'CRED-15': {
    // A compiler and copies of the runtime at the same time.
    neighbourMsMax: 10_000,
    run: async (_a, scale) => {
      if (process.platform !== 'linux') throw new CannotPlayHere('the attacks are those of Linux');
      if (process.getuid?.() !== 0)
        throw new CannotPlayHere('it takes root, to make the users of agent and workload');
      if (findTool('cc') === undefined) throw new CannotPlayHere('the attacks need a C compiler');
      // mem, process_vm_readv, ptrace and gdb, environ, the command line, descriptors, the token's file, all memory by root.
      const numbers = scale === 'full' ? ['1', '1b', '2', '3', '6', '7', '8', '8b', '24', '25', '28'] : ['1'];
      await using lab = await Lab.open();
      for (const attack of hardeningCases.filter(({ number }) => numbers.includes(number))) {
        await using bench = new Bench(lab, 'node');
        const { denied, control } = await attack.play(bench);
        assert.ok(denied !== '' && control !== '', attack.title);
      }
    },
  },
  'CRED-18': async (a) => {
    const at = a.at('paths.test');
    // Fetch and push are different paths; a redirect on info/refs is passed on, not followed.
    responded(await a.send(at, get(at, '/public/repo.git/info/refs?service=git-upload-pack')), 200);
    refused(
      await a.send(at, post(at, '/other/repo.git/git-receive-pack', ['Content-Length: 4'], '0000')),
      403,
    );
    responded(await a.send(a.at('evil.test'), get(a.at('evil.test'), '/sub.git/info/refs')), 403);
    for (const seen of a.origins.seen) assert.ok(!JSON.stringify(seen.rawHeaders).includes(a.secret));
  },
  'CRED-19': async (a) => {
    const at = a.at('api.allowed.test');
    const fields = [
      'Upgrade: websocket',
      'Sec-WebSocket-Version: 13',
      'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
    ];
    const request = get(at, '/ws', ...fields).replace('Connection: close', 'Connection: Upgrade');
    for (let cut = 1; cut < a.secret.length; cut += 7) {
      a.origins.upgrade = (upgrade, socket) => {
        const key = String(upgrade.headers['sec-websocket-key']);
        const accept = createHash('sha1')
          .update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
          .digest('base64');
        const shown = String(upgrade.headers.authorization).slice('Bearer '.length);
        socket.write(
          `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
        );
        const parts = [shown.slice(0, cut), shown.slice(cut, cut + 3), shown.slice(cut + 3)];
        for (const [i, part] of parts.entries()) {
          socket.write(rawFrame({ opcode: i === 0 ? 1 : 0, fin: i === 2, payload: Buffer.from(part) }));
          socket.write(rawFrame({ opcode: 9, payload: Buffer.from('ping') }));
        }
        socket.end(rawFrame({ opcode: 8 }));
      };
      const reply = await a.send(at, request, { keepOpen: true });
      responded(reply, 101);
      const text = messageOf(reply.bytes.subarray(reply.bytes.indexOf('\r\n\r\n') + 4));
      a.note(text);
      assert.equal(text, '*'.repeat(a.secret.length), `cut at ${cut}`);
    }
  },
};

/** What the data frames of a server say, each of less than 126 bytes. */
function messageOf(bytes: Buffer): string {
  let text = '';
  for (let at = 0; at + 1 < bytes.length;) {
    const [first = 0, length = 0] = [bytes[at], bytes[at + 1]];
    if ((first & 15) < 8) text += bytes.toString('latin1', at + 2, at + 2 + length);
    at += 2 + length;
  }
  return text;
}
