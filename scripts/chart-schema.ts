// values.schema.json of the Helm chart: the shape of every value, with what the gateway's own schema says of `config`. In draft 7, which
// every release of Helm knows that the chart is for.

type Schema = Readonly<Record<string, unknown>>;
type Properties = Readonly<Record<string, Schema>>;

/** What a gateway's configuration has, and the chart writes itself. */
const madeByChart = new Set([
  'version',
  'listen',
  'publicNames',
  'publicOrigins',
  'stateDirectory',
  'tls',
  'identity',
  'certificateAuthority',
  'store',
  'policy',
  'peers',
  'metrics',
]);

const dnsLabel = '[a-z0-9]([-a-z0-9]*[a-z0-9])?';
const dnsName = `${dnsLabel}(\\.${dnsLabel})*`;
const labelName = '[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?';

const text = (pattern: string, maxLength: number): Schema => ({ type: 'string', pattern, maxLength });
/** The empty text stands for what is not said. */
const optional = (pattern: string, maxLength = 253): Schema => text(`^(${pattern})?$`, maxLength);
const whole = (minimum: number, maximum: number): Schema => ({ type: 'integer', minimum, maximum });
const list = (items: Schema, maxItems = 100): Schema => ({ type: 'array', items, maxItems });
const choice = (...values: readonly string[]): Schema => ({ type: 'string', enum: values });

/** A map with these keys and no other. Those of `optional` may be left out. */
function map(properties: Properties, required: readonly string[] = Object.keys(properties)): Schema {
  return {
    type: 'object',
    properties,
    additionalProperties: false,
    ...(required.length === 0 ? {} : { required }),
  };
}

const flag: Schema = { type: 'boolean' };
const port = whole(1, 65_535);
const resourceName = text(`^${dnsName}$`, 253);
const mountName = text('^[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?$', 40);
const keyOfData = text('^[-_a-zA-Z0-9][-._a-zA-Z0-9]*$', 253);
const policyFile = text('^[A-Za-z0-9][-._A-Za-z0-9]*\\.ya?ml$', 200);
const cidr = text('^[0-9a-fA-F.:]+/[0-9]{1,3}$', 49);
const variable: Schema = { ...text('^[A-Z_][A-Z0-9_]{0,127}$', 128), not: { const: 'POD_IP' } };
const networks = list(cidr);
const labels: Schema = {
  type: 'object',
  propertyNames: { pattern: `^(${dnsName}/)?${labelName}$`, maxLength: 317 },
  additionalProperties: optional(labelName, 63),
};
const annotations: Schema = {
  type: 'object',
  propertyNames: { pattern: `^(${dnsName}/)?${labelName}$`, maxLength: 317 },
  additionalProperties: { type: 'string' },
};
const keyOf = (): Schema => map({ name: optional(dnsName), key: keyOfData });
const place: Schema = {
  type: 'object',
  oneOf: [map({ cidr }), map({ podLabels: labels, namespaceLabels: labels }, ['podLabels'])],
};
/** A template refuses a password in it. Helm would say a value again that does not fit a pattern. */
const urlWithoutPattern: Schema = { type: 'string', maxLength: 1024 };
/** As Kubernetes has it: its server says what is wrong in there. */
const ofKubernetes: Schema = { type: 'object' };

function imageValues(): Schema {
  return map({
    repository: optional('[A-Za-z0-9][-A-Za-z0-9._:/]*'),
    tag: optional('[A-Za-z0-9_][-A-Za-z0-9_.]*', 128),
    digest: optional('sha256:[0-9a-f]{64}'),
    pullPolicy: choice('Always', 'IfNotPresent', 'Never'),
    pullSecrets: list(resourceName),
  });
}

function storeValues(): Schema {
  return map({
    engine: choice('sqlite', 'postgres'),
    postgres: map({
      url: urlWithoutPattern,
      owner: map({ url: urlWithoutPattern, passwordSecret: keyOf() }),
      passwordSecret: keyOf(),
      caConfigMap: keyOf(),
      dangerouslyWithoutTls: flag,
    }),
  });
}

function policyValues(): Schema {
  return map({
    source: choice('files', 'store', 'observe'),
    files: {
      type: 'object',
      propertyNames: policyFile,
      maxProperties: 100,
      additionalProperties: { type: 'string', minLength: 1, maxLength: 900_000 },
    },
    existingConfigMap: map({ name: optional(dnsName), keys: list(policyFile) }),
  });
}

