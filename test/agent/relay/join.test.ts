import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Duplex } from 'node:stream';
import { afterEach, test } from 'node:test';

import { join } from '../../../src/agent/relay/join.ts';
import { TunnelStream, type TunnelStreamHost } from '../../../src/net/tunnel-stream.ts';
import type { ProxyError } from '../../../src/protocol/error.ts';
import { defaultLimits as limits } from '../../../src/protocol/limits.ts';
import { someFields } from '../../net/tunnel-pair.ts';
import { destroySockets, socketPair } from '../../net/websocket-pair.ts';

afterEach(destroySockets);

/** A stream of no tunnel whose writes take their time. */
class SlowStream extends Duplex {
  text = '';
  fault: Error | undefined;
  #done: (() => void)[] = [];
  readonly #arrived = Promise.withResolvers<void>();

  /** Something was written to it. */
  get arrived(): Promise<void> {
    return this.#arrived.promise;
  }

  goOn(): void {
    for (const done of this.#done.splice(0)) done();
  }

  reset(error: ProxyError): void {
    this.fault = error;
    this.destroy(error);
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: () => void): void {
    this.text += chunk.toString('latin1');
    this.#done.push(callback);
    this.#arrived.resolve();
  }
}

test('what a client sent before its end reaches a stream of no tunnel before that end', async () => {
  const { client, server } = await socketPair();
  const stream = new SlowStream({ allowHalfOpen: true });
  stream.on('error', (error) => (stream.fault = error));
  join(server, stream, limits);
  client.write('1');
  await stream.arrived;
  client.end('2');
  await once(server, 'end');
  const finished = Promise.race([once(stream, 'finish'), once(stream, 'close')]);
  stream.goOn();
  await new Promise(setImmediate);
  stream.goOn();
  await finished;
  assert.equal(stream.fault, undefined);
  assert.equal(stream.text, '12');
  stream.destroy();
});

test('what lay in the socket of a client goes before what comes next', async () => {
  const { client, server } = await socketPair();
  let text = '';
  const host: TunnelStreamHost = {
    accept() {},
    refuse() {},
    requestSend() {},
    sendData(_streamId, data) {
      text += Buffer.from(data).toString('latin1');
      return data.length;
    },
    lacksCredit: () => false,
    sendDatagram: () => false,
    end() {},
    consumptionChanged() {},
    closed() {},
  };
  const stream = new TunnelStream(host, 1, someFields);
  // The head, written before; the tunnel has no turn for it yet.
  stream.write('1');
  client.write('2');
  server.read(0);
  while (server.readableLength < 1) await new Promise(setImmediate);
  join(server, stream, limits);
  // It is handed on in a later turn, and the client is not read before it has left.
  await new Promise(setImmediate);
  client.write('3');
  for (let turns = 0; text.length < 3 && turns < 1e6; turns += 1) {
    await new Promise(setImmediate);
    if (turns > 10) stream.sendPending(Infinity);
  }
  assert.equal(text, '123');
  stream.destroy();
});
