import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';

import { clientTable } from '../../../src/agent/doctor/client-table.ts';
import {
  examineProxy,
  examineTrust,
  relayAddressOf,
  type Scene,
  withoutPassword,
} from '../../../src/agent/doctor/examine-settings.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';
import { createTestAuthority } from '../../support/test-authority.ts';

const relay = { host: '127.0.0.1', port: 4321 };
const url = 'http://127.0.0.1:4321';

function row(id: string) {
  const found = clientTable.find((one) => one.id === id);
  assert.ok(found, id);
  return found;
}

async function openScene(changes: Partial<Scene> = {}) {
  const folder = await temporaryDirectory();
  const authority = createTestAuthority();
  const other = createTestAuthority();
  const own = join(folder.path, 'own.pem');
  const strange = join(folder.path, 'strange.pem');
  await writeFile(own, `# beside others\n${other.caPem}\nsome words\n${authority.caPem}`);
  await writeFile(strange, other.caPem);
  const certificate = new X509Certificate(authority.caPem);
  const scene: Scene = {
    environment: {},
    home: folder.path,
    relay,
    reached: true,
    captured: false,
    authority: [certificate],
    systemBundle: strange,
    sessionBundle: own,
    ...changes,
  };
  const with_ = (environment: Record<string, string>, more: Partial<Scene> = {}): Scene => ({
    ...scene,
    environment,
    ...more,
  });
  return {
    folder: folder.path,
    own,
    strange,
    certificate,
    scene,
    with_,
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  };
}

test('the first variable that is set decides, and it must name the relay', async () => {
  await using set = await openScene();
  const proxy = (id: string, environment: Record<string, string>) =>
    examineProxy(row(id), set.with_(environment));
  assert.deepEqual(proxy('curl', { https_proxy: url }), { holds: true, by: 'https_proxy' });
  assert.deepEqual(proxy('curl', { HTTPS_PROXY: `${url}/` }), { holds: true, by: 'HTTPS_PROXY' });
  assert.equal(proxy('wget', { HTTPS_PROXY: url }).holds, false, 'wget reads one case only');
  const other = proxy('curl', { https_proxy: 'http://joe:secret@corporate.test:3128', HTTPS_PROXY: url });
  assert.equal(other.holds, false);
  assert.match(other.reason ?? '', /^https_proxy names another proxy: http:\/\/…@corporate\.test:3128$/);
  assert.match(proxy('curl', {}).reason ?? '', /^not set: https_proxy$/);
});

test('Node needs to be told that there is a proxy, by a variable or by the hook', async () => {
  await using set = await openScene();
  const proxy = (environment: Record<string, string>) =>
    examineProxy(row('node-fetch'), set.with_({ https_proxy: url, ...environment })).holds;
  assert.equal(proxy({}), false);
  assert.equal(proxy({ NODE_USE_ENV_PROXY: '1' }), true);
  assert.equal(proxy({ NODE_OPTIONS: '--require="/state/node-hook.cjs"' }), true);
});

test('Java reads options, and a client of HOME its file', async () => {
  await using set = await openScene();
  const options = (port: number) => `-Dhttps.proxyHost=127.0.0.1 -Dhttps.proxyPort=${port}`;
  assert.equal(examineProxy(row('java'), set.with_({ JAVA_TOOL_OPTIONS: options(4321) })).holds, true);
  assert.equal(examineProxy(row('java'), set.with_({ JAVA_TOOL_OPTIONS: options(9) })).holds, false);
  assert.equal(examineProxy(row('s3cmd'), set.scene).holds, false);
  await writeFile(join(set.folder, '.s3cfg'), 'proxy_host = 127.0.0.1\n');
  assert.deepEqual(examineProxy(row('s3cmd'), set.scene), { holds: true, by: '~/.s3cfg' });
});

test('in a network that leads to the gateway a client needs no setting', async () => {
  await using set = await openScene();
  assert.equal(examineProxy(row('psql'), set.scene).holds, false);
  const captured = set.with_({}, { captured: true });
  assert.deepEqual(examineProxy(row('psql'), captured), { holds: true, by: 'the network' });
  for (const more of [{}, { captured: true }]) {
    const told = set.with_({ https_proxy: url }, more);
    assert.equal(examineTrust(row('wget2'), told).holds, true, 'the relay makes the TLS connection');
  }
  assert.equal(examineTrust(row('wget2'), captured).holds, false, 'without a proxy it makes it itself');
});

