import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { openSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import * as library from '../../src/index.ts';
import { initUpstreamProxy, type InitOptions, tokenSource } from '../../src/agent/init.ts';
import { defaultTokenFile } from '../../src/agent/uplink/token.ts';
import { createTestAuthority } from '../support/test-authority.ts';
import { resourceBaseline, resourcesSettled } from '../support/resources.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { MemoryLogger } from './support/enrolled.ts';
import { RelayClient } from './support/relay-fixture.ts';
import { type SessionSetting, sessionSetting, tokenText } from './support/session-setting.ts';

function optionsOf(setting: SessionSetting, changes: InitOptions = {}): InitOptions {
  return {
    gatewayUrl: setting.fake.url,
    gatewayCa: setting.fake.authority.caPem,
    tokenFile: setting.tokenFile,
    stateDirectory: setting.stateDirectory,
    environment: {},
    logger: setting.logger,
    ...changes,
  };
}

test('the library has its six functions, which do what those of the agent do', async () => {
  assert.deepEqual(
    Object.keys(library).toSorted(),
    [
      'ProxyError',
      'downloadCaBundle',
      'initUpstreamProxy',
      'narrowSession',
      'setNonDumpable',
      'startUpstreamProxyRelay',
    ].concat('writeCaBundle'),
  );
  assert.match((await library.initUpstreamProxy()).reason ?? '', /not configured/);
  assert.equal(library.setNonDumpable().nondumpable, true);
  await assert.rejects(library.startUpstreamProxyRelay({} as never), { code: 'config_invalid' });
  await assert.rejects(library.narrowSession({} as never), { code: 'config_invalid' });
  await assert.rejects(library.downloadCaBundle('', undefined, ''), { code: 'config_invalid' });
  await assert.rejects(library.writeCaBundle('', undefined, ''), { code: 'config_invalid' });
});

describe('a proxy that is on', () => {
  test('gives env, port and posture, and is ended by disposing it', async () => {
    const baseline = resourceBaseline();
    {
      await using setting = await sessionSetting();
      await using proxy = await initUpstreamProxy(optionsOf(setting));
      assert.equal(proxy.enabled, true);
      assert.equal(proxy.reason, undefined);
      assert.equal(proxy.env['https_proxy'], `http://127.0.0.1:${proxy.port}`);
      assert.equal(proxy.posture?.nondumpable, true);
      assert.equal(proxy.sessionId, setting.fake.session.id);
      assert.equal(proxy.caBundlePath, join(setting.stateDirectory, 'ca-bundle.pem'));
      assert.equal(proxy.tokenErased, true);
      const client = new RelayClient(proxy.port);
      await client.tunnelTo('origin.test:443', 'ping');
      await client.received('ping');
      client.socket.destroy();
    }
    await resourcesSettled(baseline);
  });

  test('takes the token from a descriptor', async () => {
    await using setting = await sessionSetting();
    const { tokenFile: _, ...options } = optionsOf(setting);
    await using proxy = await initUpstreamProxy({ ...options, tokenFd: openSync(setting.tokenFile, 'r') });
    assert.equal(proxy.enabled, true);
    assert.equal(setting.fake.session.token, tokenText);
  });

  test('without a state folder uses one of its own and removes it', async () => {
    await using setting = await sessionSetting();
    const { stateDirectory: _, ...options } = optionsOf(setting);
    const proxy = await initUpstreamProxy(options);
    const path = proxy.caBundlePath ?? '';
    assert.match(readFileSync(path, 'utf8'), /BEGIN CERTIFICATE/);
    await proxy.close();
    assert.throws(() => readFileSync(path), { code: 'ENOENT' });
    assert.throws(() => readFileSync(join(path, '..')), { code: 'ENOENT' });
  });

  test('takes its pinned CA from a file too', async () => {
    await using setting = await sessionSetting();
    await using proxy = await initUpstreamProxy(
      optionsOf(setting, { gatewayCa: join(setting.folder, 'gateway.pem') }),
    );
    assert.equal(proxy.enabled, true);
  });
});

describe('a proxy that is not configured', () => {
  test('is off, says so, warns nobody and touches nothing', async () => {
    const logger = new MemoryLogger();
    const proxy = await initUpstreamProxy({ logger });
    assert.equal(proxy.enabled, false);
    assert.match(proxy.reason ?? '', /not configured/);
    assert.equal(proxy.error, undefined);
    assert.deepEqual(logger.lines, []);
    await proxy.close();
  });
});

describe('a proxy that fails', () => {
  const faults: readonly (readonly [code: string, (setting: SessionSetting) => InitOptions | void])[] = [
    ['token_unreadable', () => ({ tokenFile: '/nonexistent/token' })],
    ['token_malformed', (setting) => writeFileSync(setting.tokenFile, '')],
    ['gateway_untrusted', () => ({ gatewayCa: createTestAuthority().caPem })],
    [
      'ca_invalid',
      ({ fake }) => fake.failNext('ca', { kind: 'raw', status: 200, type: 'text/html', body: '<html>' }),
    ],
    ['token_expired', ({ fake }) => fake.failNext('enrol', { kind: 'refuse', code: 'token_expired' })],
    ['relay_port_in_use', ({ fake }) => ({ relayPort: fake.port })],
    ['hardening_failed', () => ({ environment: { LD_PRELOAD: '/tmp/x.so' } })],
    ['config_invalid', () => ({ gatewayUrl: 'ftp://gateway.test' })],
    ['config_invalid', () => ({ tokenFd: 3 })],
  ];
  for (const [code, arrange] of faults) {
    test(`with ${code} is off by default: one warning, nothing set, no leak of the token`, async () => {
      await using setting = await sessionSetting();
      const options = optionsOf(setting, arrange(setting) ?? {});
      const proxy = await initUpstreamProxy(options);
      assert.equal(proxy.enabled, false);
      assert.equal(proxy.error?.code, code);
      assert.deepEqual(proxy.env, {});
      assert.equal(proxy.port, 0);
      assert.equal((await proxy.ended)?.code, code);
      const warnings = setting.logger.lines.filter((line) => line.startsWith('warn the proxy is off'));
      assert.equal(warnings.length, 1);
      assert.match(warnings[0] ?? '', new RegExp(`\\[${code}\\]$`));
      assert.doesNotMatch(setting.logger.lines.join('\n'), new RegExp(tokenText));
      assert.deepEqual(setting.disk().files, []);
      if (code !== 'token_malformed') assert.equal(setting.disk().token, `${tokenText}\n`);
    });
  }

  test('throws instead where that is asked for', async () => {
    await using setting = await sessionSetting();
    const options = optionsOf(setting, { tokenFile: '/nonexistent/token', onFailure: 'throw' });
    await assert.rejects(initUpstreamProxy(options), { code: 'token_unreadable' });
  });

  test('refuses options that it does not have, and values of another form, with what was meant', async () => {
    await using setting = await sessionSetting();
    const cases: readonly (readonly [object, RegExp])[] = [
      [{ tokenfile: '/run/token' }, /no option "tokenfile"; did you mean tokenFile\?/],
      [{ gateway: 'x' }, /no option "gateway"/],
      [{ relayPort: '80' }, /relayPort must be a port/],
      [{ onFailure: 'exit' }, /onFailure must be continue or throw/],
      [{ homeFiles: 'yes' }, /homeFiles must be true or false/],
    ];
    for (const [changes, message] of cases) {
      const proxy = await initUpstreamProxy({ ...optionsOf(setting), ...changes });
      assert.equal(proxy.error?.code, 'config_invalid');
      assert.match(proxy.reason ?? '', message);
      const thrown = initUpstreamProxy({ ...optionsOf(setting), onFailure: 'throw', ...changes });
      if (!('onFailure' in changes)) await assert.rejects(thrown, { code: 'config_invalid', message });
    }
    assert.equal(setting.disk().token, `${tokenText}\n`);
    assert.deepEqual(setting.fake.requests, []);
  });

  test('half a configuration is a fault, not a quiet off', async () => {
    const logger = new MemoryLogger();
    for (const options of [{ gatewayUrl: 'https://gateway.test' }, { tokenFile: '/nonexistent' }]) {
      const proxy = await initUpstreamProxy({ ...options, logger, environment: {} });
      assert.equal(proxy.error?.code, 'config_invalid');
    }
    assert.equal(logger.lines.length, 2);
  });
});

test('without a token that is named, the one at the default place is taken, if there is one', async () => {
  await using directory = await temporaryDirectory();
  const place = join(directory.path, 'token');
  assert.equal(defaultTokenFile, '/run/secrets/upstreamproxy-token');
  assert.throws(() => tokenSource({}, place), {
    code: 'config_invalid',
    message: new RegExp(`none at ${place}$`),
  });
  writeFileSync(place, tokenText, { mode: 0o600 });
  assert.deepEqual(tokenSource({}, place), { file: place });
  assert.deepEqual(tokenSource({ tokenFile: '/other' }, place), { file: '/other' });
  assert.deepEqual(tokenSource({ tokenFd: 3 }, place), { fd: 3 });
});
