import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { KeepAlive, keepAliveTimes } from '../../src/protocol/keep-alive.ts';
import { defaultLimits } from '../../src/protocol/limits.ts';

const times = keepAliveTimes({ ...defaultLimits, pingIntervalMs: 20, pingTimeoutMs: 45 }, false);
const ofAgent = () => new KeepAlive({ times, pings: true, nowMs: 1000 });
const ofGateway = () => new KeepAlive({ times, pings: false, nowMs: 1000 });

describe('keep-alive', () => {
  test('the agent pings every interval, even while input comes, since the gateway lives on its pings', () => {
    const keepAlive = ofAgent();
    assert.equal(keepAlive.deadlineMs, 1020);
    keepAlive.input(1019);
    assert.equal(keepAlive.due(1019), 'nothing');
    assert.equal(keepAlive.due(1020), 'ping');
    keepAlive.ping(1020);
    assert.equal(keepAlive.deadlineMs, 1040);
  });

  test('the gateway never pings for keep-alive and gives up at the limit', () => {
    const keepAlive = ofGateway();
    assert.equal(keepAlive.deadlineMs, 1045);
    assert.equal(keepAlive.due(1044), 'nothing');
    assert.equal(keepAlive.due(1045), 'lost');
    keepAlive.input(1044);
    assert.equal(keepAlive.due(1045), 'nothing');
  });

  test('an agent that hears nothing pings twice and then gives up', () => {
    const keepAlive = ofAgent();
    const story: string[] = [];
    for (let due = ''; due !== 'lost' && story.length < 10;) {
      const nowMs = keepAlive.deadlineMs;
      due = keepAlive.due(nowMs);
      story.push(`${due} at ${nowMs}`);
      if (due === 'ping') keepAlive.ping(nowMs);
    }
    assert.deepEqual(story, ['ping at 1020', 'ping at 1040', 'lost at 1045']);
  });

  test('a process that stood still gives the peer another chance before it calls it lost', () => {
    const keepAlive = ofAgent();
    assert.equal(keepAlive.due(999_999), 'ping');
    keepAlive.ping(999_999);
    assert.equal(keepAlive.due(1_000_018), 'nothing');
    assert.equal(keepAlive.due(1_000_019), 'lost');
  });

  test('a pong is measured once and only if its ping was ours', () => {
    const keepAlive = ofAgent();
    const nonce = keepAlive.ping(1000);
    assert.equal(keepAlive.pong(nonce + 1, 1003), undefined);
    assert.equal(keepAlive.pong(nonce, 1007), 7);
    assert.equal(keepAlive.pong(nonce, 1008), undefined);
    assert.equal(keepAlive.roundTripMs, 7);
  });

  test('round trips are smoothed', () => {
    const keepAlive = ofAgent();
    keepAlive.pong(keepAlive.ping(0), 8);
    keepAlive.pong(keepAlive.ping(0), 40);
    assert.equal(keepAlive.roundTripMs, 16);
  });

  test('pings without a response are forgotten, oldest first', () => {
    const keepAlive = ofAgent();
    const nonces = Array.from({ length: 9 }, () => keepAlive.ping(1000));
    assert.equal(keepAlive.pong(nonces[0]!, 1001), undefined);
    assert.equal(keepAlive.pong(nonces[1]!, 1001), 1);
  });

  test('a measure is wanted while none is known and none is under way, and again once it is old', () => {
    const keepAlive = ofGateway();
    assert.equal(keepAlive.wantsMeasure(1000), true);
    const nonce = keepAlive.ping(1000);
    assert.equal(keepAlive.wantsMeasure(1001), false);
    keepAlive.pong(nonce, 1002);
    assert.equal(keepAlive.wantsMeasure(1003), false);
    assert.equal(keepAlive.wantsMeasure(1020), true);
  });
});
