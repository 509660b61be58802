// Requests that a person is asked about, on the way of a request: what of their bodies people are shown, and what goes on after the answer.

import assert from 'node:assert/strict';
import { connect as connectHttp2 } from 'node:http2';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { QuestionDesk } from '../../../src/gateway/access/question-desk.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import { openStore } from '../../../src/store/open-store.ts';
import type { QuestionContent } from '../../../src/store/question-store.ts';
import { httpsOrigin } from '../../support/origin.ts';
import { createTestAuthority } from '../../support/test-authority.ts';
import { type RawResponse, sendRaw } from '../support/raw-http.ts';
import { RecordingSink } from '../support/recording-sink.ts';
import { openRequestPath } from '../support/request-path.ts';

const authority = createTestAuthority();
const limits = { ...defaultLimits, askBodyBytesMax: 50_000, askBodyTimeoutMs: 200 };

/** An origin that says what it got; whoever asks is told yes at once, after `onAsked`. */
async function scene(ask: string, onAsked: () => void = () => undefined) {
  await using stack = new AsyncDisposableStack();
  const got: string[] = [];
  const origin = await httpsOrigin({
    authority,
    handler: async (request, response) => {
      got.push(await text(request));
      response.end('done');
    },
  });
  stack.defer(() => origin.close());
  const { questions: store } = stack.use(await openStore('sqlite::memory:'));
  const asked: QuestionContent[] = [];
  const questions = stack.use(
    new QuestionDesk({
      reachesPeople: () => true,
      store,
      audit: {
        record: async ({ details }) => {
          const id = String(details?.['id']);
          const record = await store.find(id);
          assert.ok(record !== undefined);
          asked.push(record.content);
          onAsked();
          const nowMs = Date.now();
          await store.decide(id, { answer: 'once', by: 'ada', nowMs, endsMs: nowMs + 60_000 });
        },
      },
      limits,
      clock: Date.now,
      onFault: (error) => assert.fail(error),
    }),
  );
  const path = stack.use(
    openRequestPath({
      policy: `rules: [{ name: ask, hosts: ask.test, ports: ${String(origin.port)}, addresses: 127.0.0.0/8, ask: ${ask} }]`,
      hosts: ['ask.test'],
      trust: [authority.caPem],
      limits,
      questions,
    }),
  );
  const at = `ask.test:${String(origin.port)}`;
  const owned = stack.move();
  return {
    path,
    at,
    got,
    asked,
    post: async (fields: readonly string[], body: string): Promise<RawResponse> =>
      await sendRaw(
        await path.tls(at),
        [`POST / HTTP/1.1`, `Host: ${at}`, ...fields, 'Connection: close', '', body].join('\r\n'),
      ),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

const chunked = (...pieces: readonly string[]): string =>
  [...pieces, ''].map((piece) => `${piece.length.toString(16)}\r\n${piece}\r\n`).join('');
const isChunked = ['Transfer-Encoding: chunked'];

test('a body that nobody can be shown is refused, or asked about as unseen', async () => {
  const bodies = [
    ['Content-Encoding: deflate', 'text'],
    ['Content-Type: text/plain', 'a\0b'],
  ] as const;
  for (const [field, body] of bodies) {
    const fields = [field, `Content-Length: ${String(body.length)}`];
    await using seen = await scene('true');
    const refused = await seen.post(fields, body);
    assert.equal(refused.status, 403);
    assert.match(refused.body, /its body is encoded or no text/);
    assert.deepEqual([seen.asked, seen.got], [[], []]);
    await using unseen = await scene('{ body: unseen }');
    assert.equal((await unseen.post(fields, body)).status, 200);
    assert.deepEqual(
      unseen.asked.map((one) => one.body),
      ['unseen'],
    );
    assert.deepEqual(unseen.got, [body]);
  }
});

test('with unseen a short body without a length is shown, and a long one goes on whole', async () => {
  await using it = await scene('{ body: unseen }');
  assert.equal((await it.post(isChunked, chunked('short', ' one'))).status, 200);
  const pieces = Array.from({ length: 9 }, (_, at) => String(at).repeat(11_000));
  assert.equal((await it.post(isChunked, chunked(...pieces))).status, 200);
  const secured = await it.path.tls(it.at, { alpn: ['h2'] });
  const client = connectHttp2(`https://${it.at}`, { createConnection: () => secured });
  const stream = client.request({ ':method': 'POST', ':path': '/' });
  for (const piece of pieces) stream.write(piece);
  stream.end();
  assert.equal(await text(stream), 'done');
  client.destroy();
  assert.deepEqual(
    it.asked.map((one) => one.body),
    ['seen', 'unseen', 'unseen'],
  );
  assert.deepEqual(it.got, ['short one', pieces.join(''), pieces.join('')]);
});

test('with unseen a body that does not end in time is asked about, and goes on as it comes', async () => {
  const whole = Promise.withResolvers<undefined>();
  await using it = await scene('{ body: unseen }', () => whole.resolve(undefined));
  const socket = await it.path.tls(it.at);
  socket.write(
    [`POST / HTTP/1.1`, `Host: ${it.at}`, ...isChunked, 'Connection: close', '', '5\r\nearly\r\n'].join(
      '\r\n',
    ),
  );
  await whole.promise;
  socket.write(chunked(' and late'));
  assert.match(await text(socket), /^HTTP\/1\.1 200/);
  assert.deepEqual(it.got, ['early and late']);
});

test('what was allowed does not go out when the audit broke while somebody was asked', async () => {
  await using it = await scene('true', () => {
    const sink = it.path.parts.audit;
    assert.ok(sink instanceof RecordingSink);
    sink.healthy = false;
  });
  const refused = await it.post(['Content-Length: 2'], '{}');
  assert.equal(refused.status, 503);
  assert.equal(it.asked.length, 1);
  assert.deepEqual(it.got, []);
});
