import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, test } from 'node:test';
import { openSession, type SessionOptions, type SessionStep } from '../../src/agent/session.ts';
import { splitPemCertificates } from '../../src/pki/pem.ts';
import { ProxyError } from '../../src/protocol/error.ts';
import { freePort } from '../support/free-port.ts';
import { patienceMs } from '../support/patience.ts';
import { resourceBaseline, resourcesSettled } from '../support/resources.ts';
import { createTestAuthority } from '../support/test-authority.ts';
import { finished, spawnScript } from './support/child.ts';
import { eventually, quickLimits } from './support/enrolled.ts';
import type { GatewayFault, GatewayRequest } from './support/fake-gateway.ts';
import { RelayClient } from './support/relay-fixture.ts';
import { sessionSetting, tokenText } from './support/session-setting.ts';

const pemFiles = ['ca-bundle.pem', 'ca.pem'];
const trustFiles = [
  ...pemFiles,
  'apt.conf',
  'certificates',
  'certs',
  'hgrc',
  'node-hook.cjs',
  'php.d',
  'truststore.jks',
  'wgetrc',
].sort();
const untouched = { token: `${tokenText}\n`, files: [] };

/** The steps in their order, and whether the token is still on the disk after each. */
const steps: readonly (readonly [step: SessionStep, tokenWaits: boolean])[] = [
  ['hardened', true],
  ['token-read', true],
  ['enrolled', true],
  ['trusted', true],
  ['relay-up', true],
  ['proven', true],
  ['token-erased', false],
  ['committed', false],
];

