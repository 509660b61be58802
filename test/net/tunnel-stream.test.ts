import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import http from 'node:http';
import { afterEach, beforeEach, suite, test } from 'node:test';
import tls from 'node:tls';

import { TunnelStream } from '../../src/net/tunnel-stream.ts';
import type { TunnelStreamHost } from '../../src/net/tunnel-stream.ts';
import { ProxyError } from '../../src/protocol/error.ts';
import { defaultLimits } from '../../src/protocol/limits.ts';
import { patternBlock, patternHash, patternStream } from '../support/pattern-bytes.ts';
import { resourceBaseline, resourcesSettled } from '../support/resources.ts';
import type { ResourceBaseline } from '../support/resources.ts';
import { createTestAuthority } from '../support/test-authority.ts';

import { closed, hashAll, readAll, someFields, streamFailure, tunnelPair } from './tunnel-pair.ts';
import { destroySockets } from './websocket-pair.ts';

/** Serving on a Duplex is the gateway's, which runs on Node alone. */
const gatewayRuntime =
  process.versions['bun'] === undefined ? false : 'this runtime does not serve HTTP on a Duplex';

let baseline: ResourceBaseline;
beforeEach(() => {
  baseline = resourceBaseline();
});
afterEach(async () => {
  try {
    await resourcesSettled(baseline);
  } finally {
    destroySockets();
  }
});

suite('ending', () => {
  test('either side may end first, and the other direction goes on', async () => {
    await using pair = await tunnelPair();
    for (const first of ['near', 'far'] as const) {
      const ends = await pair.open();
      const [early, late] = first === 'near' ? [ends.near, ends.far] : [ends.far, ends.near];
      early.end('question');
      assert.equal(String(await readAll(late)), 'question');
      late.write('long ');
      late.end('response');
      assert.equal(String(await readAll(early)), 'long response');
    }
    assert.deepEqual([pair.agent.streamCount, pair.gateway.streamCount], [0, 0]);
  });

  test('a stream that ended both ways closes without an error', async () => {
    await using pair = await tunnelPair();
    const { near, far } = await pair.open();
    const both = Promise.all([closed(near), closed(far)]);
    near.resume().end();
    far.resume().end();
    await both;
    assert.deepEqual(
      [near.errored, far.errored, near.streamError, far.streamError],
      [null, null, undefined, undefined],
    );
  });

  for (const side of ['near', 'far'] as const) {
    test(`a reset by the ${side} end stays a reset: an error with code and message, no end`, async () => {
      await using pair = await tunnelPair();
      const ends = await pair.open();
      const other = side === 'near' ? ends.far : ends.near;
      other.on('end', () => assert.fail('a reset looked like an end'));
      other.resume();
      ends[side].write('half a response');
      ends[side].reset(new ProxyError('origin_truncated', 'The origin ended too early.'));
      const error = await streamFailure(other);
      assert.ok(error instanceof ProxyError);
      assert.deepEqual([error.code, error.message], ['origin_truncated', 'The origin ended too early.']);
      assert.equal(other.streamError, error);
    });
  }

  test('destroy before the end is cancelled for the peer', async () => {
    await using pair = await tunnelPair();
    const { near, far } = await pair.open();
    near.destroy();
    assert.equal(((await streamFailure(far)) as ProxyError).code, 'cancelled');
  });

  test('the text of a foreign error stays on this side', async () => {
    await using pair = await tunnelPair();
    const { near, far } = await pair.open();
    far.destroy(new Error('connect ECONNREFUSED 10.1.2.3:5432'));
    const error = (await streamFailure(near)) as ProxyError;
    assert.equal(error.code, 'stream_reset');
    assert.doesNotMatch(error.message, /10\.1\.2\.3/);
  });

  test('what came before an end is read to the end, though a reset follows', async () => {
    await using pair = await tunnelPair();
    const { near, far } = await pair.open();
    far.end(Buffer.alloc(200_000, 7));
    await once(far, 'finish');
    far.destroy();
    // A round trip behind it: the reset has arrived before anything is read.
    await pair.agent.roundTrip();
    near.write('into the void');
    near.end();
    assert.equal((await readAll(near)).length, 200_000);
    await closed(near);
    assert.equal(near.errored, null);
  });

  test('a reset with an error behind an end is an error, after the data', async () => {
    await using pair = await tunnelPair();
    const { near, far } = await pair.open();
    far.end('all of it');
    await once(far, 'finish');
    far.reset(new ProxyError('timeout', 'The client was idle.'));
    await pair.agent.roundTrip();
    assert.equal(String(await readAll(near)), 'all of it');
    await closed(near);
    assert.equal(near.streamError?.code, 'timeout');
  });

  test('destroySoon lets everything leave first', async () => {
    await using pair = await tunnelPair();
    const { near, far } = await pair.open();
    far.write(Buffer.alloc(3_000_000));
    far.destroySoon();
    assert.equal((await readAll(near)).length, 3_000_000);
    await closed(near);
  });

  test('a stream without any listener fails without harm', async () => {
    await using pair = await tunnelPair();
    const { near, far } = await pair.open();
    far.reset(new ProxyError('internal', 'x'));
    await closed(near);
  });
});