test('a file counts by the certificate in it, and one that is set goes before the system store', async () => {
  await using set = await openScene();
  const trust = (id: string, environment: Record<string, string>, more: Partial<Scene> = {}) =>
    examineTrust(row(id), set.with_(environment, more));
  assert.deepEqual(trust('curl', { SSL_CERT_FILE: set.own }), { holds: true, by: 'SSL_CERT_FILE' });
  const inStore = { systemBundle: set.own };
  assert.deepEqual(trust('curl', {}, inStore), { holds: true, by: set.own });
  const replaced = trust('curl', { SSL_CERT_FILE: set.strange }, inStore);
  assert.equal(replaced.reason, "SSL_CERT_FILE has not the gateway's certificate");
  assert.match(
    trust('curl', { SSL_CERT_FILE: '/gone' }, inStore).reason ?? '',
    /file of SSL_CERT_FILE is not there/,
  );
  // This one adds to what the client has besides.
  assert.equal(
    trust('bun', { NODE_EXTRA_CA_CERTS: set.strange, SSL_CERT_FILE: set.own }).by,
    'SSL_CERT_FILE',
  );
  assert.equal(trust('curl', { SSL_CERT_FILE: set.own }, { reached: false }).holds, false);
});

test('certificates are found in key stores, folders and behind settings of files', async () => {
  await using set = await openScene();
  const store = join(set.folder, 'store.jks');
  await writeFile(store, Buffer.concat([Buffer.from('feedfeed', 'hex'), set.certificate.raw]));
  const java = set.with_({ JAVA_TOOL_OPTIONS: `-Djavax.net.ssl.trustStore=${store} -Dx=y` });
  assert.deepEqual(examineTrust(row('java'), java), { holds: true, by: 'JAVA_TOOL_OPTIONS' });
  const certificates = join(set.folder, 'certs');
  await mkdir(certificates);
  await writeFile(join(certificates, 'a.pem'), set.certificate.toString());
  assert.equal(examineTrust(row('darcs'), set.with_({ SYSTEM_CERTIFICATE_PATH: certificates })).holds, true);
  const wgetrc = join(set.folder, 'wgetrc');
  // The last line is the one that counts.
  await writeFile(wgetrc, `ca_certificate = ${set.strange}\nca_certificate = ${set.own}\n`);
  assert.deepEqual(examineTrust(row('wget'), set.with_({ WGETRC: wgetrc })), { holds: true, by: 'WGETRC' });
  await writeFile(wgetrc, `ca_certificate = ${set.own}\nca_certificate = ${set.strange}\n`);
  assert.equal(examineTrust(row('wget'), set.with_({ WGETRC: wgetrc })).holds, false);
});

test('what libproxy or RubyGems lead falls back to the variable for http', async () => {
  await using set = await openScene();
  const other = 'http://127.0.0.1:9';
  for (const id of ['wget2', 'gio', 'gem']) {
    const proxy = (environment: Record<string, string>) => examineProxy(row(id), set.with_(environment));
    assert.deepEqual(proxy({ HTTP_PROXY: url }), { holds: true, by: 'HTTP_PROXY' }, id);
    assert.deepEqual(proxy({ HTTPS_PROXY: url, http_proxy: other }), { holds: true, by: 'HTTPS_PROXY' }, id);
    assert.equal(proxy({ https_proxy: other, http_proxy: url }).holds, false, id);
  }
});

test('Bundler needs the proxy for http, and the one for https where it is set; each half has a trust of its own', async () => {
  await using set = await openScene();
  const other = 'http://127.0.0.1:9';
  const proxy = (environment: Record<string, string>, more: Partial<Scene> = {}) =>
    examineProxy(row('bundler'), set.with_(environment, more));
  assert.deepEqual(proxy({ https_proxy: url }), {
    holds: false,
    by: 'http_proxy',
    reason: 'not set: http_proxy',
  });
  assert.deepEqual(proxy({ http_proxy: url }), { holds: true, by: 'http_proxy' });
  assert.deepEqual(proxy({ http_proxy: url, https_proxy: url }), { holds: true, by: 'http_proxy' });
  assert.equal(proxy({ http_proxy: url, https_proxy: other }).by, 'https_proxy');
  assert.equal(proxy({ http_proxy: url, https_proxy: other }).holds, false);
  assert.equal(proxy({ http_proxy: other, https_proxy: url }).holds, false);
  assert.deepEqual(proxy({}, { captured: true }), { holds: true, by: 'the network' });
  const trust = (environment: Record<string, string>) =>
    examineTrust(row('bundler'), set.with_(environment)).holds;
  const { own, strange } = set;
  assert.equal(trust({ SSL_CERT_FILE: own }), true);
  assert.equal(trust({ SSL_CERT_FILE: own, BUNDLE_SSL_CA_CERT: own }), true);
  assert.equal(trust({ SSL_CERT_FILE: own, BUNDLE_SSL_CA_CERT: strange }), false);
  assert.equal(trust({ SSL_CERT_FILE: strange, BUNDLE_SSL_CA_CERT: own }), false);
  assert.equal(trust({ BUNDLE_SSL_CA_CERT: own }), false);
});

