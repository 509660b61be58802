import assert from 'node:assert/strict';
import { test } from 'node:test';

import { BodyForwarder } from '../../src/gateway/forward-with-body.ts';
import { ProxyError } from '../../src/protocol/error.ts';
import { defaultLimits } from '../../src/protocol/limits.ts';
import { anyReceiver, forwardRequestTo } from './support/forward-request.ts';

test('a WebSocket whose client is gone before it is asked for uses no destination up', async () => {
  const unreachable = new ProxyError('origin_unreachable', 'nobody is there');
  const dialer = { dial: () => Promise.reject(unreachable) };
  const limits = { ...defaultLimits, originPoolsPerPrincipalMax: 1 };
  await using forwarder = new BodyForwarder(dialer, limits);
  const gone = forwardRequestTo('one.test', AbortSignal.abort());
  await assert.rejects(forwarder.upgrade(gone, 'websocket', anyReceiver), { name: 'AbortError' });
  const next = forwardRequestTo('two.test', new AbortController().signal);
  await assert.rejects(forwarder.upgrade(next, 'websocket', anyReceiver), { code: 'origin_unreachable' });
});
