import assert from 'node:assert/strict';
import { test } from 'node:test';

import { LoopGuard, requireFieldValue } from '../../../src/gateway/forward/loop-guard.ts';
import { get, sendRaw } from '../support/raw-http.ts';
import { openRequestPath } from '../support/request-path.ts';

const there = { host: 'example.com', port: 443 };

test('what has this gateway among its hops is refused, what has others is not', () => {
  const loops = new LoopGuard();
  loops.check(there, undefined);
  loops.check(there, '1.1 someone, 1.0 another (squid/6.13)');
  for (const via of [loops.next(undefined), loops.next('1.1 a'), `${loops.next('1.1 a')}, 1.1 b (comment)`])
    assert.throws(() => loops.check(there, via), { code: 'loop_detected', message: /example\.com:443/ }, via);
  new LoopGuard().check(there, loops.next(undefined));
});

test('a way through very many proxies is refused whoever they are', () => {
  const loops = new LoopGuard();
  loops.check(there, Array.from({ length: 8 }, (_, i) => `1.1 p${i}`).join(', '));
  assert.throws(() => loops.check(there, Array.from({ length: 9 }, (_, i) => `1.1 p${i}`).join(',')), {
    code: 'loop_detected',
  });
});

test("the gateway's own names are no destination on its own port, and are one on others", () => {
  const loops = new LoopGuard();
  loops.check({ host: 'gateway.example.com', port: 8443 }, undefined);
  loops.listensAs(['Gateway.example.com', '::1'], 8443);
  for (const host of ['gateway.example.com', '::1'])
    assert.throws(() => loops.check({ host, port: 8443 }, undefined), { code: 'loop_detected' }, host);
  loops.check({ host: 'gateway.example.com', port: 443 }, undefined);
});

test('hops that would be more than one field for the next proxy end their stream', async () => {
  for (const via of [undefined, '1.1 a', '1.0 a, 1.1 b (squid/6.13)\t, 1.1 [::1]:3128'])
    requireFieldValue(via);
  const policy =
    'rules:\n  - name: all\n    hosts: allowed.test\n    tls: passthrough\n    ports: 443\n    addresses: 127.0.0.0/8\n';
  await using path = openRequestPath({ policy, hosts: ['allowed.test'], trust: [] });
  for (const via of ['1.1 a\r\nHost: other.test', 'a\nb', 'a\rb', 'a\0b', `1.1 ${'a'.repeat(3000)}`]) {
    for (const mode of ['raw', 'proxy'] as const) {
      const { ended } = path.open({ authority: 'allowed.test:443', mode, via });
      assert.equal((await ended)?.code, 'request_malformed', JSON.stringify(via.slice(0, 30)));
    }
  }
});

test('hops are found in every field of a request that says them', async () => {
  const loops = new LoopGuard();
  await using path = openRequestPath({
    policy: 'rules:\n  - { name: all, hosts: allowed.test, scheme: http }\n',
    hosts: ['allowed.test'],
    trust: [],
    loops,
  });
  const { socket } = path.open({ authority: 'allowed.test:80', mode: 'raw' });
  const response = await sendRaw(
    socket,
    get('allowed.test', '/', 'Via: 1.1 other', `Via: ${loops.next(undefined)}`),
  );
  assert.equal(response.headers.get('x-deny-reason'), 'loop_detected');
});
