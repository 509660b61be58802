import assert from 'node:assert/strict';
import { test } from 'node:test';

import { interfaceAddresses } from '../../../src/net/interface-addresses.ts';
import { LoopGuard, requireFieldValue } from '../../../src/gateway/forward/loop-guard.ts';
import { get, sendRaw } from '../support/raw-http.ts';
import { openRequestPath } from '../support/request-path.ts';
import { tlsEndsInAgent } from '../../support/tls-end.ts';

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

test('a stream to the gateway itself is refused in every mode, whatever becomes of its bytes', async () => {
  for (const handling of ['tls: passthrough, ', 'scheme: tcp, ', '']) {
    for (const mode of ['raw', 'tls'] as const) {
      const loops = new LoopGuard();
      loops.listensAs(['gateway.test'], 443);
      await using path = openRequestPath({
        policy: `rules: [{ name: all, hosts: "*.test", dangerouslyAllowWideHosts: true, ${handling}ports: 443, addresses: 127.0.0.0/8 }]`,
        hosts: ['gateway.test', 'other.test'],
        trust: [],
        loops,
      });
      const { ended } = path.open({ authority: 'gateway.test:443', mode });
      assert.equal((await ended)?.code, 'loop_detected', `${handling}${mode}`);
      const { ended: again } = path.open({ authority: 'other.test:443', mode, via: loops.next(undefined) });
      assert.equal((await again)?.code, 'loop_detected', `${handling}${mode}`);
    }
  }
});

const skip = tlsEndsInAgent && 'the agent makes it then, for its own container alone';
test('no certificate is made for a public name of the gateway, on whatever port', { skip }, async () => {
  const loops = new LoopGuard();
  loops.listensAs(['Gateway.test', 'localhost', '127.0.0.1'], 8443);
  const names = ['gateway.test', 'localhost', '127.0.0.1', 'other.test'];
  assert.deepEqual(
    names.map((name) => loops.isOwnName(name)),
    [true, false, false, false],
  );
  await using path = openRequestPath({
    policy: 'mode: observe',
    hosts: ['gateway.test', 'other.test'],
    trust: [],
    loops,
  });
  await assert.rejects(path.tls('gateway.test:443'));
  const [event] = await path.events(1);
  assert.equal(event?.errorCode, 'loop_detected');
  (await path.tls('other.test:443')).destroy();
});

test('a port for operators is closed at its address, and one at every address wherever this machine is reached', () => {
  const loops = new LoopGuard();
  loops.keepForOperators('127.0.0.1', 9443);
  loops.keepForOperators('0.0.0.0', 9464);
  // As a configuration may spell them.
  loops.keepForOperators('0:0:0:0:0:0:0:1', 9465);
  loops.keepForOperators('::ffff:127.0.0.1', 9466);
  loops.keepForOperators('0:0:0:0:0:0:0:0', 9467);
  const own = [...interfaceAddresses()];
  for (const [address, port, isClosed] of [
    ['127.0.0.1', 9443, true],
    ['127.0.0.2', 9443, false],
    ['127.0.0.1', 9444, false],
    ['127.0.0.1', 9464, true],
    ['127.9.9.9', 9464, true],
    ['::1', 9464, true],
    ['192.0.2.1', 9464, false],
    ['::1', 9465, true],
    ['127.0.0.1', 9466, true],
    ['127.0.0.1', 9467, true],
    ...own.map((one) => [one, 9464, true] as const),
  ] as const)
    assert.equal(loops.isForOperators(address, port), isClosed, `${address}:${port}`);
});
