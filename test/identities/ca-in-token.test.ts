// The root's key is in a token of PKCS #11; the gateway's authority is signed by it, and rolls while requests go on.

import assert from 'node:assert/strict';
import { readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';

import { deploy } from '../support/deployment.ts';
import { offlineRoot } from '../support/offline-root.ts';
import { httpsOrigin } from '../support/origin.ts';
import { waitUntil } from '../support/program.ts';
import { tlsThrough } from '../support/proxy-client.ts';
import { createTestAuthority } from '../support/test-authority.ts';
import { skipWithout } from '../support/tools.ts';
import { openSession } from '../../src/agent/session.ts';
import { defaultLimits } from '../../src/protocol/limits.ts';
import { silentLogger } from '../../src/system/logger.ts';
import { softModule, softToken } from './support/soft-token.ts';

const skip =
  process.env['TEST_IDENTITIES'] === undefined
    ? 'npm run test:identities runs it'
    : softModule === undefined
      ? 'not installed here: SoftHSM (Debian: softhsm2)'
      : skipWithout('softhsm2-util', 'pkcs11-tool', 'openssl');

test(
  'an authority whose root is in a token rolls under load, and no handshake fails',
  { skip },
  async (context) => {
    await using stack = new AsyncDisposableStack();
    const token = stack.use(await softToken());
    const authority = createTestAuthority();
    const origin = stack.use(await httpsOrigin({ authority }));
    const hosts = Array.from({ length: 6 }, (_, i) => `api${i}.test`);
    const rule = { name: 'api', hosts, addresses: ['127.0.0.1/32'], ports: [origin.port] };
    const set = stack.use(
      await deploy({
        authority,
        hosts: Object.fromEntries(hosts.map((host) => [host, '127.0.0.1'])),
        rules: [rule],
        environment: token.environment,
        config: { certificateAuthority: { signedBy: token.signedBy } },
      }),
    );
    const session = await openSession({
      gatewayUrl: set.gateway.url,
      gatewayCa: set.gatewayCaFile,
      token: { file: await set.issueToken() },
      dangerouslyAllowPlainGateway: false,
      relayPort: 0,
      dangerouslyAllowUnhardened: false,
      environment: {},
      scrubEnvironment: false,
      baseEnvironment: {},
      limits: defaultLimits,
      logger: silentLogger,
      tlsEndsIn: 'gateway',
    });
    stack.defer(() => session.close());
    assert.equal(readFileSync(session.files.ownCa ?? '', 'utf8').trim(), token.rootPem.trim());
    // Nothing that signs is in a file of the gateway.
    assert.deepEqual(
      readdirSync(join(set.directory, 'state'), { recursive: true }).filter((name) =>
        /(?:^|\/)ca\.key$/.test(String(name)),
      ),
      [],
    );
    const signers = new Set<string>();
    let count = 0;
    const request = async (host: string): Promise<void> => {
      const target = { relayPort: session.port, host, port: origin.port, ca: token.rootPem };
      const tls = await tlsThrough(target);
      signers.add(tls.getPeerCertificate(true).issuerCertificate.fingerprint256);
      tls.write(`GET /hello HTTP/1.1\r\nHost: ${host}:${origin.port}\r\nConnection: close\r\n\r\n`);
      assert.match(await text(tls), /^HTTP\/1\.1 200 [^]*hello/);
      count += 1;
    };
    const load = { isOn: true };
    const running = hosts.map(async (host) => {
      for (; load.isOn;) await request(host);
    });
    const taken = (): number => set.gateway.log().match(/another one signs now/g)?.length ?? 0;
    await waitUntil('the first one signs', () => signers.size >= 1);
    // Each change of what stands above has the next one signed at once, as the end of its life would.
    for (let round = 1; round <= 5; round++) {
      using another = offlineRoot({ name: `Another Root ${round}` });
      writeFileSync(`${token.rootFile}.new`, token.rootPem + another.pem);
      renameSync(`${token.rootFile}.new`, token.rootFile);
      await waitUntil('the next one signs', () => taken() >= round && signers.size > round);
    }
    load.isOn = false;
    await Promise.all(running);
    context.diagnostic(`${count} requests, ${signers.size} authorities, no failed handshake`);
    assert.ok(signers.size >= 6 && count > 50);
  },
);
