// Every place of a secret that the reference of the configuration has is one that is kept from a command of `run`, forgotten in the environment, and
// looked at by `gateway --check`.

import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { stringify } from 'yaml';
import { secretParts, secretSources } from '../../../src/cli/gateway/gateway-protection.ts';
import { secretFindings } from '../../../src/cli/gateway/secret-findings.ts';
import { loadGatewayConfig } from '../../../src/gateway/config/config.ts';
import { withTemporaryDirectory } from '../../support/temporary-directory.ts';

/** What is told to workloads, planted, or no secret; and what has a form of its own. */
const others = new Set(['credentials.<name>.placeholder', 'peers.host']);
const planted = new Set(['canaries.<name>.source']);

const places = [
  ...new Set(
    (await readFile(new URL('../../../docs/reference/configuration.md', import.meta.url), 'utf8'))
      .matchAll(/^\| `([^`]+)\.env` \|/gm)
      .map(([, place = '']) => place),
  ),
].filter((place) => !others.has(place));
const variableOf = (place: string): string => place.replaceAll(/[^a-z]+/gi, '_').toUpperCase();
type Source = (place: string) => object;

/** A configuration with a source at each of them. */
function configurationWith(of: Source): object {
  const certificate = (at: string): object => ({
    certificate: of(`${at}.clientCertificate.certificate`),
    key: of(`${at}.clientCertificate.key`),
  });
  return {
    policy: 'policy.yaml',
    store: { url: 'postgres://gateway@db.example.com/up', source: of('store.source') },
    deciders: {
      a: {
        kind: 'opa',
        url: 'https://opa.example.com/v1/data/a',
        source: of('deciders.<name>.source'),
        clientCertificate: certificate('deciders.<name>'),
      },
    },
    credentials: { a: { kind: 'bearer', source: of('credentials.<name>.source') } },
    canaries: { a: { source: of('canaries.<name>.source') } },
    upstream: {
      proxy: { url: 'http://proxy.example.com:3128', username: 'a', source: of('upstream.proxy.source') },
      exits: {
        a: {
          proxy: {
            url: 'socks5h://socks.example.com:1080',
            username: 'a',
            source: of('upstream.exits.<name>.proxy.source'),
          },
        },
        b: {
          pac: {
            file: 'exits.pac',
            proxies: [
              {
                url: 'http://proxy.example.com:3128',
                username: 'a',
                source: of('upstream.exits.<name>.pac.proxies[].source'),
              },
            ],
          },
        },
      },
    },
    captured: { source: of('captured.source') },
    cache: {
      directory: 'cache',
      bucket: {
        url: 'https://s3.example.com',
        name: 'archives',
        accessKeyId: of('cache.bucket.source'),
        source: of('cache.bucket.source'),
      },
    },
    admin: {
      listen: { port: 9443, names: 'console.example.com', certificate: 'gateway.yaml', key: 'gateway.yaml' },
      oidc: {
        issuer: 'https://login.example.com',
        clientId: 'a',
        clientSecret: of('admin.oidc.clientSecret'),
        roles: [{ group: 'a', role: 'viewer' }],
      },
    },
    telemetry: {
      otlp: {
        endpoint: 'https://collector.example.com',
        headers: { authorization: of('telemetry.otlp.headers.<name>') },
        clientCertificate: certificate('telemetry.otlp'),
      },
      syslog: { address: 'siem.example.com', clientCertificate: certificate('telemetry.syslog') },
    },
    notices: {
      a: { urlFrom: of('notices.<name>.urlFrom'), secret: of('notices.<name>.secret'), tell: 'alarm' },
    },
    callbacks: {
      listen: { port: 9444 },
      senders: {
        a: {
          format: 'slack',
          secret: of('callbacks.senders.<name>.secret'),
          people: { U1: { name: 'ada' } },
        },
      },
    },
  };
}

async function loaded(directory: string, of: Source) {
  const file = join(directory, 'gateway.yaml');
  await writeFile(join(directory, 'policy.yaml'), 'rules: []\n');
  await writeFile(join(directory, 'exits.pac'), 'function FindProxyForURL() { return "DIRECT"; }\n');
  await writeFile(file, stringify(configurationWith(of)));
  return await loadGatewayConfig(file);
}

test('each place in the reference is kept from commands, and is looked at by the check', async () => {
  assert.ok(places.length > 12);
  await withTemporaryDirectory(async (directory) => {
    const used = new Set<string>();
    const config = await loaded(directory, (place) => {
      used.add(place);
      return { env: variableOf(place) };
    });
    assert.deepEqual([...used].toSorted(), places.toSorted());
    const secret = places.filter((place) => !planted.has(place)).map(variableOf);
    assert.deepEqual([...secretSources(secretParts(config)).variables].toSorted(), secret.toSorted());
    // No variable is set.
    const told = (await secretFindings(config, {})).map(({ message }) => message).join('\n');
    for (const place of places) assert.ok(told.includes(variableOf(place)), place);
  });
});

test('the check starts no program that gives a secret', async () => {
  await withTemporaryDirectory(async (directory) => {
    const mark = join(directory, 'started');
    const config = await loaded(directory, () => ({ command: ['touch', mark] }));
    await secretFindings(config, {});
    await assert.rejects(readFile(mark), { code: 'ENOENT' });
  });
});
