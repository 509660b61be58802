// What the chart refuses, each with a message that says what to write; and values that mean harm.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { gatewayYaml, least, template, tryTemplate, type Values } from './support/helm.ts';
import { joined, namedSets } from './support/value-sets.ts';

const several = namedSets().get('several')!;

/** Values that the schema lets through, and that do not go together. */
const unfit: readonly (readonly [string, Values, RegExp])[] = [
  ['no image', {}, /image\.repository: say where the image/],
  ['several gateways on a file', joined(least, { replicas: 2 }), /write store\.engine: postgres/],
  [
    'a scale on a file',
    joined(least, { autoscaling: { enabled: true } }),
    /several gateways need a store that they share/,
  ],
  [
    'a file without a volume',
    joined(least, { persistence: { enabled: false } }),
    /persistence\.enabled: true/,
  ],
  ['a database without a URL', joined(several, { store: { postgres: { url: '' } } }), /store\.postgres\.url/],
  [
    'a database without a key',
    joined(several, { identity: { keySecret: { name: '' } } }),
    /identity\.keySecret/,
  ],
  [
    'a password in the URL',
    joined(several, { store: { postgres: { url: 'postgres://me:geheim@db/x' } } }),
    /store\.postgres\.url: .*without a password/,
  ],
  [
    'a password behind the URL',
    joined(several, { store: { postgres: { url: 'postgres://me@db/x?password=geheim' } } }),
    /store\.postgres\.url: .*without a password/,
  ],
  [
    'a password in the URL of a database that is not used',
    joined(least, { store: { postgres: { url: 'postgres://me:geheim@db/x' } } }),
    /store\.postgres\.url: .*without a password/,
  ],
  [
    "a password in the owner's URL of a database that is not used",
    joined(least, { store: { postgres: { owner: { url: 'postgres://me:geheim@db/x' } } } }),
    /store\.postgres\.owner\.url: .*without a password/,
  ],
  [
    "a password in the owner's URL",
    joined(several, { store: { postgres: { owner: { url: 'postgres://me:geheim@db/x' } } } }),
    /store\.postgres\.owner\.url: .*without a password/,
  ],
  [
    'a Secret for the owner that the chart would make too late',
    joined(namedSets().get('owned')!, {
      externalSecrets: [{ name: 'owner', store: { name: 'a' }, data: [{ key: 'password', remoteKey: 'b' }] }],
    }),
    /externalSecrets: the Job that makes the schema needs the Secret owner/,
  ],
  [
    'a database that cannot be reached',
    joined(several, { networkPolicy: { database: [] } }),
    /networkPolicy\.database: say where/,
  ],
  [
    'a next key alone',
    joined(least, { identity: { nextKeySecret: { name: 'next' } } }),
    /identity\.nextKeySecret follows/,
  ],
  ['an admin port without a certificate', joined(least, { admin: { enabled: true } }), /admin\.tlsSecret/],
  [
    'policies at two places',
    joined(least, {
      policy: { files: { 'a.yaml': 'x' }, existingConfigMap: { name: 'b', keys: ['b.yaml'] } },
    }),
    /policy files are in one place/,
  ],
  [
    'policies without names',
    joined(least, { policy: { existingConfigMap: { name: 'b' } } }),
    /policy\.existingConfigMap\.keys/,
  ],
  [
    'policies that nobody reads',
    joined(least, { policy: { source: 'store', files: { 'a.yaml': 'x' } } }),
    /policy\.source does not read files/,
  ],
  [
    'fewer than the fewest',
    joined(several, { autoscaling: { enabled: true, minReplicas: 5, maxReplicas: 3 } }),
    /minReplicas is more/,
  ],
  [
    'a scale without a measure',
    joined(several, { autoscaling: { enabled: true, tunnels: 0, cpuPercent: 0 } }),
    /autoscaling needs a measure/,
  ],
  [
    'a share of nothing',
    joined(several, { autoscaling: { enabled: true }, resources: { requests: { cpu: null } } }),
    /is a share of resources\.requests\.cpu/,
  ],
  [
    'a measure that is not served',
    joined(several, { autoscaling: { enabled: true }, metrics: { enabled: false } }),
    /autoscaling\.tunnels needs metrics/,
  ],
  [
    'a monitor of nothing',
    joined(least, { metrics: { enabled: false, serviceMonitor: { enabled: true } } }),
    /need metrics/,
  ],
  [
    'keys of the cluster that cannot be fetched',
    joined(least, { clusterIssuer: { enabled: true } }),
    /networkPolicy\.kubernetesApi: say where/,
  ],
  [
    'a class of balancer without one',
    joined(least, { service: { loadBalancerClass: 'example.com/tcp' } }),
    /service\.type: LoadBalancer/,
  ],
  [
    'traffic from outside that does not come',
    joined(least, { service: { externalTrafficPolicy: 'Local' } }),
    /service\.externalTrafficPolicy is about/,
  ],
  ['metrics on the public port', joined(least, { metrics: { port: 8443 } }), /have one port/],
  [
    'a worker on the port of metrics',
    joined(several, { config: { workers: 2 }, peers: { port: 9463 } }),
    /have one port/,
  ],
];

