// Connections of clients of HTTP/1.x: one request after the other, whatever comes when, and no more held than one piece.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { Duplex } from 'node:stream';

import { defaultLimits } from '../../../src/protocol/limits.ts';
import { openScene, overBoth, readAll, statuses } from '../support/connection-scene.ts';
import { get, sendRaw } from '../support/raw-http.ts';
import { seededBelow } from '../../support/seeded.ts';

/** As a network brings them. */
function inPieces(client: Duplex, bytes: string | Buffer): void {
  for (let at = 0; at < bytes.length; at += 65_536) client.write(bytes.slice(at, at + 65_536));
}

overBoth(
  'requests in any split are responded to in their order, and run one after the other',
  async (over) => {
    let running = 0;
    let most = 0;
    await using scene = await openScene(over, {
      handler: (request, response) => {
        most = Math.max(most, ++running);
        request.resume().once('end', () => {
          running--;
          response.end(request.url);
        });
      },
    });
    const host = `Host: ${scene.at}\r\n`;
    const forms = [
      (i: number) => `GET /${String(i)} HTTP/1.1\r\n${host}\r\n`,
      (i: number) => `POST /${String(i)} HTTP/1.1\r\n${host}Content-Length: 5\r\n\r\nhello`,
      (i: number) =>
        `PUT /${String(i)} HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nT: u\r\n\r\n`,
      (i: number) => `POST /no/${String(i)} HTTP/1.1\r\n${host}Content-Length: 5\r\n\r\nGET /`,
      (i: number) => `\r\nDELETE /${String(i)} HTTP/1.1\r\n${host}Content-Length: 0\r\n\r\n`,
    ];
    for (let seed = 1; seed <= 12; seed++) {
      const random = seededBelow(seed);
      const chosen = Array.from({ length: 6 }, () => random(forms.length));
      const bytes = chosen.map((form, i) => forms[form]?.(i) ?? '').join('');
      const { client } = await scene.open();
      const read = readAll(client);
      for (let at = 0; at < bytes.length;) {
        const end = at + 1 + random(80);
        client.write(bytes.slice(at, end));
        at = end;
        if (random(3) === 0) await new Promise(setImmediate);
      }
      client.end();
      const text = await read;
      assert.deepEqual(
        statuses(text),
        chosen.map((form) => (form === 3 ? 403 : 200)),
        `seed ${String(seed)}\n${text}`,
      );
      const named = [...text.matchAll(/\r\n\r\n(?:2\r\n)?\/(\d)/g)].map(([, i]) => Number(i));
      assert.deepEqual(
        named,
        chosen.flatMap((form, i) => (form === 3 ? [] : [i])),
        text,
      );
    }
    assert.equal(most, 1);
  },
);

overBoth(
  'a small rest of a refused body is dropped and the connection goes on; behind a large one it ends',
  async (over) => {
    await using scene = await openScene(over);
    const post = (length: number): string =>
      `POST /no/x HTTP/1.1\r\nHost: ${scene.at}\r\nContent-Length: ${String(length)}\r\n\r\n${'x'.repeat(length)}`;
    const small = await sendRaw((await scene.open()).client, post(100_000) + get(scene.at, '/hello'));
    assert.deepEqual([small.status, statuses(small.body)], [403, [200]]);
    const { client } = await scene.open();
    inPieces(client, post(2 * defaultLimits.discardedBodyBytesMax));
    const large = await sendRaw(client, get(scene.at, '/hello'));
    assert.deepEqual([large.status, statuses(large.body)], [403, []]);
    assert.equal(scene.origin.requests.length, 1);
  },
);