describe('a session', () => {
  test('goes through its steps in their fixed order', async () => {
    await using setting = await sessionSetting();
    const seen: SessionStep[] = [];
    const session = await openSession(setting.options(), (step) => void seen.push(step));
    assert.deepEqual(
      seen,
      steps.map(([step]) => step),
    );
    // The certificates are public, and asked for while the token is read.
    const { requests } = setting.fake;
    assert.deepEqual(
      requests.filter((request) => request !== 'ca'),
      ['enrol', 'tunnel', 'commit'],
    );
    assert.ok(requests.indexOf('ca') >= 0 && requests.indexOf('ca') < requests.indexOf('tunnel'));
    assert.equal(setting.fake.session.state, 'committed');
    assert.equal(setting.fake.session.token, tokenText);
    assert.deepEqual(setting.disk(), { token: undefined, files: trustFiles });
    await session.close();
    assert.equal(setting.fake.session.state, 'ended');
    assert.deepEqual(setting.disk().files, []);
  });

  test('tells the gateway a posture that is true of this process', async () => {
    await using setting = await sessionSetting();
    const session = await openSession(setting.options());
    assert.equal(setting.fake.session.posture.nondumpable, true);
    assert.match(readFileSync('/proc/self/limits', 'latin1'), /^Max core file size +0 +0 /m);
    // The fake gateway agrees on nothing.
    assert.deepEqual(session.posture, { ...setting.fake.session.posture, tlsEndsIn: 'gateway' });
    await session.close();
  });

  test('gives an environment whose relay and bundle are there', async () => {
    await using setting = await sessionSetting({ placeholders: { API_TOKEN: 'stand-in' } });
    const session = await openSession(
      setting.options({ tlsEndsIn: 'agent', baseEnvironment: { NO_PROXY: 'own.test' } }),
    );
    const { environment } = session;
    assert.equal(environment['HTTPS_PROXY'], `http://127.0.0.1:${session.port}`);
    assert.equal(environment['API_TOKEN'], 'stand-in');
    assert.match(environment['NO_PROXY'] ?? '', /own\.test/);
    const bundle = splitPemCertificates(readFileSync(environment['SSL_CERT_FILE'] ?? '', 'utf8'));
    const [systemRoot, gatewayRoot, ownRoot = '', ...more] = bundle;
    assert.deepEqual([systemRoot, gatewayRoot, more], [setting.systemPem, setting.fake.caPem, []]);
    assert.match(new X509Certificate(ownRoot).subject, /^CN=upstreamproxy session [0-9a-f]{8}$/);
    // One a file, for Firefox.
    const singles = join(dirname(session.files.bundle), 'certificates');
    assert.deepEqual(
      ['1.pem', '2.pem'].map((name) => readFileSync(join(singles, name), 'utf8')),
      [gatewayRoot, ownRoot],
    );
    assert.deepEqual(session.capturePorts, [5432]);
    const client = new RelayClient(session.port);
    await client.tunnelTo('origin.test:443', 'ping');
    await client.received('ping');
    client.socket.destroy();
    await session.close();
  });

  test('has no root of its own where TLS is to end in the gateway', async () => {
    await using setting = await sessionSetting();
    const session = await openSession(setting.options({ tlsEndsIn: 'gateway' }));
    const bundle = splitPemCertificates(readFileSync(session.files.bundle, 'utf8'));
    assert.deepEqual(bundle, [setting.systemPem, setting.fake.caPem]);
    assert.equal(session.posture.tlsEndsIn, 'gateway');
    assert.deepEqual(
      setting.logger.lines.filter((line) => line.includes('TLS of clients')),
      [],
    );
    await session.close();
  });

  test('closed while it drains lets open connections finish', async () => {
    await using setting = await sessionSetting();
    const session = await openSession(setting.options());
    const client = new RelayClient(session.port);
    await client.tunnelTo('origin.test:443', 'one ');
    await client.received('one ');
    const closed = session.close({ drainMs: 5000 });
    client.socket.end('two');
    assert.equal(await client.ending(), 'end');
    assert.match(client.text, /one two$/);
    await closed;
    assert.equal(await session.ended, undefined);
  });

  test('closed in less time than it may drain tells the gateway all the same', async () => {
    await using setting = await sessionSetting();
    const session = await openSession(setting.options());
    const client = new RelayClient(session.port);
    await client.tunnelTo('origin.test:443', 'one ');
    await client.received('one ');
    await session.close({ drainMs: patienceMs, withinMs: 700 });
    assert.equal(await client.ending(), 'ECONNRESET');
    assert.equal(setting.fake.session.state, 'ended');
  });

  test('closed while the gateway does not take leave of its tunnel is ended there beside that', async () => {
    await using setting = await sessionSetting();
    const limits = { ...quickLimits, closeTimeoutMs: 2 * patienceMs };
    const session = await openSession(setting.options({ limits }));
    setting.fake.hangTunnels();
    await session.close({ withinMs: 1000 });
    assert.equal(setting.fake.session.state, 'ended');
  });

  test('sends what its streams carried before it ends at the gateway', async () => {
    await using setting = await sessionSetting();
    const session = await openSession(setting.options());
    const seen: string[] = [];
    setting.fake.onStream = (stream) => {
      stream.accept();
      stream.end();
      stream.on('data', (chunk: Buffer) => seen.push(`${chunk.toString()} ${setting.fake.session.state}`));
    };
    const client = new RelayClient(session.port);
    await client.tunnelTo('origin.test:443', '');
    const closed = session.close({ drainMs: patienceMs });
    client.socket.end('last');
    await closed;
    assert.deepEqual(seen, ['last committed']);
    assert.equal(setting.fake.session.state, 'ended');
  });

  test('closed by several is ended once, as early as the most hurried of them wants', async () => {
    await using setting = await sessionSetting();
    const limits = { ...quickLimits, closeTimeoutMs: 2 * patienceMs };
    const session = await openSession(setting.options({ limits }));
    const client = new RelayClient(session.port);
    await client.tunnelTo('origin.test:443', 'one ');
    await client.received('one ');
    setting.fake.hangTunnels();
    const closed = [
      session.close({ drainMs: 2 * patienceMs }),
      session.close({ drainMs: patienceMs, withinMs: 800 }),
      session.close({ drainMs: patienceMs }),
    ];
    await Promise.all(closed);
    assert.equal(await client.ending(), 'ECONNRESET');
    assert.equal(setting.fake.session.state, 'ended');
    assert.equal(setting.fake.requests.filter((request) => request === 'end').length, 1);
  });

  test('closed within a time tells the gateway, whatever part of a millisecond is left', async () => {
    for (const withinMs of [1500.25, 700]) {
      await using setting = await sessionSetting();
      const session = await openSession(setting.options());
      await session.close({ withinMs });
      assert.equal(setting.fake.session.state, 'ended');
    }
  });

  test('that is revoked says so, and its relay responds with the reason', async () => {
    await using setting = await sessionSetting();
    const session = await openSession(setting.options());
    setting.fake.link.dismiss(new ProxyError('session_revoked', 'by the operator'));
    assert.equal((await session.ended)?.code, 'session_revoked');
    const client = new RelayClient(session.port);
    client.socket.write('CONNECT origin.test:443 HTTP/1.1\r\n\r\n');
    assert.equal(await client.ending(), 'end');
    assert.match(client.text, /^HTTP\/1\.1 503 .*X-Deny-Reason: session_revoked/s);
    client.socket.end();
    await session.close();
  });

  test('renews itself and takes over a rotated CA', async () => {
    await using setting = await sessionSetting({ expiresIn: 0.2 });
    const session = await openSession(setting.options());
    setting.fake.caPem += createTestAuthority().caPem;
    setting.fake.etag = '"2"';
    const path = session.files.bundle;
    await eventually(() => splitPemCertificates(readFileSync(path, 'utf8')).length === 3, 'a new bundle');
    await session.close();
  });

  test('takes over a CA that is rotated while nothing is renewed, and one that is withdrawn', async () => {
    await using setting = await sessionSetting();
    const session = await openSession(setting.options({ trustLookIntervalMs: 5, tlsEndsIn: 'agent' }));
    const path = session.files.bundle;
    const own = splitPemCertificates(readFileSync(path, 'utf8')).at(-1) ?? '';
    /** Without the session's own root, which stays what it is. */
    const bundle = (): string[] =>
      splitPemCertificates(readFileSync(path, 'utf8')).filter((pem) => pem !== own);
    const [before, next] = [setting.fake.caPem, createTestAuthority().caPem];
    setting.fake.caPem = before + next;
    setting.fake.etag = '"2"';
    await eventually(() => bundle().length === 3, 'a bundle with both');
    assert.deepEqual(bundle(), [setting.systemPem, before, next]);
    // Written beside the bundle, perhaps after it.
    const ownCertificates = (): string[] =>
      splitPemCertificates(readFileSync(session.files.ownCa ?? '', 'utf8'));
    await eventually(() => ownCertificates().length === 3, 'both in the file of our own');
    assert.deepEqual(ownCertificates(), [before, next, own]);
    // What is no certificate changes nothing, and is told once.
    setting.fake.caPem = '<html>';
    setting.fake.etag = '"3"';
    const warnings = (): number =>
      setting.logger.lines.filter((line) => line.includes('stays as it is')).length;
    await eventually(() => warnings() > 0, 'a warning');
    assert.equal(bundle().length, 3);
    setting.fake.caPem = next;
    setting.fake.etag = '"4"';
    await eventually(() => bundle().length === 2, 'a bundle without the old one');
    assert.deepEqual([bundle(), warnings()], [[setting.systemPem, next], 1]);
    await session.close();
  });

  test('leaves no handle, again and again', async () => {
    const baseline = resourceBaseline();
    for (let i = 0; i < 3; i++) {
      await using setting = await sessionSetting();
      const session = await openSession(setting.options());
      await Promise.all([session.close(), session.close()]);
    }
    await resourcesSettled(baseline);
  });
});