describe('what does not go together is refused, and the message says what to write:', () => {
  for (const [name, values, message] of unfit)
    test(name, async () => {
      const { code, stderr } = await tryTemplate(values);
      assert.notEqual(code, 0);
      assert.match(stderr, message);
      assert.doesNotMatch(stderr, /geheim/);
    });
});

/** Values that the schema refuses, with the value that its message has to name. */
const malformed: readonly (readonly [string, Values, RegExp])[] = [
  ['an unknown key', { replica: 2 }, /replica/],
  ['an unknown key deep below', { metrics: { serviceMonitor: { interva: '30s' } } }, /interva/],
  ['an unknown key of the gateway', { config: { lisen: {} } }, /lisen/],
  ['a key that the chart writes itself', { config: { listen: { port: 1 } } }, /listen/],
  ['the admin port by another way', { config: { admin: { listen: { port: 1 } } } }, /listen/],
  ['the time of draining by another way', { config: { limits: { drainTimeoutMs: 1 } } }, /drainTimeoutMs/],
  ['a limit that nobody knows', { config: { limits: { sesionLifetimeMs: 1 } } }, /sesionLifetimeMs/],
  ['a limit out of its range', { config: { limits: { sessionLifetimeMs: 0 } } }, /sessionLifetimeMs/],
  ['a limit that is text', { config: { limits: { sessionLifetimeMs: '1e6' } } }, /sessionLifetimeMs/],
  [
    'a secret in place of its source',
    { config: { credentials: { a: { kind: 'bearer', source: 'geheim' } } } },
    /credentials/,
  ],
  [
    'a secret beside its source',
    { config: { credentials: { a: { kind: 'bearer', source: { file: 'a' }, token: 'b' } } } },
    /token/,
  ],
  [
    'a secret in place of its variable',
    { config: { credentials: { a: { kind: 'bearer', source: { env: 'geheim' } } } } },
    /credentials/,
  ],
  [
    'a password in the URL of a proxy',
    { config: { upstream: { proxy: { url: 'http://me:geheim@proxy:3128' } } } },
    /proxy/,
  ],
  ['a tag that YAML made a number', { image: { tag: 1.1 } }, /tag/],
  ['a digest that is none', { image: { digest: 'sha256:abc' } }, /digest/],
  ['an image with another line', { image: { repository: 'a\nhostNetwork: true' } }, /repository/],
  ['a name with another line', { fullnameOverride: 'a"\nb: "c' }, /fullnameOverride/],
  ['a name with capitals', { nameOverride: 'Gateway' }, /nameOverride/],
  ['a name that is a template', { fullnameOverride: '{{ .Release.Name }}' }, /fullnameOverride/],
  ['no replicas', { replicas: 0 }, /replicas/],
  ['half a replica', { replicas: 1.5 }, /replicas/],
  ['replicas that are text', { replicas: '2' }, /replicas/],
  ['a port out of range', { service: { port: 65_536 } }, /port/],
  ['yes in place of true', { networkPolicy: { enabled: 'no' } }, /enabled/],
  ['a null in place of a map', { store: null }, /store/],
  ['a null in place of a value', { networkPolicy: { enabled: null } }, /enabled/],
  ['a list in place of a map', { config: [] }, /config/],
  ['a policy that is no text', { policy: { files: { 'a.yaml': { rules: [] } } } }, /a\.yaml|files/],
  ['a policy with a path for its name', { policy: { files: { '../gateway.yaml': 'x' } } }, /gateway\.yaml/],
  ['a policy that is no YAML', { policy: { files: { 'a.sh': 'x' } } }, /a\.sh/],
  ['a mount that leaves its folder', { secretMounts: [{ name: '../x', secretName: 'a' }] }, /secretMounts/],
  [
    'a mount with a further key',
    { secretMounts: [{ name: 'x', secretName: 'a', mountPath: '/' }] },
    /secretMounts/,
  ],
  [
    'the variable of the chart',
    { secretVariables: [{ variable: 'POD_IP', secretName: 'a', key: 'b' }] },
    /secretVariables/,
  ],
  [
    'a value in place of a Secret',
    { secretVariables: [{ variable: 'A', value: 'geheim' }] },
    /secretVariables/,
  ],
  ['a place that is two', { networkPolicy: { agents: [{ cidr: '10.0.0.0/8', podLabels: {} }] } }, /agents/],
  ['a place that is none', { networkPolicy: { agents: [{}] } }, /agents/],
  ['a network without its length', { networkPolicy: { internet: { except: ['10.0.0.0'] } } }, /except/],
  ['a label with another line', { podLabels: { a: 'b\nc: d' } }, /podLabels/],
  ['a label that YAML made true', { podLabels: { a: true } }, /podLabels/],
  ['an annotation that YAML made a number', { podAnnotations: { a: 1 } }, /podAnnotations/],
  ['a long label', { podLabels: { a: 'b'.repeat(64) } }, /podLabels/],
  ['an issuer without TLS', { clusterIssuer: { issuer: 'http://example.com' } }, /issuer/],
  ['a namespace that is a pattern', { clusterIssuer: { namespaces: ['*'] } }, /namespaces/],
];