suite('opening', () => {
  test('data travels right behind the open, and accept arrives', async () => {
    await using pair = await tunnelPair({
      onStream: (stream) => {
        assert.deepEqual(stream.fields, { ...someFields, sni: 'origin.test' });
        stream.accept();
        stream.pipe(stream);
      },
    });
    const near = pair.agent.openStream({ ...someFields, sni: 'origin.test' });
    const accepted = once(near, 'accept');
    near.end('early');
    await accepted;
    assert.equal(String(await readAll(near)), 'early');
  });

  test('a refusal is an error with code and message, though data was under way', async () => {
    await using pair = await tunnelPair({
      onStream: (stream) => stream.refuse(new ProxyError('policy_denied', 'No rule allows origin.test.')),
    });
    const near = pair.agent.openStream(someFields);
    near.on('accept', () => assert.fail('accepted'));
    near.write('early');
    const error = (await streamFailure(near)) as ProxyError;
    assert.deepEqual([error.code, error.message], ['policy_denied', 'No rule allows origin.test.']);
    await pair.agent.roundTrip();
    assert.equal(pair.gateway.streamCount, 0);
  });

  test('a refusal after data is a reset', async () => {
    await using pair = await tunnelPair();
    const { near, far } = await pair.open();
    far.write('x');
    await once(near, 'data');
    far.refuse(new ProxyError('policy_denied', 'Not any more.'));
    assert.equal(((await streamFailure(near)) as ProxyError).code, 'policy_denied');
  });
});

suite('bytes', () => {
  test('strings are written by their encoding', async () => {
    await using pair = await tunnelPair();
    const { near, far } = await pair.open();
    near.write('é', 'latin1');
    near.write('é');
    near.write('6869', 'hex');
    near.end('!');
    assert.equal((await readAll(far)).toString('hex'), 'e9c3a9686921');
    far.resume().end();
    near.resume();
  });

  test('one write may be larger than every window and buffer', async () => {
    await using pair = await tunnelPair();
    const { near, far } = await pair.open();
    const bytes = Buffer.concat(Array.from({ length: 512 }, (_, i) => patternBlock(i)));
    near.end(bytes);
    assert.ok((await readAll(far)).equals(bytes));
    assert.equal(near.bytesWritten, bytes.length);
    assert.equal(far.bytesRead, bytes.length);
    far.end();
    near.resume();
    await closed(near);
  });

  test('all ways of reading give all bytes and return all credit', async () => {
    await using pair = await tunnelPair();
    const bytes = 5_000_000;
    const readers: ((stream: TunnelStream) => Promise<string>)[] = [
      hashAll,
      async (stream) => {
        const collected: Buffer[] = [];
        for await (const chunk of stream.iterator({ destroyOnReturn: false }))
          collected.push(chunk as Buffer);
        return hashOf(Buffer.concat(collected));
      },
      async (stream) => {
        const collected: Buffer[] = [];
        stream.on('readable', () => {
          for (let chunk = stream.read(1000); chunk !== null; chunk = stream.read(1000))
            collected.push(chunk);
          const rest = stream.readableEnded ? null : stream.read();
          if (rest !== null) collected.push(rest);
        });
        await once(stream, 'end');
        return hashOf(Buffer.concat(collected));
      },
      async (stream) => {
        const result = Promise.withResolvers<string>();
        const collected: Buffer[] = [];
        stream.on('data', (chunk: Buffer) => {
          collected.push(chunk);
          stream.pause();
          setImmediate(() => stream.resume());
        });
        stream.on('end', () => result.resolve(hashOf(Buffer.concat(collected))));
        return result.promise;
      },
    ];
    for (const [i, read] of readers.entries()) {
      const { near, far } = await pair.open();
      patternStream(bytes, i).pipe(near);
      assert.equal(await read(far), patternHash(bytes, i), `reader ${i}`);
      far.end();
      near.resume();
      await closed(near);
    }
  });

  test('a reader that takes nothing bounds what is sent, and the rest comes when it reads', async () => {
    const limits = {
      ...defaultLimits,
      windowBytesInitial: 256 * 1024,
      windowBytesMax: 1024 * 1024,
      writeBufferBytesMax: 256 * 1024,
    };
    await using pair = await tunnelPair({ limits });
    const { near, far } = await pair.open();
    const bytes = 64 * 1024 * 1024;
    let readBytes = 0;
    let maxOutstanding = 0;
    patternStream(bytes, 9).pipe(near);
    const hash = createHash('sha256');
    far.on('data', (chunk: Buffer) => {
      readBytes += chunk.length;
      hash.update(chunk);
      // Reads a quarter of a megabyte, then lets the tunnel go round a few times.
      if (readBytes % (1024 * 1024) < chunk.length) {
        far.pause();
        void pair.agent
          .roundTrip()
          .then(() => pair.agent.roundTrip())
          .then(() => {
            maxOutstanding = Math.max(maxOutstanding, near.bytesWritten - readBytes);
            far.resume();
          });
      }
    });
    await once(far, 'end');
    assert.equal(hash.digest('hex'), patternHash(bytes, 9));
    const bound = limits.windowBytesMax + limits.writeBufferBytesMax;
    assert.ok(
      maxOutstanding > 0 && maxOutstanding <= bound,
      `${maxOutstanding} bytes were outstanding, allowed ${bound}`,
    );
    far.end();
    near.resume();
    await closed(near);
  });
});