overBoth(
  'where nobody can tell the end of a request, it is the last one, and is told with its method and path',
  async (over) => {
    await using scene = await openScene(over);
    const framings = [
      'Content-Length: 5\r\nTransfer-Encoding: chunked',
      'Content-Length: 5\r\nContent-Length: 6',
      'Transfer-Encoding: gzip, chunked',
      'Content-Length: +5',
      'Transfer_Encoding: chunked',
    ];
    for (const [i, framing] of framings.entries()) {
      const smuggled = `GET /hello HTTP/1.1\r\nHost: ${scene.at}\r\n\r\n`;
      const bytes = `POST /x${String(i)} HTTP/1.1\r\nHost: ${scene.at}\r\n${framing}\r\n\r\n0\r\n\r\n${smuggled}`;
      const text = await readAll((await scene.open()).client.end(bytes));
      assert.deepEqual(statuses(text), [400], framing);
      const event = (await scene.path.events(i + 1)).at(-1);
      assert.deepEqual(
        [event?.method, event?.path, event?.errorCode],
        ['POST', `/x${String(i)}`, 'request_malformed'],
      );
    }
    assert.equal(scene.origin.requests.length, 0);
  },
);

overBoth('what a client sends ahead of its response waits where it is', async (over) => {
  const { promise: held, resolve: release } = Promise.withResolvers<undefined>();
  await using scene = await openScene(over, {
    handler: (_request, response) => void held.then(() => response.end('late')),
  });
  const { client } = await scene.open();
  const ahead = Buffer.alloc(8 * 1024 * 1024, 'x');
  client.write(`GET /slow HTTP/1.1\r\nHost: ${scene.at}\r\n\r\n`);
  inPieces(client, ahead);
  while (scene.origin.requests.length === 0) await new Promise(setImmediate);
  for (let turn = 0; turn < 50; turn++) await new Promise(setImmediate);
  assert.ok(
    client.writableLength >= ahead.length - (over === 'tunnel' ? 3 * 1024 * 1024 : 256 * 1024),
    `${String(client.writableLength)} bytes wait with the client`,
  );
  release(undefined);
  assert.match(await readAll(client), /late[^]*HTTP\/1\.1 431 /);
});

overBoth('a client that takes nothing of its response is not written to without bound', async (over) => {
  await using scene = await openScene(over);
  const { client } = await scene.open();
  const before = process.memoryUsage().arrayBuffers;
  client.write(`GET /bytes/200000000 HTTP/1.1\r\nHost: ${scene.at}\r\n\r\n`);
  await once(client, 'readable');
  for (let turn = 0; turn < 2000; turn++) await new Promise(setImmediate);
  const grown = process.memoryUsage().arrayBuffers - before;
  assert.ok(grown < 24 * 1024 * 1024, `${String(grown)} bytes more are held`);
  client.destroy();
});

overBoth(
  'late heads, idle connections and clients that are still are ended, each in its own way',
  async (over) => {
    await using scene = await openScene(over);
    const later = (ms: number): number => performance.now() + ms + 1;
    const silent = await scene.open();
    silent.connection.look(later(defaultLimits.headTimeoutMs));
    assert.match(await readAll(silent.client), /^HTTP\/1\.1 408 [^]*headTimeoutMs/);
    const kept = await scene.open();
    kept.client.write(`HEAD /hello HTTP/1.1\r\nHost: ${scene.at}\r\n\r\n`);
    await once(kept.client, 'readable');
    await scene.path.events(2);
    kept.connection.look(later(defaultLimits.headTimeoutMs));
    assert.equal(kept.client.readableEnded, false);
    kept.connection.look(later(defaultLimits.clientKeepAliveMs));
    assert.deepEqual(statuses(await readAll(kept.client)), [200]);
    const still = await scene.open();
    still.client.write(`POST /sink HTTP/1.1\r\nHost: ${scene.at}\r\nContent-Length: 9\r\n\r\nx`);
    while (scene.origin.requests.length < 2) await new Promise(setImmediate);
    still.connection.look(later(defaultLimits.idleTimeoutMs));
    await new Promise((resolve) => still.client.once('close', resolve));
    assert.equal((await scene.path.events(3)).at(-1)?.errorCode, 'cancelled');
  },
);

