// The gateway.yaml that the chart writes is one that the gateway takes: read by its own loader for every set of values, and a gateway started
// with it.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { request } from 'node:https';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { parse } from 'yaml';
import { type GatewayConfig, parseGatewayConfig } from '../../src/gateway/config/config.ts';
import { mustRun, runCommand } from '../support/command.ts';
import { postgresBinaries, startPostgres } from '../support/postgres-server.ts';
import { launcher, startGatewayProcess } from '../support/program.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { createTestAuthority } from '../support/test-authority.ts';
import {
  gateways,
  gatewayYaml,
  least,
  type Manifest,
  manifestsOf,
  one,
  template,
  tryTemplate,
  type Values,
} from './support/helm.ts';
import { allSets, joined, namedSets } from './support/value-sets.ts';

const seed = Number(process.env['CHART_SEED'] ?? 20_261_127);

function configOf(yaml: string, name: string): GatewayConfig {
  const result = parseGatewayConfig({ file: name, text: yaml }, '/etc/upstreamproxy');
  assert.ok('config' in result, `${name}: ${JSON.stringify(result)}\n${yaml}`);
  return result.config;
}

/** Each path of the configuration that a volume of the pod has to have. */
function pathsOf(node: unknown): readonly string[] {
  if (typeof node === 'string') return /^\/(?:run|etc)\//.test(node) ? [node] : [];
  return typeof node === 'object' && node !== null ? Object.values(node).flatMap(pathsOf) : [];
}

test('the gateway takes what the chart writes, for every set of values', async () => {
  const sets = allSets(seed, 60);
  for (const [name, values] of sets) {
    const manifests = await template(values);
    const yaml = gatewayYaml(manifests);
    const config = configOf(yaml, name);
    // Every reader of YAML sees the same in it, that of JSON too.
    assert.deepEqual(parse(yaml), JSON.parse(yaml), name);
    assert.equal(config.limits.drainTimeoutMs, 1000 * Number(values['drainSeconds'] ?? 30), name);
    const { spec } = gateways(manifests)['spec'].template;
    assert.ok(spec.terminationGracePeriodSeconds * 1000 >= config.limits.drainTimeoutMs + 20_000, name);
    const mounts: readonly string[] = spec.containers[0].volumeMounts.map(
      (mount: Manifest) => mount['mountPath'],
    );
    for (const path of pathsOf(config).filter((each) => !each.startsWith('/etc/upstreamproxy/')))
      assert.ok(mounts.includes(dirname(path)), `${name}: nothing is mounted for ${path}`);
    assert.ok(
      mounts.some((mount) => config.stateDirectory.startsWith(`${mount}/`)),
      name,
    );
  }
});

test("the cluster's authority counts for the cluster's issuer alone, and for no origin", async () => {
  const sets = namedSets();
  const values = joined(sets.get('issuer')!, {
    config: { issuers: [{ issuer: 'https://issuer.example.com' }], upstream: { ca: '/run/config/a/ca.crt' } },
  });
  const { issuers, upstream } = configOf(gatewayYaml(await template(values)), 'issuer');
  assert.deepEqual(
    issuers.map(({ ca }) => ca),
    [[], ['/etc/upstreamproxy/cluster/ca.crt']],
  );
  assert.deepEqual(upstream.ca, ['/run/config/a/ca.crt']);
});

test('numbers and texts arrive as they were written', async () => {
  const values = joined(least, {
    config: {
      audit: { keepBytes: 8_589_934_592, keepDays: 1 },
      limits: { sessionLifetimeMs: 9_007_199_254_740_991 % 2_147_483_647 },
      tokens: { audience: '<&> \u0085\u2028 {{ .Values }} ${x} "\\', issuer: 'https://1e6.example.com' },
      telemetry: {
        syslog: { address: 'logs.example.com:6514', structuredDataId: 'yes@1', hostname: 'null' },
      },
      credentials: {
        a: {
          kind: 'header',
          header: 'X-Key',
          prefix: '0o17 {{ .Values }} ',
          source: { file: '/run/secrets/a/b' },
        },
      },
    },
  });
  const written = values['config'] as Values;
  const read = parse(gatewayYaml(await template(values)));
  for (const key of ['audit', 'tokens', 'telemetry', 'credentials'])
    assert.deepEqual(read[key], written[key]);
});

