import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { describe, test } from 'node:test';
import { createServer } from 'node:tls';

import { dialGateway, openGateway } from '../../../src/agent/uplink/gateway-connection.ts';
import { checkPin, pinOf } from '../../../src/agent/uplink/gateway-pin.ts';
import { openSession } from '../../../src/agent/session.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import { createTestAuthority } from '../../support/test-authority.ts';
import { FakeGateway } from '../support/fake-gateway.ts';
import { sessionSetting } from '../support/session-setting.ts';

const pinOfPem = (pem: string): string => pinOf(new X509Certificate(pem));
const strange = pinOfPem(createTestAuthority().caPem);

/** A TLS server that shows these certificates, and whether a client that trusts `ca` and has the pin takes it. */
async function takes(shown: { cert: string; key: string }, ca: string, pin: string): Promise<boolean> {
  const server = createServer(shown, (socket) => socket.on('error', () => {}));
  server.on('tlsClientError', () => {});
  await once(server.listen(0, '127.0.0.1'), 'listening');
  try {
    // It listens on TCP.
    const { port } = server.address() as AddressInfo;
    const gateway = openGateway(`https://127.0.0.1:${port}`, { ca, pins: [pin] });
    const socket = await dialGateway(gateway, defaultLimits);
    socket.destroy();
    return true;
  } catch (error) {
    assert.equal((error as { code?: string }).code, 'gateway_untrusted');
    return false;
  } finally {
    server.close();
  }
}

describe('a pin of the gateway', () => {
  test('fits its own key, and that of the authority above it', async () => {
    const authority = createTestAuthority();
    const leaf = authority.issue('127.0.0.1');
    assert.equal(await takes(leaf, authority.caPem, pinOfPem(leaf.cert)), true);
    assert.equal(await takes(leaf, authority.caPem, pinOfPem(authority.caPem)), true);
  });

  test('of another key refuses a gateway that is trusted otherwise', async () => {
    const authority = createTestAuthority();
    assert.equal(await takes(authority.issue('127.0.0.1'), authority.caPem, strange), false);
  });

  test('adds to the trust: a pinned key without a trusted certificate is refused', async () => {
    const authority = createTestAuthority();
    const leaf = authority.issue('127.0.0.1');
    assert.equal(await takes(leaf, createTestAuthority().caPem, pinOfPem(leaf.cert)), false);
  });

  test('is not met by an authority that is only shown', async () => {
    const [authority, pinned] = [createTestAuthority(), createTestAuthority()];
    const leaf = authority.issue('127.0.0.1');
    const shown = { cert: `${leaf.cert}\n${pinned.caPem}`, key: leaf.key };
    assert.equal(await takes(shown, authority.caPem, pinOfPem(pinned.caPem)), false);
  });

  test('that is wrong ends the session before anything is sent, and the token waits', async () => {
    await using setting = await sessionSetting();
    const before = setting.disk();
    const options = { ...setting.options(), gatewayPins: [strange] };
    await assert.rejects(openSession(options), { code: 'gateway_untrusted', message: /pinned/ });
    assert.deepEqual(setting.fake.requests, []);
    assert.deepEqual(setting.disk(), before);
  });

  test('holds for every connection of a session, and one that fits of several is enough', async () => {
    await using setting = await sessionSetting();
    const pins = [strange, pinOfPem(setting.fake.authority.caPem)];
    const session = await openSession({ ...setting.options(), gatewayPins: pins });
    assert.equal(setting.fake.session.state, 'committed');
    await session.close();
  });

  test('has one form, and needs https', async () => {
    await using fake = await FakeGateway.start();
    const ca = fake.authority.caPem;
    for (const text of ['', 'sha256/', 'sha1/AAAA', `${strange}=`, strange.replace('256', '512')])
      assert.throws(() => checkPin(text), { code: 'config_invalid' });
    const plain = { ca, pins: [strange], dangerouslyAllowPlainGateway: true };
    assert.throws(() => openGateway('http://127.0.0.1:1', plain), { code: 'config_invalid' });
  });
});