overBoth('no clock of a client runs while its tunnel has no link', async (over) => {
  await using scene = await openScene(over);
  const forgiven = 1e9;
  const absence = { since: () => forgiven };
  const late = await scene.open(absence);
  late.client.write('GET /hello HTTP/1.1\r\n');
  const still = await scene.open(absence);
  still.client.write(`POST /sink HTTP/1.1\r\nHost: ${scene.at}\r\nContent-Length: 9\r\n\r\nx`);
  while (scene.origin.requests.length < 1) await new Promise(setImmediate);
  for (const { connection } of [late, still]) connection.look(performance.now() + forgiven);
  late.client.end(`Host: ${scene.at}\r\n\r\n`);
  still.client.end('12345678');
  for (const { client } of [late, still]) assert.deepEqual(statuses(await readAll(client)), [200]);
});

overBoth(
  'HTTP/1.0 closes behind its response, unless the client asks to keep the connection',
  async (over) => {
    await using scene = await openScene(over);
    const one = `GET /bytes/3 HTTP/1.0\r\nHost: ${scene.at}\r\n`;
    assert.deepEqual(statuses(await readAll((await scene.open()).client.end(`${one}\r\n${one}\r\n`))), [200]);
    const kept = `${one}Connection: keep-alive\r\n\r\n`;
    assert.deepEqual(statuses(await readAll((await scene.open()).client.end(`${kept}${kept}`))), [200, 200]);
    // Without a length only the end tells where it ends.
    const text = await readAll(
      (await scene.open()).client.end(
        `GET /hello HTTP/1.0\r\nHost: ${scene.at}\r\nConnection: keep-alive\r\n\r\n`,
      ),
    );
    assert.match(text, /connection: close\r\n\r\nhello\n$/i);
    assert.doesNotMatch(text, /transfer-encoding/i);
  },
);

overBoth(
  'a head that breaks off, is too long or has too many fields is refused with what was read of it',
  async (over) => {
    await using scene = await openScene(over);
    const heads = [
      ['GET /cut HTTP/1.1\r\nHost: a', 400, '/cut', undefined],
      [
        `GET /long HTTP/1.1\r\nX: ${'x'.repeat(defaultLimits.headBytesMax)}\r\n\r\n`,
        431,
        '/long',
        'headBytesMax',
      ],
      [
        `GET /many HTTP/1.1\r\n${'X: y\r\n'.repeat(defaultLimits.headersCountMax + 1)}\r\n`,
        431,
        '/many',
        'headersCountMax',
      ],
      ['GET  /two HTTP/1.1\r\n\r\n', 400, undefined, undefined],
    ] as const;
    for (const [i, [bytes, status, path, limit]] of heads.entries()) {
      assert.deepEqual(
        statuses(await readAll((await scene.open()).client.end(bytes))),
        [status],
        bytes.slice(0, 30),
      );
      const event = (await scene.path.events(i + 1)).at(-1);
      assert.deepEqual([event?.path, event?.limit], [path, limit]);
    }
  },
);

overBoth(
  'behind a body that is no HTTP nothing is parsed, and behind the last response all is taken and dropped',
  async (over) => {
    await using scene = await openScene(over);
    const { client } = await scene.open();
    const next = `GET /hello HTTP/1.1\r\nHost: ${scene.at}\r\n\r\n`;
    client.write(`POST /sink HTTP/1.1\r\nHost: ${scene.at}\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n`);
    client.write(`0\r\n\r\n${next}`);
    assert.deepEqual(statuses(await readAll(client)), [400]);
    assert.equal(scene.origin.requests.filter(({ target }) => target === '/hello').length, 0);
    const last = (await scene.open()).client;
    last.write(`GET /x HTTP/9.9\r\nHost: ${scene.at}\r\n\r\n${next}`);
    inPieces(last, Buffer.alloc(1024 * 1024, 'x'));
    const { promise: taken, resolve } = Promise.withResolvers<unknown>();
    last.write('x', resolve);
    const chunks: Buffer[] = [];
    last.on('data', (chunk: Buffer) => chunks.push(chunk));
    assert.equal((await taken) ?? undefined, undefined, 'the rest was taken');
    last.end();
    await new Promise((done) => last.once('close', done));
    assert.deepEqual(statuses(Buffer.concat(chunks).toString('latin1')), [400]);
  },
);