test('policies arrive octet by octet, whatever their text', async () => {
  const texts: Readonly<Record<string, string>> = {
    'plain.yaml': 'rules:\n  - name: a\n    hosts: a.example.com\n',
    'template.yaml': '# {{ fail "no" }} {{- .Release.Name -}} {{ include "x" . }}\nrules: []\n',
    'indented.yaml': '  # begins with spaces\n\n\n  rules: []\n',
    'endless.yaml': 'rules: []',
    'blank.yaml': 'rules: []\n\n\n',
    'trailing.yaml': 'rules: []   \n   \n# end \n',
    'tabs.yaml': '# \t tab\t\nrules: []\n',
    'marks.yaml': '---\nrules: []\n...\n',
    'windows.yaml': 'rules: []\r\n# end\r\n',
    'letters.yaml': '# Zürich 東京 🦊 \u0085 \u2028 \ufeff\nrules: []\n',
    'quotes.yaml': '# \' " \\ ` \\n \\u0041 %\nrules: []\n',
    'one.yaml': '#',
    'dashes.yaml': '--- # a\n- {}\n',
  };
  const { stdout } = await tryTemplate(joined(least, { policy: { files: texts } }));
  assert.deepEqual(one(manifestsOf(stdout), 'ConfigMap', '-policy')['data'], texts);
  // Line breaks to YAML 1.1 and none to others: they have to be escaped.
  assert.doesNotMatch(stdout, /[\u0085\u2028\u2029]/);
});

/** Files of a pod, below a folder of this machine. */
async function mountPod(directory: string, manifests: readonly Manifest[], changes: Values): Promise<string> {
  const yaml = JSON.parse(gatewayYaml(manifests)) as Values;
  const here = JSON.stringify(joined(yaml, changes))
    .replaceAll('"/var/lib/', `"${directory}/var/lib/`)
    .replaceAll('"/run/', `"${directory}/run/`);
  const folder = join(directory, 'etc');
  await mkdir(join(folder, 'policy'), { recursive: true });
  const policies = manifests.find(
    ({ kind, metadata }) => kind === 'ConfigMap' && metadata.name.endsWith('-policy'),
  );
  for (const [name, policy] of Object.entries<string>(policies?.['data'] ?? {}))
    await writeFile(join(folder, 'policy', name), policy);
  const file = join(folder, 'gateway.yaml');
  await writeFile(file, here);
  return file;
}

const local = { listen: { address: '127.0.0.1', port: 0 }, metrics: { address: '127.0.0.2', port: 0 } };

function readyz(url: string): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  // As the kubelet asks: the certificate is not looked at.
  request(`${url}/readyz`, { rejectUnauthorized: false }, (response) => {
    text(response).then((body) => resolve(`${response.statusCode} ${body.trim()}`), reject);
  })
    .on('error', reject)
    .end();
  return promise;
}

const policy = { policy: { files: { 'main.yaml': 'rules: [{ name: a, hosts: a.example.com }]\n' } } };

test('a gateway starts with what the chart writes, and is ready', async () => {
  await using directory = await temporaryDirectory();
  const manifests = await template(joined(least, policy));
  const file = await mountPod(directory.path, manifests, local);
  await using gateway = await startGatewayProcess(file);
  assert.equal(await readyz(gateway.url), '200 ready');
});