function serviceValues(): Schema {
  return map({
    type: choice('ClusterIP', 'NodePort', 'LoadBalancer'),
    port,
    annotations,
    loadBalancerClass: optional(`(${dnsName}/)?${labelName}`, 317),
    loadBalancerSourceRanges: networks,
    externalTrafficPolicy: choice('', 'Local', 'Cluster'),
  });
}

function metricsValues(): Schema {
  return map({
    enabled: flag,
    port,
    serviceMonitor: map({ enabled: flag, labels, interval: text('^[1-9][0-9]*(ms|s|m|h)$', 12) }),
    prometheusRule: map({ enabled: flag, labels }),
    grafanaDashboard: map({ enabled: flag, labels }),
  });
}

function networkPolicyValues(): Schema {
  return map({
    enabled: flag,
    agents: list(place),
    monitoring: list(place),
    operators: list(place),
    dns: list(place),
    database: list(place),
    databasePort: port,
    kubernetesApi: list(place),
    kubernetesApiPorts: { ...list(port), minItems: 1 },
    internet: map({ enabled: flag, except: networks }),
    egress: list(ofKubernetes),
  });
}

function mountValues(): Properties {
  return {
    secretMounts: list(map({ name: mountName, secretName: resourceName })),
    secretVariables: list(map({ variable, secretName: resourceName, key: keyOfData })),
    configMounts: list(map({ name: mountName, configMapName: resourceName })),
    tokenMounts: list(
      map({ name: mountName, audience: text('^\\S+$', 253), expirationSeconds: whole(600, 4_294_967_296) }, [
        'name',
        'audience',
      ]),
    ),
    externalSecrets: list(
      map(
        {
          name: resourceName,
          store: map({ name: resourceName, kind: choice('SecretStore', 'ClusterSecretStore') }, ['name']),
          refreshInterval: text('^[0-9]+(s|m|h)$', 12),
          data: {
            ...list(
              map(
                { key: keyOfData, remoteKey: text('^\\S.*$', 1024), remoteProperty: text('^\\S.*$', 1024) },
                ['key', 'remoteKey'],
              ),
            ),
            minItems: 1,
          },
        },
        ['name', 'store', 'data'],
      ),
    ),
  };
}

function resourceValues(): Schema {
  const quantity: Schema = {
    oneOf: [text('^[0-9]+(\\.[0-9]+)?(m|k|M|G|T|Ki|Mi|Gi|Ti)?$', 20), { type: 'number', minimum: 0 }],
  };
  const amounts: Schema = { type: 'object', additionalProperties: quantity };
  return map({ requests: amounts, limits: amounts }, []);
}

function placementValues(): Properties {
  return {
    podAnnotations: annotations,
    podLabels: labels,
    nodeSelector: labels,
    tolerations: list(
      map(
        {
          key: text(`^(${dnsName}/)?${labelName}$`, 317),
          operator: choice('Exists', 'Equal'),
          value: optional(labelName, 63),
          effect: choice('NoSchedule', 'PreferNoSchedule', 'NoExecute'),
          tolerationSeconds: whole(0, Number.MAX_SAFE_INTEGER),
        },
        [],
      ),
    ),
    affinity: ofKubernetes,
    topologySpreadConstraints: list(ofKubernetes),
    priorityClassName: optional(dnsName),
  };
}

