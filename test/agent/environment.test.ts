import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { assertDocsTable, markdownTable } from '../protocol/docs-table.ts';
import {
  displacedVariables,
  environmentTable,
  type WorkloadFacts,
  workloadEnvironment,
} from '../../src/agent/environment.ts';

const files = { bundle: '/state/ca-bundle.pem', ownCa: '/state/ca.pem' };
const facts: WorkloadFacts = { port: 4321, files, base: {}, placeholders: {} };
const environmentOf = (changes: Partial<WorkloadFacts>) => workloadEnvironment({ ...facts, ...changes });

describe('the environment of the workload', () => {
  test('names the relay in both cases, as a URL without credentials', () => {
    const environment = environmentOf({});
    for (const name of ['http_proxy', 'HTTP_PROXY', 'https_proxy', 'HTTPS_PROXY', 'YARN_HTTPS_PROXY']) {
      assert.equal(environment[name], 'http://127.0.0.1:4321', name);
    }
    assert.equal(environment['RSYNC_PROXY'], '127.0.0.1:4321');
  });

  test('names the bundle wherever a client has a variable for it', () => {
    const environment = environmentOf({});
    const names = ['SSL_CERT_FILE', 'REQUESTS_CA_BUNDLE', 'PIP_CERT', 'GIT_SSL_CAINFO', 'CURL_CA_BUNDLE'];
    for (const name of [...names, 'npm_config_cafile', 'CARGO_HTTP_CAINFO']) {
      assert.equal(environment[name], files.bundle, name);
    }
    assert.equal(environment['NODE_EXTRA_CA_CERTS'], files.ownCa);
    assert.equal(environment['NODE_USE_ENV_PROXY'], '1');
  });

  test('names no file that was not written', () => {
    const environment = environmentOf({ files: { bundle: '/b' } });
    for (const name of [
      'NODE_OPTIONS',
      'JAVA_TOOL_OPTIONS',
      'PHP_INI_SCAN_DIR',
      'WGETRC',
      'HGRCPATH',
      'APT_CONFIG',
    ]) {
      assert.equal(name in environment, false, name);
    }
    assert.equal(environment['NODE_EXTRA_CA_CERTS'], '/b');
  });

  test('leaves out what breaks clients or weakens them', () => {
    const names = environmentTable.map(({ name }) => name);
    for (const name of ['ALL_PROXY', 'all_proxy', 'NODE_TLS_REJECT_UNAUTHORIZED', 'GIT_SSL_NO_VERIFY']) {
      assert.equal(names.includes(name), false, name);
    }
    assert.equal(
      names.some((name) => name.startsWith('GLOBAL_AGENT')),
      false,
    );
    assert.equal(new Set(names).size, names.length);
  });

  test('every row names its clients', () => {
    for (const { name, clients } of environmentTable) assert.notEqual(clients, '', name);
  });
});

