// Values for the chart: sets that people would write, and ones put together by chance from a seed.

import type { Values } from './helm.ts';
import { least } from './helm.ts';

const database = {
  store: {
    engine: 'postgres',
    postgres: {
      url: 'postgres://upstreamproxy_gateway@db.example.com:5432/upstreamproxy',
      passwordSecret: { name: 'database' },
    },
  },
  identity: { keySecret: { name: 'identity' } },
};
const databasePlace = { networkPolicy: { database: [{ cidr: '10.20.0.0/16' }] } };
const policyText = [
  '# A policy whose text would be something to a reader of templates.',
  'rules:',
  '  - name: packages',
  '    hosts: registry.example.com',
  '    methods: [GET, HEAD]',
  '    description: "{{ .Values.image }} {{ fail `no` }} ${HOME} 0o17 1e6"',
  '',
].join('\n');

/** Joins maps at every depth; a list or a text of the later one takes the place of that before. */
export function joined(...sets: readonly Values[]): Values {
  const result: Record<string, unknown> = {};
  for (const set of sets)
    for (const [key, value] of Object.entries(set)) {
      const before = result[key];
      result[key] = isMap(before) && isMap(value) ? joined(before, value) : value;
    }
  return result;
}

function isMap(value: unknown): value is Values {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** What can be chosen apart from each other. */
const parts: Readonly<Record<string, Values>> = {
  policy: { policy: { files: { 'main.yaml': policyText, 'second.yml': 'rules: []\n' } } },
  names: {
    publicNames: ['gateway.example.com', '203.0.113.7'],
    publicOrigins: ['https://gateway.example.com:9443'],
  },
  tls: { tls: { existingSecret: 'gateway-tls' } },
  issuer: {
    clusterIssuer: { enabled: true, namespaces: ['builds', 'jobs'], publicDiscovery: true },
    networkPolicy: { kubernetesApi: [{ cidr: '10.96.0.1/32' }] },
  },
  keys: {
    clusterIssuer: { enabled: true, jwksUrl: 'https://keys.example.com/jwks' },
  },
  credentials: {
    secretMounts: [{ name: 'tokens', secretName: 'api-tokens' }],
    secretVariables: [{ variable: 'ISSUE_TOKEN', secretName: 'issues', key: 'token' }],
    configMounts: [{ name: 'authorities', configMapName: 'private-ca' }],
    tokenMounts: [{ name: 'vault', audience: 'vault', expirationSeconds: 600 }],
    config: {
      credentials: {
        api: { kind: 'bearer', source: { file: '/run/secrets/tokens/api' } },
        issues: { kind: 'bearer', source: { env: 'ISSUE_TOKEN' }, placeholder: { env: 'GH_TOKEN' } },
      },
      upstream: { ca: '/run/config/authorities/ca.crt' },
    },
  },
  external: {
    externalSecrets: [
      {
        name: 'api-tokens',
        store: { name: 'vault', kind: 'ClusterSecretStore' },
        data: [{ key: 'api', remoteKey: 'team/api', remoteProperty: 'token' }],
      },
      {
        name: 'plain',
        store: { name: 'vault' },
        refreshInterval: '5m',
        data: [{ key: 'a', remoteKey: 'b' }],
      },
    ],
  },
  monitoring: {
    metrics: {
      serviceMonitor: { enabled: true, labels: { release: 'prometheus' }, interval: '15s' },
      prometheusRule: { enabled: true },
      grafanaDashboard: { enabled: true },
    },
  },
  unmeasured: { metrics: { enabled: false } },
  admin: {
    admin: { enabled: true, tlsSecret: 'admin-tls', names: ['admin.example.com'] },
    networkPolicy: { operators: [{ cidr: '192.0.2.0/24' }] },
    config: { admin: { socketRoles: { '10001': 'administrator' } } },
  },
  balancer: {
    service: {
      type: 'LoadBalancer',
      port: 443,
      annotations: { 'example.com/balancer': 'tcp' },
      loadBalancerClass: 'example.com/tcp',
      loadBalancerSourceRanges: ['203.0.113.0/24'],
      externalTrafficPolicy: 'Local',
    },
  },
  port: { service: { type: 'NodePort', port: 9000 } },
  placement: {
    podAnnotations: { 'example.com/on': 'yes', 'example.com/number': '0o17' },
    podLabels: { team: 'network', version: '1e6' },
    nodeSelector: { 'kubernetes.io/arch': 'amd64' },
    tolerations: [{ key: 'dedicated', operator: 'Equal', value: 'network', effect: 'NoSchedule' }],
    affinity: {
      podAntiAffinity: {
        preferredDuringSchedulingIgnoredDuringExecution: [
          { weight: 100, podAffinityTerm: { topologyKey: 'kubernetes.io/hostname' } },
        ],
      },
    },
    topologySpreadConstraints: [
      { maxSkew: 1, topologyKey: 'kubernetes.io/hostname', whenUnsatisfiable: 'DoNotSchedule' },
    ],
    priorityClassName: 'system-cluster-critical',
    image: { digest: `sha256:${'0'.repeat(64)}`, pullSecrets: ['registry'] },
  },
  open: { networkPolicy: { enabled: false } },
  closed: {
    networkPolicy: {
      internet: { enabled: true, except: ['203.0.113.0/24', '2001:db8::/32'] },
      egress: [{ to: [{ ipBlock: { cidr: '192.0.2.1/32' } }], ports: [{ protocol: 'TCP', port: 3128 }] }],
      monitoring: [],
    },
  },
  account: { serviceAccount: { create: false } },
  named: { serviceAccount: { name: 'egress', annotations: { 'example.com/role': 'egress' } } },
  numbers: {
    config: {
      audit: { keepBytes: 8_589_934_592, keepEvents: 1_000_000 },
      limits: { sessionLifetimeMs: 86_400_000 },
      workers: 2,
      log: { level: 'debug' },
    },
    drainSeconds: 3600,
  },
  six: { listenAddress: '::', publicNames: ['2001:db8::1'] },
  published: { policy: { source: 'store' } },
  observed: { policy: { source: 'observe' } },
  given: { policy: { existingConfigMap: { name: 'our-policy', keys: ['a.yaml', 'b.yaml'] } } },
  renamed: { nameOverride: 'egress', clusterDomain: 'cluster.example' },
};

/** Each takes the place of the others of its line. */
const rivals: readonly (readonly string[])[] = [
  ['policy', 'published', 'observed', 'given'],
  ['issuer', 'keys'],
  ['balancer', 'port'],
  ['open', 'closed'],
  ['account', 'named'],
  ['monitoring', 'unmeasured'],
];

const shared: Readonly<Record<string, Values>> = {
  several: joined(database, databasePlace, { replicas: 3 }),
  stateless: joined(database, databasePlace, { replicas: 2, persistence: { enabled: false } }),
  scaled: joined(database, databasePlace, { autoscaling: { enabled: true } }),
  owned: joined(database, databasePlace, {
    store: {
      postgres: {
        owner: {
          url: 'postgres://upstreamproxy@db.example.com:5432/upstreamproxy',
          passwordSecret: { name: 'owner' },
        },
        caConfigMap: { name: 'database-ca' },
      },
    },
  }),
  verified: joined(database, databasePlace, {
    store: { postgres: { caConfigMap: { name: 'database-ca' } } },
    identity: { nextKeySecret: { name: 'next-identity' } },
    podDisruptionBudget: { enabled: false },
  }),
};

/** Each part alone, on one gateway, and each way to have several. */
export function namedSets(): ReadonlyMap<string, Values> {
  const sets = new Map<string, Values>([['least', least]]);
  for (const [name, part] of Object.entries({ ...parts, ...shared })) sets.set(name, joined(least, part));
  return sets;
}

/** Each set once: the named ones, and as many more that parts are put together to, the same for one seed. */
export function allSets(seed: number, count: number): ReadonlyMap<string, Values> {
  return new Map([...namedSets(), ...randomSets(seed, count)]);
}

/** None of them is a named one. */
function randomSets(seed: number, count: number): ReadonlyMap<string, Values> {
  let state = seed;
  // Marsaglia's xorshift: enough to choose from a list.
  const next = (below: number): number => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
  const rivalsOf = new Map(rivals.flatMap((line) => line.map((name) => [name, line] as const)));
  const sets = new Map<string, Values>();
  while (sets.size < count) {
    const taken: string[] = [];
    for (const name of Object.keys(parts)) {
      const others = rivalsOf.get(name) ?? [];
      if (next(2) === 0 && !others.some((other) => taken.includes(other))) taken.push(name);
    }
    const way = [undefined, ...Object.keys(shared)][next(Object.keys(shared).length + 1)];
    // One that scales by a metric has metrics.
    const names = way === 'scaled' ? taken.filter((name) => name !== 'unmeasured') : taken;
    const base = way === undefined ? [] : [shared[way]!];
    if (base.length + names.length < 2) continue;
    sets.set(
      [way ?? 'single', ...names].join(' + '),
      joined(least, ...base, ...names.map((name) => parts[name]!)),
    );
  }
  return sets;
}
