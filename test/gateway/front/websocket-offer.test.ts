import assert from 'node:assert/strict';
import { test } from 'node:test';

import { isOfferedWebSocket } from '../../../src/gateway/front/websocket-offer.ts';

test('a client is offered WebSockets over HTTP/2 if it puts HTTP/2 first, or speaks nothing else', () => {
  const offered = [['h2'], ['h2', 'http/1.1'], ['h3', 'h2', 'http/1.1'], ['h2', 'http/1.0']];
  const others = [[], ['http/1.1'], ['http/1.1', 'h2'], ['h3', 'http/1.1', 'h2'], ['h2c', 'http/1.1']];
  for (const alpn of offered) assert.equal(isOfferedWebSocket(alpn), true, alpn.join());
  for (const alpn of others) assert.equal(isOfferedWebSocket(alpn), false, alpn.join());
});