describe("the user's own values", () => {
  test('in NO_PROXY are kept, lower case, once, without spaces', () => {
    const base = { NO_PROXY: 'Internal.Example.com, .corp.test', no_proxy: 'localhost .corp.test' };
    const expected = 'localhost,127.0.0.1,::1,.corp.test,internal.example.com';
    assert.equal(environmentOf({ base })['NO_PROXY'], expected);
    assert.equal(environmentOf({ base })['no_proxy'], expected);
    assert.equal(environmentOf({})['NO_PROXY'], 'localhost,127.0.0.1,::1');
    assert.equal(environmentOf({ base: { no_proxy: '*' } })['no_proxy'], 'localhost,127.0.0.1,::1');
  });

  test('in NODE_OPTIONS, JAVA_TOOL_OPTIONS and PHP_INI_SCAN_DIR are appended to', () => {
    const environment = environmentOf({
      files: {
        ...files,
        nodeHook: '/state/my hook.cjs',
        javaKeyStore: '/state/trust.jks',
        phpIniDirectory: '/state/php',
      },
      base: {
        NODE_OPTIONS: '--max-old-space-size=99',
        JAVA_TOOL_OPTIONS: '-Xmx1g',
        PHP_INI_SCAN_DIR: '/own',
      },
    });
    assert.equal(environment['NODE_OPTIONS'], '--max-old-space-size=99 --require="/state/my hook.cjs"');
    assert.match(
      environment['JAVA_TOOL_OPTIONS'] ?? '',
      /^-Xmx1g -Dhttp\.proxyHost=127\.0\.0\.1 .*trust\.jks/,
    );
    assert.equal(environment['PHP_INI_SCAN_DIR'], '/own:/state/php');
  });

  test('that give way are told, and no others', () => {
    const displaced = (base: Record<string, string>) => {
      const changed = { ...facts, files: { ...files, wgetrc: '/state/wgetrc', hgrc: '/state/hgrc' }, base };
      return displacedVariables(changed, workloadEnvironment(changed), ['/usual/bundle.pem']);
    };
    assert.deepEqual(
      displaced({ HTTPS_PROXY: 'http://corporate.test:3128', SSL_CERT_FILE: '/corporate.pem', LANG: 'C' }),
      ['HTTPS_PROXY', 'SSL_CERT_FILE'],
    );
    assert.deepEqual(displaced({ SSL_CERT_FILE: '/usual/bundle.pem', PIP_CERT: '', UV_NATIVE_TLS: '1' }), []);
    assert.deepEqual(displaced({ NO_PROXY: '.corp.test', WGETRC: '/mine', HGRCPATH: '/mine' }), []);
    assert.deepEqual(displaced({ NO_PROXY: 'a.test,*' }), ['NO_PROXY']);
    assert.deepEqual(displaced({ JAVA_TOOL_OPTIONS: '-Xmx1g' }), []);
  });

  test('in NO_PROXY are told to Java in its own form', () => {
    const environment = environmentOf({
      files: { ...files, javaKeyStore: '/k' },
      base: { NO_PROXY: '.corp.test,10.0.0.1,other.test:8443,10.0.0.0/8' },
    });
    assert.match(
      environment['JAVA_TOOL_OPTIONS'] ?? '',
      / -Dhttp\.nonProxyHosts=localhost\|127\.0\.0\.1\|\[::1\]\|\*\.corp\.test\|10\.0\.0\.1 /,
    );
  });

  test('in AWS_CA_BUNDLE give way, and nothing is there without one: rclone stops where it is set', () => {
    assert.equal(environmentOf({ base: { AWS_CA_BUNDLE: '/own' } })['AWS_CA_BUNDLE'], files.bundle);
    assert.equal('AWS_CA_BUNDLE' in environmentOf({}), false);
  });

  test('PHP keeps its built-in folder where the user has set none', () => {
    const environment = environmentOf({ files: { ...files, phpIniDirectory: '/state/php' } });
    assert.equal(environment['PHP_INI_SCAN_DIR'], ':/state/php');
  });
});

test('an address below the name of the gateway is that of the relay, and without a port there is none', () => {
  const placeholders = {
    AWS_CONTAINER_CREDENTIALS_FULL_URI: 'http://upstreamproxy.invalid/identity/aws/credentials',
    OTHER: 'http://upstreamproxy.invalid/access',
  };
  const environment = environmentOf({ placeholders });
  assert.equal(
    environment['AWS_CONTAINER_CREDENTIALS_FULL_URI'],
    'http://127.0.0.1:4321/identity/aws/credentials',
  );
  assert.equal(environment['OTHER'], placeholders.OTHER);
  assert.equal('AWS_CONTAINER_CREDENTIALS_FULL_URI' in environmentOf({ placeholders, port: 0 }), false);
});

test('placeholders are added, and never displace a variable of the table', () => {
  const environment = environmentOf({
    placeholders: { GITHUB_TOKEN: 'stand-in', HTTPS_PROXY: 'x', WGETRC: 'x' },
  });
  assert.equal(environment['GITHUB_TOKEN'], 'stand-in');
  assert.equal(environment['HTTPS_PROXY'], 'http://127.0.0.1:4321');
  assert.equal('WGETRC' in environment, false);
});

test('docs/reference/environment.md has the table', () => {
  const symbolic: WorkloadFacts = {
    port: 54_321,
    files: {
      bundle: 'BUNDLE',
      ownCa: 'OWN_CA',
      hashedDirectory: 'CERTIFICATE_FOLDER',
      javaKeyStore: 'KEY_STORE',
      phpIniDirectory: 'PHP_INI_FOLDER',
      wgetrc: 'WGETRC_FILE',
      hgrc: 'HGRC_FILE',
      aptConfig: 'APT_FILE',
      nodeHook: 'HOOK',
    },
    base: { AWS_CA_BUNDLE: 'own' },
    placeholders: {},
  };
  const rows = environmentTable.map(({ name, value, clients }) => {
    const text = (value(symbolic) ?? '').replaceAll('54321', 'PORT').replaceAll('|', String.raw`\|`);
    return [`\`${name}\``, `\`${text}\``, clients];
  });
  assertDocsTable('environment.md', 'environment', markdownTable(['variable', 'value', 'clients'], rows));
});
