import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { describe, test } from 'node:test';

import { KeptConnections } from '../../../src/agent/uplink/kept-connections.ts';

class Peer implements AsyncDisposable {
  readonly sockets: Socket[] = [];
  readonly #server: Server = createServer((socket) => this.sockets.push(socket.on('error', () => {})));

  static async start(): Promise<Peer> {
    const peer = new Peer();
    await once(peer.#server.listen(0, '127.0.0.1'), 'listening');
    return peer;
  }

  readonly dial = async (): Promise<Socket> => {
    // It listens on TCP.
    const socket = connect((this.#server.address() as AddressInfo).port, '127.0.0.1');
    await once(socket, 'connect');
    return socket;
  };

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

describe('connections that are kept', () => {
  test('a connection goes to one request at a time', async () => {
    await using peer = await Peer.start();
    using kept = new KeptConnections();
    const socket = await peer.dial();
    kept.keep(socket);
    assert.equal(await kept.take(), socket);
    assert.equal(kept.take(), undefined);
    assert.equal(socket.destroyed, false);
    socket.destroy();
  });

  test('a fault of dialling ahead is told to the request that takes it, and to it alone', async () => {
    using kept = new KeptConnections();
    kept.warm(() => Promise.reject(new Error('nobody there')));
    await assert.rejects(async () => await kept.take(), /nobody there/);
    assert.equal(kept.take(), undefined);
  });

  for (const [what, spoil] of [
    ['ends', (socket: Socket) => socket.end()],
    ['is reset', (socket: Socket) => socket.resetAndDestroy()],
    ['speaks unasked', (socket: Socket) => socket.write('x')],
  ] as const) {
    test(`one that ${what} while it waits is not given away`, async () => {
      await using peer = await Peer.start();
      using kept = new KeptConnections();
      const socket = await peer.dial();
      kept.keep(socket);
      // Listens behind the keeper, so that it has seen the end.
      const closed = new Promise((resolve) => socket.once('close', resolve));
      while (peer.sockets.length === 0) await new Promise((resolve) => setImmediate(resolve));
      spoil(peer.sockets[0]!);
      await closed;
      assert.equal(kept.take(), undefined);
    });
  }

  test('no more than two wait, and none after the end, however they came', async () => {
    await using peer = await Peer.start();
    const kept = new KeptConnections();
    const sockets = [await peer.dial(), await peer.dial(), await peer.dial()];
    for (const socket of sockets) kept.keep(socket);
    assert.deepEqual(
      sockets.map((socket) => socket.destroyed),
      [false, false, true],
    );
    const dialled = Promise.withResolvers<Socket>();
    const taken = await kept.take();
    kept.warm(() => dialled.promise);
    kept[Symbol.dispose]();
    const late = await peer.dial();
    const closed = once(late, 'close');
    dialled.resolve(late);
    await closed;
    assert.deepEqual(
      sockets.map((socket) => socket.destroyed),
      sockets.map((socket) => socket !== taken),
    );
    taken?.destroy();
  });
});
