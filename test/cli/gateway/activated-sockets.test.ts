import assert from 'node:assert/strict';
import { test } from 'node:test';

import { activatedSockets } from '../../../src/cli/gateway/activated-sockets.ts';
import { embeddedConfig, type GatewayConfig } from '../../../src/gateway/config/config.ts';
import type { PassedSocket } from '../../../src/system/passed-sockets.ts';

const everywhere = new Uint8Array(16);
const loopback = Uint8Array.of(127, 0, 0, 1);
const config: GatewayConfig = {
  ...embeddedConfig('/nowhere'),
  listen: { address: '0.0.0.0', port: 8443 },
  metrics: { address: '127.0.0.1', port: 9464 },
  admin: {
    socket: undefined,
    socketRoles: {},
    listen: { address: '127.0.0.1', port: 9000, names: [] },
  },
};

let descriptor = 2;
const socket = (name: string, port: number, address: Uint8Array = everywhere): PassedSocket => ({
  descriptor: (descriptor += 1),
  name,
  port,
  address,
});

const fit = (...passed: readonly PassedSocket[]): object => activatedSockets(passed, config, 1);
const refused = (pattern: RegExp, ...passed: readonly PassedSocket[]): void =>
  assert.throws(() => fit(...passed), { code: 'config_invalid', message: pattern });

test('each socket is for what its name says; the only one is for agents', () => {
  assert.deepEqual(fit(), {});
  descriptor = 2;
  const all = [socket('metrics', 9464, loopback), socket('gateway', 8443), socket('admin', 9000, loopback)];
  assert.deepEqual(fit(...all), { metrics: 3, gateway: 4, admin: 5 });
  for (const name of ['gateway', '', 'unknown', 'upstreamproxy-gateway.socket']) {
    descriptor = 2;
    assert.deepEqual(fit(socket(name, 8443)), { gateway: 3 });
  }
});

test('a socket without a purpose, or two for one, are refused', () => {
  refused(/has the name "web"/, socket('web', 8443));
  refused(/has the name ""/, socket('gateway', 8443), socket('', 9464));
  refused(/two sockets are for gateway/, socket('gateway', 8443), socket('gateway', 8443, loopback));
});

test('a socket that is elsewhere than the configuration says is refused', () => {
  refused(/is at \[::\]:443, .* port: 8443 }/, socket('gateway', 443));
  refused(/for gateway is at 127\.0\.0\.1:8443/, socket('gateway', 8443, loopback));
  // What was to be reached from this machine alone would be open to all.
  refused(/for metrics is at \[::\]:9464/, socket('metrics', 9464));
  refused(/for admin is at 10\.0\.0\.1:9000/, socket('admin', 9000, Uint8Array.of(10, 0, 0, 1)));
  const mapped = Uint8Array.from([...Array<number>(10).fill(0), 255, 255, 127, 0, 0, 1]);
  refused(/for admin is at \[::ffff:127\.0\.0\.1\]:9000/, socket('admin', 9000, mapped));
});

test('any port fits where the configuration leaves it to the system, and none where there is no place for it', () => {
  const free = { ...config, listen: { address: '::', port: 0 } };
  assert.deepEqual(activatedSockets([{ ...socket('gateway', 55_555), descriptor: 3 }], free, 1), {
    gateway: 3,
  });
  const { metrics: _, ...without } = config;
  assert.throws(() => activatedSockets([socket('metrics', 9464, loopback)], without, 1), {
    code: 'config_invalid',
    message: /has no metrics/,
  });
});

test('workers share the public port and that of the metrics, and not that of the admin API', () => {
  const passed = [socket('gateway', 8443), socket('metrics', 9464, loopback)];
  assert.equal(Object.keys(activatedSockets(passed, config, 2)).length, 2);
  assert.throws(() => activatedSockets([socket('admin', 9000, loopback)], config, 2), {
    code: 'config_invalid',
    message: /workers: 1/,
  });
});
