import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { type EnabledProxy, initUpstreamProxy, type InitOptions } from '../../src/agent/init.ts';
import { resourceBaseline, resourcesSettled } from '../support/resources.ts';
import { finished, spawnScript } from './support/child.ts';
import { eventually, quickLimits } from './support/enrolled.ts';
import { RelayClient } from './support/relay-fixture.ts';
import { type SessionSetting, sessionSetting, tokenText } from './support/session-setting.ts';

function optionsOf(setting: SessionSetting, changes: InitOptions = {}): InitOptions {
  return {
    gatewayUrl: setting.fake.url,
    gatewayCa: setting.fake.authority.caPem,
    tokenFile: setting.tokenFile,
    stateDirectory: setting.stateDirectory,
    environment: {},
    limits: quickLimits,
    logger: setting.logger,
    ownThread: true,
    ...changes,
  };
}

async function open(setting: SessionSetting, changes: InitOptions = {}): Promise<EnabledProxy> {
  const proxy = await initUpstreamProxy(optionsOf(setting, { onFailure: 'throw', ...changes }));
  assert.ok(proxy.enabled);
  return proxy;
}

describe('a session in a thread of its own', () => {
  test('serves while the thread of its caller is blocked, and without one it does not', async () => {
    for (const [thread, expected] of [
      ['own', 'served\n'],
      ['shared', 'nobody served it\n'],
    ] as const) {
      await using setting = await sessionSetting();
      const { code, output } = await finished(
        spawnScript('own-thread-script.ts', [setting.folder, setting.fake.url, thread]),
      );
      assert.deepEqual([code, output], [0, expected]);
      assert.equal(setting.fake.session.state, 'ended');
    }
  });

  test('is the same session: hardened before the token is read, erased, served, and closed without a rest', async () => {
    const baseline = resourceBaseline();
    {
      await using setting = await sessionSetting();
      const proxy = await open(setting);
      assert.equal(proxy.env['https_proxy'], `http://127.0.0.1:${proxy.port}`);
      assert.deepEqual(proxy.posture, { ...setting.fake.session.posture, tlsEndsIn: 'gateway' });
      assert.equal(proxy.posture.nondumpable, true);
      assert.deepEqual([proxy.tokenErased, setting.disk().token], [true, undefined]);
      assert.equal(proxy.sessionId, setting.fake.session.id);
      const client = new RelayClient(proxy.port);
      await client.tunnelTo('origin.test:443', 'ping');
      await client.received('ping');
      client.socket.destroy();
      await Promise.all([proxy.close({ drainMs: 10 }), proxy.close()]);
      await proxy.close();
      assert.equal(await proxy.ended, undefined);
      assert.equal(setting.fake.session.state, 'ended');
      assert.deepEqual(setting.disk().files, []);
    }
    await resourcesSettled(baseline);
  });

  test('tells of a fault by its code, leaves the token, and passes warnings on', async () => {
    const faults: readonly (readonly [code: string, (setting: SessionSetting) => InitOptions | void])[] = [
      ['token_unreadable', () => ({ tokenFile: '/nonexistent/token' })],
      ['token_expired', ({ fake }) => fake.failNext('enrol', { kind: 'refuse', code: 'token_expired' })],
      ['hardening_failed', () => ({ environment: { LD_PRELOAD: '/tmp/x.so' } })],
      ['config_invalid', () => ({ entrances: () => Promise.resolve(undefined) })],
      ['config_invalid', () => ({ jail: Promise.resolve(undefined) })],
      ['cancelled', () => ({ signal: AbortSignal.abort() })],
    ];
    for (const [code, arrange] of faults) {
      await using setting = await sessionSetting();
      const proxy = await initUpstreamProxy(optionsOf(setting, arrange(setting) ?? {}));
      assert.equal(proxy.error?.code, code);
      assert.equal(setting.disk().token, `${tokenText}\n`);
      assert.match(
        setting.logger.lines.join('\n'),
        new RegExp(`^warn the proxy is off: .*\\[${code}\\]$`, 'm'),
      );
      assert.doesNotMatch(setting.logger.lines.join('\n'), new RegExp(tokenText));
    }
    await using setting = await sessionSetting();
    const systemCaPath = '/nonexistent';
    await using proxy = await open(setting, { systemCaPath });
    await eventually(
      () => setting.logger.lines.some((line) => /no system CA bundle/.test(line)),
      'the warning',
    );
    assert.ok(proxy.port > 0);
  });

  test('is cancelled while it starts, and tells what ended it for good', async () => {
    await using setting = await sessionSetting();
    setting.fake.failNext('enrol', { kind: 'silence' });
    const cancel = new AbortController();
    const starting = initUpstreamProxy(optionsOf(setting, { signal: cancel.signal, onFailure: 'throw' }));
    starting.catch(() => {});
    await eventually(() => setting.fake.requests.includes('enrol'), 'the enrolment');
    cancel.abort();
    await assert.rejects(starting, { code: 'cancelled' });
    writeFileSync(setting.tokenFile, tokenText, { mode: 0o600 });
    await using proxy = await open(setting);
    setting.fake.session.state = 'revoked';
    setting.fake.breakConnections();
    assert.match((await proxy.ended)?.message ?? '', /revoked/);
  });
});
