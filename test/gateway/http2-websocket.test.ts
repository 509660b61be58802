import assert from 'node:assert/strict';
import type { ClientHttp2Session } from 'node:http2';
import { test } from 'node:test';

import type { ForwardRequest, ResponseReceiver } from '../../src/gateway/forwarder.ts';
import { openHttp2WebSocket } from '../../src/gateway/http2-websocket.ts';
import { HeaderList } from '../../src/http/header-list.ts';
import { defaultLimits } from '../../src/protocol/limits.ts';

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
  const request: ForwardRequest = {
    head: {
      method: 'GET',
      destination: { scheme: 'https', host: 'allowed.test', port: 443 },
      path: '/ws',
      query: '',
      headers: new HeaderList(),
      httpVersion: '1.1',
    },
    body: undefined,
    bodyLength: undefined,
    acceptsTrailers: false,
    principalId: 'p',
    addresses: [],
    signal: client.signal,
  };
  const receiver: ResponseReceiver = {
    onInformation: () => undefined,
    onHead: () => undefined,
    onData: () => true,
    onTrailers: () => undefined,
  };
  const opened = openHttp2WebSocket({ session, settled }, request, receiver, defaultLimits);
  client.abort();
  settle();
  await assert.rejects(opened, { code: 'cancelled' });
  assert.deepEqual(asked, []);
});
