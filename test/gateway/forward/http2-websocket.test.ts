import assert from 'node:assert/strict';
import type { ClientHttp2Session } from 'node:http2';
import { test } from 'node:test';

import { openHttp2WebSocket } from '../../../src/gateway/forward/http2-websocket.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import { anyReceiver, forwardRequestTo } from '../support/forward-request.ts';

test('a client that goes while the SETTINGS of the origin are waited for has nothing asked for it', async () => {
  const asked: unknown[] = [];
  // Of the session that much is looked at before anything is sent.
  const session = {
    destroyed: false,
    remoteSettings: { enableConnectProtocol: true },
    request: (fields: unknown) => {
      asked.push(fields);
      throw new Error('it was asked');
    },
  } as unknown as ClientHttp2Session;
  const { promise: settled, resolve: settle } = Promise.withResolvers<void>();
  const client = new AbortController();
  const request = forwardRequestTo('allowed.test', client.signal);
  const opened = openHttp2WebSocket({ session, settled }, request, anyReceiver, defaultLimits);
  client.abort();
  settle();
  await assert.rejects(opened, { code: 'cancelled' });
  assert.deepEqual(asked, []);
});
