// Which frames a peer waits for: the others may stay for them to leave with.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { OpenFields } from '../../src/protocol/frame.ts';
import { Conversation, someFields } from './conversation.ts';

const plain: OpenFields = { authority: 'origin.test:443', mode: 'http1', tlsVersion: 'TLSv1.3' };
const bytes = new Uint8Array([1]);

function opened(fields: OpenFields): { readonly talk: Conversation; readonly id: number } {
  const talk = new Conversation();
  const id = talk.agent.openStream(fields);
  assert.ok(talk.agent.output.isPressing, 'an open is waited for');
  talk.toGateway();
  assert.ok(!talk.agent.output.isPressing);
  return { talk, id };
}

test('of a stream of requests nobody waits for first credit, acceptance and what comes behind the last response', () => {
  const { talk, id } = opened(plain);
  assert.ok(talk.gateway.outputBytes > 0, 'the first credit');
  talk.gateway.accept(id);
  assert.ok(!talk.gateway.output.isPressing);
  talk.gateway.sendData(id, bytes);
  assert.ok(talk.gateway.output.isPressing);
  assert.deepEqual(
    talk.toAgent().map(({ type }) => type),
    ['accepted', 'data'],
  );
  talk.agent.consumed(id, 1, 0);
  // The first data has the round trip measured.
  talk.toGateway();
  talk.toAgent();
  talk.agent.end(id);
  assert.ok(talk.agent.outputBytes > 0 && !talk.agent.output.isPressing);
  assert.deepEqual(
    talk.toGateway().map(({ type }) => type),
    ['end'],
  );
  talk.gateway.end(id);
  assert.ok(talk.gateway.outputBytes > 0 && !talk.gateway.output.isPressing);
  talk.toAgent();
  assert.equal(talk.agent.streamCount + talk.gateway.streamCount, 0);
});

test('an end of the gateway that comes first ends a response, and is waited for', () => {
  const { talk, id } = opened(plain);
  talk.toAgent();
  talk.gateway.end(id);
  assert.ok(talk.gateway.output.isPressing);
});

test('a stream of bytes has nothing that may wait', () => {
  const { talk, id } = opened(someFields);
  assert.ok(talk.gateway.output.isPressing, 'the first credit');
  talk.toAgent();
  talk.gateway.accept(id);
  assert.ok(talk.gateway.output.isPressing);
  talk.toAgent();
  talk.agent.end(id);
  assert.ok(talk.agent.output.isPressing);
  talk.toGateway();
  talk.gateway.end(id);
  assert.ok(talk.gateway.output.isPressing);
});

test('resets, pings and credit that was used up are waited for on any stream', () => {
  const { talk, id } = opened(plain);
  talk.toAgent();
  talk.gateway.ping(0);
  assert.ok(talk.gateway.output.isPressing);
  talk.toAgent();
  talk.toGateway();
  talk.agent.sendData(id, new Uint8Array(64 * 1024));
  talk.toGateway();
  talk.gateway.consumed(id, 64 * 1024, 0);
  talk.agent.sendData(id, new Uint8Array(256 * 1024));
  talk.toGateway();
  talk.gateway.consumed(id, 192 * 1024, 1);
  assert.ok(talk.gateway.output.isPressing, 'credit');
  talk.toAgent();
  talk.gateway.reset(id, 67, 'gone');
  assert.ok(talk.gateway.output.isPressing, 'a reset');
});