describe('the schema refuses', () => {
  for (const [name, values, named] of malformed)
    test(name, async () => {
      const { code, stderr } = await tryTemplate(joined(least, values));
      assert.notEqual(code, 0);
      assert.match(stderr, /values don't meet the specifications|schema|validat/i);
      assert.match(stderr, named);
      // What a secret was is not said again: a log of a pipeline keeps it.
      assert.doesNotMatch(stderr, /geheim/);
    });
});

test('a name with a digit, dots or many letters gives names that Kubernetes takes, and different ones stay apart', async () => {
  const releases = [
    'a',
    '9gateway',
    'team.egress',
    'team-egress',
    'w'.repeat(33),
    `${'x'.repeat(52)}y`,
    `${'x'.repeat(52)}z`,
    '1.2.3',
  ];
  // To that of a StatefulSet Kubernetes appends a hash of ten characters and a hyphen, for a label.
  const longest: Readonly<Record<string, number>> = { StatefulSet: 52, Service: 63 };
  const seen = new Set<string>();
  for (const name of releases) {
    const manifests = await template(several, { name });
    for (const { kind, metadata } of manifests) {
      const label = /^[a-z]([-a-z0-9]*[a-z0-9])?$/;
      assert.match(metadata.name, label, `${kind} of ${name}`);
      assert.ok(metadata.name.length <= (longest[kind] ?? 253), metadata.name);
      for (const value of Object.values<string>(metadata.labels))
        assert.match(value, /^[-A-Za-z0-9_.]{1,63}$/);
      const key = `${kind} ${metadata.name}`;
      assert.ok(!seen.has(key), key);
      seen.add(key);
    }
  }
});

test('what a template would run stays text wherever a text may stand', async () => {
  const hostile = '{{ fail "run" }}{{ lookup "v1" "Secret" "" "" }}';
  const values = joined(least, {
    policy: { files: { 'a.yaml': hostile } },
    podAnnotations: { a: hostile, b: 'true', c: '0o17', d: '1e6', e: '', f: 'x"\ny: z', g: '~' },
    config: { tokens: { audience: hostile } },
    service: { annotations: { a: hostile } },
    serviceAccount: { annotations: { a: hostile } },
  });
  const manifests = await template(values);
  const find = (kind: string) => manifests.filter((each) => each['kind'] === kind);
  const annotations = find('StatefulSet')[0]!['spec'].template.metadata.annotations;
  const { 'checksum/configuration': checksum, ...own } = annotations;
  assert.match(checksum, /^[0-9a-f]{64}$/);
  assert.deepEqual(own, values['podAnnotations']);
  assert.equal(JSON.parse(gatewayYaml(manifests)).tokens.audience, hostile);
  assert.equal(find('ServiceAccount')[0]!['metadata'].annotations.a, hostile);
});