describe('a fault after a step undoes all that was done', () => {
  for (const [fatal, tokenWaits] of steps) {
    test(`after ${fatal}: ${tokenWaits ? 'the token waits and works again' : 'the token is gone'}`, async () => {
      const baseline = resourceBaseline();
      {
        await using setting = await sessionSetting();
        const relayPort = await freePort();
        const failed = openSession(setting.options({ relayPort }), (step) => {
          if (step === fatal) throw new ProxyError('internal', 'told to fail');
        });
        await assert.rejects(failed, { message: 'told to fail' });
        assert.deepEqual(setting.disk(), tokenWaits ? untouched : { token: undefined, files: [] });
        // Its end would have revoked the token that the next start needs.
        if (setting.fake.sessions.size > 0)
          assert.equal(setting.fake.session.state, tokenWaits ? 'enrolled' : 'ended');
        if (tokenWaits) {
          // The same port: the listener of the first attempt is gone.
          const session = await openSession(setting.options({ relayPort }));
          await session.close();
        }
      }
      await resourcesSettled(baseline);
    });
  }
});

describe('a kill after a step leaves nothing half-written', () => {
  for (const [fatal, tokenWaits] of steps) {
    test(`after ${fatal}: ${tokenWaits ? 'a restart enrols again' : 'the token is dead'}`, async () => {
      await using setting = await sessionSetting();
      const { fake, folder } = setting;
      const killed = await finished(spawnScript('session-script.ts', [folder, fake.url, fatal]));
      assert.equal(killed.signal, 'SIGKILL');
      const { token, files } = setting.disk();
      assert.equal(token, tokenWaits ? untouched.token : undefined);
      for (const name of files.filter((file) => pemFiles.includes(file)))
        assert.ok(splitPemCertificates(readFileSync(join(setting.stateDirectory, name), 'utf8')));
      const first = fake.sessions.size === 0 ? undefined : fake.session;
      assert.equal(first?.state, stateAfter(fatal));
      if (!tokenWaits) return;

      const restarted = await finished(spawnScript('session-script.ts', [folder, fake.url]));
      assert.equal(restarted.code, 0);
      assert.equal(restarted.output.trim(), fake.session.id);
      if (first !== undefined) assert.equal(first.state, 'revoked');
      assert.deepEqual(setting.disk(), { token: undefined, files: [] });
    });
  }
});