test('PHP takes what OpenSSL does where no setting names a file, and of several settings the last', async () => {
  await using set = await openScene();
  const { own, strange } = set;
  const folders = await Promise.all(
    [own, strange].map(async (file, index) => {
      const folder = join(set.folder, `scanned-${index}`);
      await mkdir(folder);
      await writeFile(join(folder, 'some.ini'), `openssl.cafile="${file}"\n`);
      return folder;
    }),
  );
  const [good, bad] = folders;
  const trust = (environment: Record<string, string>) => examineTrust(row('php'), set.with_(environment));
  assert.deepEqual(trust({ SSL_CERT_FILE: own }), { holds: true, by: 'SSL_CERT_FILE' });
  assert.deepEqual(trust({ PHP_INI_SCAN_DIR: `:${bad}:${good}` }), { holds: true, by: 'PHP_INI_SCAN_DIR' });
  assert.equal(trust({ PHP_INI_SCAN_DIR: `:${good}:${bad}` }).holds, false);
  assert.equal(trust({ PHP_INI_SCAN_DIR: `:${bad}`, SSL_CERT_FILE: own }).holds, false);
});

test('streams of PHP go by the network where the session leads connections, else by what its script reads', async () => {
  await using set = await openScene();
  const environment = { http_proxy: url, PHP_INI_SCAN_DIR: ':/state/php.d' };
  const proxy = (more: Record<string, string>, captured: boolean) =>
    examineProxy(row('php'), set.with_({ ...environment, ...more }, { captured }));
  assert.deepEqual(proxy({}, false), { holds: true, by: 'http_proxy' });
  assert.deepEqual(proxy({ UPSTREAMPROXY_CAPTURE: '1' }, true), { holds: true, by: 'the network' });
  assert.equal(proxy({ UPSTREAMPROXY_CAPTURE: '1' }, false).holds, false, 'led by nobody');
  assert.equal(proxy({ PHP_INI_SCAN_DIR: '' }, false).holds, false);
});

test('a relay is an address without TLS, and a password is not repeated', () => {
  assert.deepEqual(relayAddressOf(url), relay);
  assert.deepEqual(relayAddressOf('127.0.0.1:4321'), relay);
  assert.deepEqual(relayAddressOf('http://[::1]:1'), { host: '::1', port: 1 });
  assert.equal(relayAddressOf('https://relay.test'), undefined);
  assert.equal(relayAddressOf('socks5://x.test:1'), undefined);
  assert.equal(withoutPassword('http://user:pass@x.test:1'), 'http://…@x.test:1');
  assert.equal(withoutPassword('user:pass@x.test:1'), '…@x.test:1');
  assert.equal(withoutPassword('http://user:pa/s@s@x.test:1'), 'http://…@x.test:1');
  assert.equal(withoutPassword('http://x.test:1'), 'http://x.test:1');
});

test('a client of raw TCP is judged by whether a rule opens its port', async () => {
  await using set = await openScene({ captured: true });
  for (const [id, port] of [
    ['ssh', 22],
    ['rsync', 873],
    ['psql', 5432],
    ['redis-cli', 6379],
  ] as const) {
    const closed = {
      ...set.scene,
      environment: { RSYNC_PROXY: '127.0.0.1:4321' },
      closedPorts: new Set([port]),
    };
    assert.deepEqual(examineProxy(row(id), closed), {
      holds: false,
      by: 'no rule',
      reason: `no rule of the policy opens port ${port} (scheme: tcp)`,
    });
    assert.equal(examineProxy(row(id), { ...set.scene, closedPorts: new Set([1]) }).holds, true, id);
  }
});