function hashOf(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

suite('a whole socket for what sits on it', () => {
  test('an idle stream emits timeout, once for each idle time, and does not end by it', async () => {
    await using pair = await tunnelPair();
    const { near, far } = await pair.open();
    const called = Promise.withResolvers<void>();
    assert.equal(near.setTimeout(20, called.resolve), near);
    await called.promise;
    assert.equal(near.destroyed, false);
    near.setTimeout(0);
    far.destroy();
    await streamFailure(near);
  });

  test('the methods of a socket are there', async () => {
    await using pair = await tunnelPair();
    const { near } = await pair.open();
    assert.equal(near.setNoDelay().setKeepAlive().ref().unref(), near);
    assert.deepEqual([near.remoteAddress, near.encrypted, near.connecting], [undefined, undefined, false]);
  });

  test('HTTP over TLS runs on it, both ways with bodies', { skip: gatewayRuntime }, async () => {
    const authority = createTestAuthority();
    const server = http.createServer((request, response) => request.pipe(response));
    const terminator = tls.createServer({ ...authority.issue('origin.test') }, (socket) =>
      server.emit('connection', socket),
    );
    await using pair = await tunnelPair({ onStream: (stream) => terminator.emit('connection', stream) });
    const near = pair.agent.openStream(someFields);
    const secure = tls.connect({ socket: near, servername: 'origin.test', ca: [authority.caPem] });
    await once(secure, 'secureConnect');
    const request = http.request({
      createConnection: () => secure,
      method: 'POST',
      path: '/',
      headers: { connection: 'close' },
    });
    const bytes = 3_000_000;
    patternStream(bytes, 4).pipe(request);
    const [response] = (await once(request, 'response')) as [http.IncomingMessage];
    assert.equal(await hashAll(response), patternHash(bytes, 4));
    await closed(near);
    assert.equal(near.streamError, undefined);
  });
});

test('what is consumed is counted when it is read, not when it arrives', async () => {
  const host: TunnelStreamHost = {
    accept() {},
    refuse() {},
    requestSend() {},
    sendData: () => 0,
    lacksCredit: () => true,
    sendDatagram: () => false,
    end() {},
    consumptionChanged() {},
    closed() {},
  };
  const stream = new TunnelStream(host, 1, someFields);
  for (let i = 0; i < 100; i += 1) stream.receiveData(Buffer.alloc(5000));
  assert.equal(stream.takeConsumed(), 0);
  let read = 0;
  while (read < 200_000) read += stream.read()?.length ?? 0;
  const early = read;
  assert.equal(stream.takeConsumed(), early);
  assert.equal(stream.takeConsumed(), 0);
  stream.on('data', (chunk: Buffer) => {
    read += chunk.length;
  });
  stream.receiveEnd();
  await once(stream, 'end');
  assert.equal(stream.takeConsumed(), 500_000 - early);
  assert.equal(read, 500_000);
  stream.destroy();
});