describe('a fault of the gateway', () => {
  const html: GatewayFault = { kind: 'raw', status: 200, type: 'text/html', body: '<!doctype html>' };
  const faults: readonly (readonly [GatewayRequest, GatewayFault, code: string])[] = [
    ['enrol', { kind: 'refuse', code: 'token_expired' }, 'token_expired'],
    ['enrol', { kind: 'refuse', code: 'token_reused' }, 'token_reused'],
    ['enrol', html, 'gateway_protocol'],
    ['enrol', { kind: 'reset' }, 'gateway_unreachable'],
    ['ca', html, 'ca_invalid'],
    ['ca', { kind: 'reset' }, 'gateway_unreachable'],
    ['tunnel', { kind: 'refuse', code: 'limit_exceeded' }, 'websocket_refused'],
    ['tunnel', { kind: 'reset' }, 'tunnel_lost'],
  ];
  for (const [request, fault, code] of faults) {
    const how = fault.kind === 'refuse' ? fault.code : fault.kind;
    test(`at ${request} (${how}) leaves the token as it was`, async () => {
      await using setting = await sessionSetting();
      setting.fake.failNext(request, fault);
      await assert.rejects(openSession(setting.options()), { code });
      assert.deepEqual(setting.disk(), untouched);
      assert.doesNotMatch(JSON.stringify(setting.logger.lines), new RegExp(tokenText));
    });
  }

  test('that passes at the commit does not cost the session', async () => {
    await using setting = await sessionSetting();
    setting.fake.failNext('commit', { kind: 'reset' }, { kind: 'reset' });
    const session = await openSession(setting.options());
    assert.equal(setting.fake.session.state, 'committed');
    await session.close();
  });

  test('that stays at the commit ends the session', async () => {
    await using setting = await sessionSetting();
    setting.fake.failNext('commit', { kind: 'refuse', code: 'session_revoked' });
    await assert.rejects(openSession(setting.options()), { code: 'session_revoked' });
    assert.deepEqual(setting.disk(), { token: undefined, files: [] });
  });
});

