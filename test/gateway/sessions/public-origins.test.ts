import assert from 'node:assert/strict';
import { test } from 'node:test';

import { PublicOrigins } from '../../../src/gateway/sessions/public-origins.ts';

test('the public names are origins on the port of the gateway and on the usual one', () => {
  const origins = new PublicOrigins({ publicNames: ['Gateway.example.com', '192.0.2.1', '::1'] });
  assert.deepEqual(origins.all, []);
  origins.listensAt(8443);
  assert.deepEqual(origins.all, [
    'https://gateway.example.com:8443',
    'https://gateway.example.com',
    'https://192.0.2.1:8443',
    'https://192.0.2.1',
    'https://[::1]:8443',
    'https://[::1]',
  ]);
  origins.listensAt(443);
  assert.deepEqual(origins.all, ['https://gateway.example.com', 'https://192.0.2.1', 'https://[::1]']);
});

test('origins that are written are all that there are, and none is an error', () => {
  const origins = new PublicOrigins({
    publicOrigins: ['https://a.example.com:9443'],
    publicNames: ['b.example.com'],
  });
  origins.listensAt(8443);
  assert.deepEqual(origins.all, ['https://a.example.com:9443']);
  for (const none of [{ publicOrigins: [], publicNames: ['b.example.com'] }, { publicNames: [] }])
    assert.throws(() => new PublicOrigins(none), { code: 'config_invalid', message: /publicOrigins/ });
});
