import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { requestBytes, ResponseReader } from '../../../bench/load/load-connection.ts';

function response(body: string, head = ''): Buffer {
  return Buffer.from(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n${head}\r\n${body}`);
}

/** What a reader says of the chunks. */
function read(chunks: readonly Buffer[]): { readonly bodies: number[]; readonly faults: string[] } {
  const bodies: number[] = [];
  const faults: string[] = [];
  const reader = new ResponseReader(
    (bytes) => bodies.push(bytes),
    (error) => faults.push(error.message),
  );
  for (const chunk of chunks) reader.take(chunk);
  return { bodies, faults };
}

describe('the reader of the load generator', () => {
  it('counts responses, whole or in any two pieces', () => {
    const whole = response('hello', 'A: b\r\n');
    assert.deepEqual(read([whole, whole, whole]).bodies, [5, 5, 5]);
    for (let cut = 1; cut < whole.length; cut += 1)
      assert.deepEqual(
        read([whole, whole.subarray(0, cut), whole.subarray(cut), whole]),
        { bodies: [5, 5, 5], faults: [] },
        `cut at ${cut}`,
      );
  });

  it('takes no other status for the same response, not even one of the same length', () => {
    const good = response('hello');
    const bad = Buffer.from(good.toString().replace('200 OK', '503 No'));
    assert.equal(bad.length, good.length);
    const { bodies, faults } = read([good, bad]);
    assert.deepEqual(bodies, [5]);
    assert.match(faults[0] ?? '', /unexpected response: HTTP\/1\.1 503/);
  });

  it('a body of another length in a response of the same length is not the same', () => {
    assert.deepEqual(read([response('hello', 'A: b\r\n'), response('hello six', 'A\r\n')]).bodies, [5, 9]);
  });

  it('what comes behind a body is a fault', () => {
    assert.match(read([Buffer.concat([response('a'), Buffer.from('x')])]).faults[0] ?? '', /more came/);
  });
});

describe('requests of the load generator', () => {
  const to = { originPort: 1, host: 'origin.test', caPem: '' };

  it('are for a tunnel, or name the origin to a proxy that ends no TLS', () => {
    assert.equal(
      requestBytes(to, 'GET', '/small', 0).toString(),
      'GET /small HTTP/1.1\r\nHost: origin.test:1\r\n\r\n',
    );
    assert.match(
      requestBytes({ ...to, via: 'plain' }, 'POST', '/small', 3).toString(),
      /^POST http:\/\/origin\.test:1\/small HTTP\/1\.1\r\n.*Content-Length: 3\r\n/s,
    );
  });
});