test('the command of the test pod finds what is missing, and is content with all of it', async () => {
  await using directory = await temporaryDirectory();
  const values = joined(namedSets().get('credentials')!, policy, { tls: { existingSecret: 'gateway-tls' } });
  const manifests = await template(values);
  const pod = one(manifests, 'Pod', '-test')['spec'].containers[0];
  assert.deepEqual(pod.command.slice(0, 3), ['upstreamproxy', 'gateway', '--check']);
  const file = await mountPod(directory.path, manifests, local);
  const check = (env: NodeJS.ProcessEnv) =>
    runCommand(launcher, ['gateway', '--check', '--config', file], { env: { ...process.env, ...env } });
  const bare = await check({});
  assert.equal(bare.code, 78);
  assert.match(bare.stderr, /there is no file .*tls\.crt/);
  const authority = createTestAuthority();
  const { cert, key } = authority.issue('gateway-upstreamproxy-gateway.upstreamproxy.svc.cluster.local');
  const files: Readonly<Record<string, string>> = {
    'run/tls/public/tls.crt': cert,
    'run/tls/public/tls.key': key,
    'run/config/authorities/ca.crt': authority.caPem,
    'run/secrets/tokens/api': 'example',
  };
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(directory.path, path)), { recursive: true });
    await writeFile(join(directory.path, path), content);
  }
  const without = await check({});
  assert.match(without.stderr, /the environment variable ISSUE_TOKEN is not set/);
  const good = await check({ ISSUE_TOKEN: 'example' });
  assert.equal(good.code, 0, good.stderr);
});

/** What the Job does before the gateways start. */
async function makeSchema(manifests: readonly Manifest[], changes: Values): Promise<void> {
  await using directory = await temporaryDirectory();
  const { command } = one(manifests, 'Job')['spec'].template.spec.containers[0];
  const written = JSON.parse(one(manifests, 'ConfigMap', '-schema')['data']['gateway.yaml']) as Values;
  const file = join(directory.path, 'gateway.yaml');
  await writeFile(
    file,
    JSON.stringify(joined(written, changes, { stateDirectory: join(directory.path, 'state') })),
  );
  const here = command
    .slice(1)
    .map((word: string) => (word === '/etc/upstreamproxy/gateway.yaml' ? file : word));
  await mustRun(launcher, here);
  // At the next upgrade it finds all of it.
  await mustRun(launcher, here);
}

const binaries = postgresBinaries();

test(
  'two pods with one configuration share a database, and each says where others reach it',
  { skip: 'missing' in binaries ? binaries.missing : false },
  async () => {
    await using stack = new AsyncDisposableStack();
    const database = stack.use(await startPostgres());
    await database.run("CREATE DATABASE state ENCODING 'UTF8' TEMPLATE template0");
    const roles = await readFile(new URL('../../deploy/postgres/roles.sql', import.meta.url), 'utf8');
    await database.run(roles, 'state');
    const manifests = await template(joined(namedSets().get('owned')!, policy));
    const keys = stack.use(await temporaryDirectory()).path;
    await writeFile(join(keys, 'key'), randomBytes(32).toString('base64'));
    const identity = { keyEncryptionKey: { file: join(keys, 'key') } };
    // The gateways have a role that makes no table.
    const store = database.url('state', 'upstreamproxy_gateway');
    const alone = await mountPod(stack.use(await temporaryDirectory()).path, manifests, {
      ...local,
      store,
      identity,
    });
    await assert.rejects(startGatewayProcess(alone, { POD_IP: '127.0.0.1' }), /store_unavailable/);
    await makeSchema(manifests, { store: database.url('state', 'upstreamproxy'), identity });
    const env = gateways(manifests)['spec'].template.spec.containers[0].env;
    assert.deepEqual(env[0], { name: 'POD_IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } });
    const yaml = JSON.parse(gatewayYaml(manifests)) as Manifest;
    assert.deepEqual(yaml['peers'].host, { env: 'POD_IP' });
    const addresses: string[] = [];
    for (const address of ['127.0.0.1', '127.0.0.2']) {
      const { path } = stack.use(await temporaryDirectory());
      const file = await mountPod(path, manifests, {
        ...local,
        store,
        identity,
        peers: { listen: { address, port: 0 } },
      });
      const gateway = stack.use(await startGatewayProcess(file, { POD_IP: address }));
      assert.equal(await readyz(gateway.url), '200 ready');
      addresses.push(address);
    }
    const { rows } = await database.run('SELECT peer_address FROM gateway ORDER BY 1', 'state');
    assert.deepEqual(
      rows.map((row) => String(row['peer_address']).split(':')[0]),
      addresses,
    );
  },
);
