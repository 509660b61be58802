// The response of HTTP/1.x as it is written: framed so that a client sees where it ends, or that it does not.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Http1Client } from '../../../src/gateway/front/http1-client.ts';
import { HeaderList } from '../../../src/http/header-list.ts';

function respond(
  asked: { readonly method?: string; readonly httpVersion?: string; readonly raw?: readonly string[] },
  run: (client: Http1Client) => void,
): {
  readonly text: string;
  readonly ended: boolean;
  readonly aborted: string | undefined;
  readonly closing: boolean;
} {
  let text = '';
  let ended = false;
  let aborted: string | undefined;
  const request = { method: 'GET', target: '/', httpVersion: '1.1', raw: [], ...asked };
  const client = new Http1Client(
    { ...request, framing: { kind: 'none' }, fault: undefined },
    {
      write: (...pieces) => {
        for (const piece of pieces) text += Buffer.from(piece).toString('latin1');
        return true;
      },
      onDrain: () => undefined,
      abort: (error) => (aborted = error.message),
      ended: () => (ended = true),
    },
    undefined,
  );
  run(client);
  return { text, ended, aborted, closing: client.closing };
}

const head = (status: number, ...fields: readonly (readonly [string, string])[]) => ({
  status,
  headers: new HeaderList(fields),
});
const body = Buffer.from('hello');

test('a length, chunks, the end of the connection, or nothing frames a response', () => {
  const rest = (text: string): string => text.slice(text.indexOf('\r\n\r\n') + 4);
  const send = (client: Http1Client, ...fields: readonly (readonly [string, string])[]): void => {
    client.sendHead(head(200, ...fields));
    client.sendData(body);
    client.sendEnd([]);
  };
  const sized = respond({}, (client) => send(client, ['Content-Length', '5']));
  assert.deepEqual([rest(sized.text), sized.ended, sized.closing], ['hello', true, false]);
  const chunked = respond({}, (client) => send(client));
  assert.deepEqual([rest(chunked.text), chunked.closing], ['5\r\nhello\r\n0\r\n\r\n', false]);
  const old = respond({ httpVersion: '1.0', raw: ['Connection', 'keep-alive'] }, (client) => send(client));
  assert.deepEqual([rest(old.text), old.closing], ['hello', true]);
  const headOnly = respond({ method: 'HEAD' }, (client) => send(client, ['Content-Length', '5']));
  assert.deepEqual([rest(headOnly.text), headOnly.ended, headOnly.aborted], ['', true, undefined]);
  for (const status of [204, 304]) {
    const none = respond({}, (client) => {
      client.sendHead(head(status));
      client.sendData(body);
      client.sendEnd([]);
    });
    assert.deepEqual([rest(none.text), /transfer-encoding/i.test(none.text)], ['', false]);
  }
});

test('a body of another length than its head says is broken off, and not a byte too much is sent', () => {
  const long = respond({}, (client) => {
    client.sendHead(head(200, ['Content-Length', '4']));
    client.sendData(body);
    client.sendEnd([]);
  });
  assert.match(long.aborted ?? '', /longer/);
  assert.doesNotMatch(long.text, /hello/);
  const short = respond({}, (client) => {
    client.sendHead(head(200, ['Content-Length', '6']));
    client.sendData(body);
    client.sendEnd([]);
  });
  assert.deepEqual([/shorter/.test(short.aborted ?? ''), short.ended], [true, false]);
});

test('no field and no reason phrase can be two lines', () => {
  for (const bad of ['a\r\nX: b', 'a\nb', 'a\0', 'a\u0100'])
    respond({}, (client) => {
      assert.throws(() => client.sendHead(head(200, ['X', bad])), { code: 'internal' });
      assert.throws(() => client.sendHead({ ...head(403), reasonPhrase: bad }), { code: 'internal' });
      assert.equal(client.headSent, false);
    });
});

test('100 is sent once to who asked; a body that was asked for and not taken ends the connection', () => {
  const raw = ['Expect', '100-Continue'];
  const asked = respond({ raw }, (client) => {
    client.sendContinue();
    client.sendContinue();
    client.sendHead(head(204));
    client.sendEnd([]);
  });
  assert.deepEqual([asked.text.split(' 100 ').length, asked.closing], [2, false]);
  const refused = respond({ raw }, (client) => client.sendHead(head(403)));
  assert.equal(refused.closing, true);
  assert.equal(respond({ raw, httpVersion: '1.0' }, (client) => client.sendContinue()).text, '');
});