describe('before the token is read', () => {
  // A file that is not there proves it: reading it would be the error.
  const missing = { token: { file: '/nonexistent/token' } };

  test('a process that cannot be hardened is refused', async () => {
    await using setting = await sessionSetting();
    const options = setting.options({ ...missing, environment: { BUN_INSPECT: 'x' } });
    await assert.rejects(openSession(options), { code: 'hardening_failed', message: /BUN_INSPECT/ });
    assert.deepEqual(setting.fake.requests, []);
  });

  test('a wrong URL or CA is refused', async () => {
    await using setting = await sessionSetting();
    for (const changes of [{ gatewayUrl: 'http://example.com' }, { gatewayCa: '/nonexistent/ca.pem' }]) {
      await assert.rejects(openSession(setting.options({ ...missing, ...changes })), {
        code: 'config_invalid',
      });
    }
  });

  test('only the dangerous option goes on without hardening, and warns', async () => {
    await using setting = await sessionSetting();
    const changes: Partial<SessionOptions> = {
      environment: { BUN_INSPECT: 'x' },
      dangerouslyAllowUnhardened: true,
    };
    const session = await openSession(setting.options(changes));
    assert.match(setting.logger.lines.join('\n'), /not hardened: start without BUN_INSPECT/);
    await session.close();
  });

  test('scrubbing is done only where it is asked for', async () => {
    await using setting = await sessionSetting();
    for (const scrubEnvironment of [false, true]) {
      const environment = { NODE_TLS_REJECT_UNAUTHORIZED: '0', PATH: '/bin' };
      const opening = openSession(setting.options({ ...missing, environment, scrubEnvironment }));
      await assert.rejects(opening, { code: 'token_unreadable' });
      assert.equal('NODE_TLS_REJECT_UNAUTHORIZED' in environment, !scrubEnvironment);
    }
  });
});

describe('what else can be in the way', () => {
  test('a relay port that is taken', async () => {
    await using setting = await sessionSetting();
    const opening = openSession(setting.options({ relayPort: setting.fake.port }));
    await assert.rejects(opening, { code: 'relay_port_in_use' });
    assert.deepEqual(setting.disk(), untouched);
  });

  test('a state folder that cannot be made', async () => {
    await using setting = await sessionSetting();
    writeFileSync(join(setting.folder, 'file'), '');
    const stateDirectory = join(setting.folder, 'file', 'state');
    await assert.rejects(openSession(setting.options({ stateDirectory })), {
      code: 'trust_unwritable',
      message: `the state folder ${stateDirectory} cannot be made: a part of its path is not a folder`,
    });
    assert.deepEqual(setting.disk(), untouched);
  });

  test('a caller that cancels, at any step before the commit', async () => {
    for (const [step] of steps.slice(0, 3)) {
      await using setting = await sessionSetting();
      const controller = new AbortController();
      const opening = openSession(setting.options({ signal: controller.signal }), (at) => {
        if (at === step) controller.abort();
      });
      await assert.rejects(opening, { code: 'cancelled' });
      assert.deepEqual(setting.disk(), untouched);
    }
  });

  test('a supervisor that replaced the token meanwhile keeps its new one', async () => {
    await using setting = await sessionSetting();
    const session = await openSession(setting.options(), (step) => {
      if (step === 'proven') writeFileSync(setting.tokenFile, 'another.token');
    });
    assert.equal(session.tokenErased, false);
    assert.equal(setting.disk().token, 'another.token');
    assert.match(setting.logger.lines.join('\n'), /token file could not be erased/);
    await session.close();
  });
});

function stateAfter(step: SessionStep): string | undefined {
  if (step === 'hardened' || step === 'token-read') return undefined;
  return step === 'committed' ? 'committed' : 'enrolled';
}
