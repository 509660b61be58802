import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { test } from 'node:test';

import { Http1Pool } from '../../../src/gateway/forward/http1-pool.ts';
import { originKeyOf } from '../../../src/gateway/forward/origin-pools.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import { anyReceiver, forwardRequestTo } from '../support/forward-request.ts';

test('an origin that has spoken before it was asked is no fault of the gateway', async () => {
  const server = createServer((socket) => {
    // What fails here must not wait for it.
    socket
      .unref()
      .on('error', () => undefined)
      .write('220 mail.test ESMTP\r\n');
  });
  server.unref().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const { signal } = new AbortController();
  const request = forwardRequestTo('origin.test', signal);
  const dial = async () => {
    const socket = connect(port, '127.0.0.1');
    const readable = once(socket, 'readable');
    socket.read(0);
    await readable;
    assert.ok(socket.readableLength > 0);
    return { socket, address: '127.0.0.1', aliases: undefined, alpn: undefined, dialTimes: undefined };
  };
  using pool = new Http1Pool(originKeyOf(request), { dial: dial as never }, defaultLimits);
  const connection = await pool.take(signal);
  assert.equal(connection.isReady, false);
  await assert.rejects(connection.run(request, anyReceiver), { code: 'origin_truncated' });
  server.close();
});