function valuesOf(config: Schema): Properties {
  return {
    nameOverride: optional(dnsLabel, 40),
    fullnameOverride: optional(dnsName),
    clusterDomain: resourceName,
    image: imageValues(),
    replicas: whole(1, 1000),
    listenAddress: text('^[0-9a-fA-F.:]+$', 45),
    publicNames: list(text('^[0-9A-Za-z.:-]+$', 253)),
    publicOrigins: list(text('^https://[^/?#\\s]+$', 300)),
    store: storeValues(),
    identity: map({ keySecret: keyOf(), nextKeySecret: keyOf() }),
    persistence: map({
      enabled: flag,
      size: text('^[1-9][0-9]*(Mi|Gi|Ti|M|G|T)$', 20),
      storageClassName: optional(dnsName),
      accessMode: choice('ReadWriteOnce', 'ReadWriteOncePod'),
    }),
    policy: policyValues(),
    config,
    drainSeconds: whole(1, 86_400),
    tls: map({ existingSecret: optional(dnsName) }),
    clusterIssuer: map({
      enabled: flag,
      issuer: text('^https://\\S+$', 2000),
      jwksUrl: optional('https://\\S+', 2000),
      namespaces: list(text(`^${dnsLabel}$`, 63)),
      publicDiscovery: flag,
    }),
    ...mountValues(),
    service: serviceValues(),
    metrics: metricsValues(),
    admin: map({ enabled: flag, port, tlsSecret: optional(dnsName), names: list(resourceName) }),
    peers: map({ port }),
    networkPolicy: networkPolicyValues(),
    autoscaling: map({
      enabled: flag,
      minReplicas: whole(1, 1000),
      maxReplicas: whole(1, 1000),
      tunnels: whole(0, 1_000_000),
      cpuPercent: whole(0, 1000),
      scaleDownSeconds: whole(0, 3600),
    }),
    podDisruptionBudget: map({ enabled: flag }),
    serviceAccount: map({ create: flag, name: optional(dnsName), annotations }),
    resources: resourceValues(),
    ...placementValues(),
  };
}

/** Of the gateway's schema what is left for `config`; its definitions are called otherwise here. */
function configOf(gateway: Schema): { readonly config: Schema; readonly definitions: Properties } {
  const renamed = (node: unknown): unknown => {
    if (Array.isArray(node)) return node.map(renamed);
    if (typeof node !== 'object' || node === null) return node;
    return Object.fromEntries(
      Object.entries(node).flatMap(([key, value]): readonly (readonly [string, unknown])[] => {
        if (key === '$ref' && typeof value === 'string')
          return [[key, value.replace('#/$defs/', '#/definitions/gateway-')]];
        // Helm says a value again that does not fit its pattern, and in these somebody may have written a secret; of one that fits what it
        // must not it only says where. Its regular expressions do not look ahead; the gateway does.
        if (key === 'pattern' && typeof value === 'string')
          return value.includes('(?') ? [] : [['not', { not: { pattern: value } }]];
        return [[key, renamed(value)]];
      }),
    );
  };
  // Our own file, which a test compares with the schema that it is made from.
  const { properties, $defs } = renamed(gateway) as { properties: Properties; $defs: Properties };
  const without = (schema: Schema | undefined, keys: readonly string[]): Schema => ({
    ...schema,
    properties: Object.fromEntries(
      Object.entries((schema?.['properties'] ?? {}) as Properties).filter(([key]) => !keys.includes(key)),
    ),
  });
  const left = Object.fromEntries(Object.entries(properties).filter(([key]) => !madeByChart.has(key)));
  return {
    config: map(
      {
        ...left,
        admin: without(left['admin'], ['listen', 'socket']),
        limits: without(left['limits'], ['drainTimeoutMs']),
      },
      [],
    ),
    definitions: Object.fromEntries(
      Object.entries($defs).map(([name, schema]) => [`gateway-${name}`, schema]),
    ),
  };
}

/** Each map and value says what values.yaml says of it. */
function described(schema: Schema, path: string, descriptions: ReadonlyMap<string, string>): Schema {
  const description = descriptions.get(path);
  const below = schema['properties'] as Properties | undefined;
  const isOurs = below !== undefined && path !== 'config';
  return {
    ...(description === undefined ? {} : { description }),
    ...schema,
    ...(isOurs
      ? {
          properties: Object.fromEntries(
            Object.entries(below).map(([key, value]) => [
              key,
              described(value, path === '' ? key : `${path}.${key}`, descriptions),
            ]),
          ),
        }
      : {}),
  };
}

/** The schema of the chart's values. `gateway` is schema/gateway.schema.json, `descriptions` are those of values.yaml by path. */
export function chartSchema(gateway: Schema, descriptions: ReadonlyMap<string, string>): Schema {
  const { config, definitions } = configOf(gateway);
  const values = valuesOf(config);
  const root = described(map(values), '', descriptions);
  return {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: 'Values of the chart of the gateway of upstreamproxy',
    ...root,
    // A chart that has this one as a part hands it to all of its parts.
    properties: { ...(root['properties'] as Properties), global: { type: 'object' } },
    definitions,
  };
}
