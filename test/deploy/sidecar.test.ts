// deploy/kubernetes without a cluster: the conditions of require-agent.yaml are evaluated, by a library of CEL that is not Kubernetes' own, for
// the pod of agent-sidecar.yaml and for what would get around it. The agent is started by the line of that pod in the guide's test.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { Environment } from '@marcbachmann/cel-js';
import { parseAllDocuments } from 'yaml';
import { workloadEnvironment } from '../../src/agent/environment.ts';

interface Policy {
  readonly matchConditions: readonly { readonly name: string; readonly expression: string }[];
  readonly variables: readonly { readonly name: string; readonly expression: string }[];
  readonly validations: readonly { readonly message: string; readonly expression: string }[];
}

/** As a reader of JSON gives it: what is looked at is said by the test. */
type Node = Record<string, ReturnType<typeof JSON.parse>>;

function documents(name: string): readonly Node[] {
  const text = readFileSync(new URL(`../../deploy/kubernetes/${name}`, import.meta.url), 'utf8');
  return parseAllDocuments(text).map((document) => {
    assert.deepEqual([...document.errors, ...document.warnings], [], name);
    return document.toJS() as Node;
  });
}

const ofKind = (name: string, kind: string): readonly Node[] =>
  documents(name).filter((one) => one['kind'] === kind);
const policy = ofKind('require-agent.yaml', 'ValidatingAdmissionPolicy')[0]!['spec'] as Policy;
const params = ofKind('require-agent.yaml', 'ConfigMap')[0]!;
const template = ofKind('agent-sidecar.yaml', 'Pod')[0]!;
const pod = (): Node => structuredClone(template);

/** As CEL has whole numbers. */
function celValue(value: unknown): unknown {
  if (typeof value === 'number') return BigInt(value);
  if (Array.isArray(value)) return value.map(celValue);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, celValue(one)]));
}

const environment = new Environment()
  .registerVariable('object', 'dyn')
  .registerVariable('oldObject', 'dyn')
  .registerVariable('params', 'dyn')
  .registerVariable('variables', 'map<string, dyn>');

function evaluate(expression: string, context: Record<string, unknown>): unknown {
  return environment.evaluate(expression, context);
}

const policyNamed = (name: string): Node =>
  ofKind('require-agent.yaml', 'ValidatingAdmissionPolicy').find(({ metadata }) => metadata.name === name)!;

/** The messages with which a pod is refused; none if it is let through. With what it was before, it is a change; else the pod is made. */
function refusals(object: Node, parameters: Node = params, before: Node | null = null): readonly string[] {
  const context: Record<string, unknown> = {
    object: celValue(object),
    oldObject: celValue(before),
    params: celValue(parameters),
    variables: {},
  };
  if (policy.matchConditions.some(({ expression }) => evaluate(expression, context) === false)) return [];
  const variables: Record<string, unknown> = {};
  for (const { name, expression } of policy.variables)
    variables[name] = evaluate(expression, { ...context, variables });
  return policy.validations
    .filter(({ expression }) => {
      const verdict = evaluate(expression, { ...context, variables });
      assert.equal(typeof verdict, 'boolean', expression);
      return verdict === false;
    })
    .map(({ message }) => message);
}

const agentOf = (object: Node): Node => object['spec'].initContainers[0];
const jobOf = (object: Node): Node => object['spec'].containers[0];
const gatewayName = 'gateway.upstreamproxy.svc.cluster.local';
const another = (): Node => ({ ...structuredClone(jobOf(template)), name: 'another' });

const around: readonly (readonly [string, (object: Node) => void, RegExp])[] = [
  ['no label of the network', (p) => delete p['metadata'].labels.network, /label network: gateway-only/],
  ['no labels', (p) => delete p['metadata'].labels, /label network: gateway-only/],
  ['another label', (p) => (p['metadata'].labels.network = 'open'), /label network: gateway-only/],
  ['the network of the host', (p) => (p['spec'].hostNetwork = true), /^hostNetwork/],
  ['processes of the host', (p) => (p['spec'].hostPID = true), /^hostPID/],
  ['memory of the host', (p) => (p['spec'].hostIPC = true), /^hostPID/],
  ['processes in common', (p) => (p['spec'].shareProcessNamespace = true), /shareProcessNamespace/],
  [
    'an ephemeral container in the agent',
    (p) => (p['spec'].ephemeralContainers = [{ name: 'debug', targetContainerName: 'upstreamproxy-agent' }]),
    /^ephemeral containers/,
  ],
  ['no agent', (p) => delete p['spec'].initContainers, /needs one container upstreamproxy-agent/],
  ['an agent of another name', (p) => (agentOf(p)['name'] = 'agent'), /needs one container/],
  ['an agent that ends first', (p) => delete agentOf(p)['restartPolicy'], /restartPolicy: Always/],
  ['an agent that runs once', (p) => (agentOf(p)['restartPolicy'] = 'OnFailure'), /restartPolicy: Always/],
  [
    'a second container with its name',
    (p) => p['spec'].containers.push({ ...another(), name: 'upstreamproxy-agent' }),
    /needs one container/,
  ],
  ['another image', (p) => (agentOf(p)['image'] = 'images.example.com/evil:1'), /another than the ConfigMap/],
  ['an image of another tag', (p) => (agentOf(p)['image'] += '-evil'), /another than the ConfigMap/],
  ['another program', (p) => (agentOf(p)['command'] = ['sleep']), /another than the ConfigMap/],
  ['no command', (p) => delete agentOf(p)['command'], /another than the ConfigMap/],
  [
    'another gateway',
    (p) => (agentOf(p)['args'] = [agentOf(p)['args'][0].replace('gateway.upstreamproxy', 'gateway.evil')]),
    /another than the ConfigMap/,
  ],
  ['a further argument', (p) => agentOf(p)['args'].push('; sleep 1'), /another than the ConfigMap/],
  ['a variable', (p) => (agentOf(p)['env'] = [{ name: 'LD_PRELOAD', value: '/x' }]), /takes no variables/],
  [
    'variables',
    (p) => (agentOf(p)['envFrom'] = [{ configMapRef: { name: 'evil' } }]),
    /takes no variables, hooks/,
  ],
  [
    'a hook',
    (p) => (agentOf(p)['lifecycle'] = { postStart: { exec: { command: ['cat', '/token'] } } }),
    /takes no variables, hooks/,
  ],
  [
    'a probe that runs something',
    (p) => (agentOf(p)['livenessProbe'] = { exec: { command: ['cat'] } }),
    /takes no variables, hooks or probes/,
  ],
  [
    'another start probe',
    (p) => (agentOf(p)['startupProbe'].exec.command = ['true']),
    /takes no variables, hooks or probes/,
  ],
  ['no start probe', (p) => delete agentOf(p)['startupProbe'], /takes no variables, hooks or probes/],
  [
    'an agent with privileges',
    (p) => (agentOf(p)['securityContext'].privileged = true),
    /without privileges/,
  ],
  ['an agent that may get some', (p) => delete agentOf(p)['securityContext'], /without privileges/],
  [
    'a volume over its program',
    (p) => agentOf(p)['volumeMounts'].push({ name: 'upstreamproxy-tmp', mountPath: '/usr/local/bin' }),
    /^the agent mounts/,
  ],
  [
    'a volume of its own',
    (p) => agentOf(p)['volumeMounts'].push({ name: 'evil', mountPath: '/tmp' }),
    /^the agent mounts/,
  ],
  ['a part of a volume', (p) => (agentOf(p)['volumeMounts'][2].subPath = 'elsewhere'), /^the agent mounts/],
  [
    'trust from a folder of the host',
    (p) => (p['spec'].volumes[2] = { name: 'upstreamproxy', hostPath: { path: '/evil' } }),
    /are emptyDir/,
  ],
  [
    'the authority of another gateway',
    (p) => (p['spec'].volumes[1] = { name: 'upstreamproxy-ca', configMap: { name: 'evil' } }),
    /is the ConfigMap of that name/,
  ],
  ['a token in every container', (p) => delete p['spec'].automountServiceAccountToken, /^automountService/],
  [
    'a token in every container, asked for',
    (p) => (p['spec'].automountServiceAccountToken = true),
    /^automountService/,
  ],
  [
    'the token in the job',
    (p) => jobOf(p)['volumeMounts'].push({ name: 'upstreamproxy-token', mountPath: '/token' }),
    /^the token is for the agent alone/,
  ],
  [
    'a second volume with a token in the job',
    (p) => {
      const sources = [{ serviceAccountToken: { path: 'token', audience: 'upstreamproxy' } }];
      p['spec'].volumes.push({ name: 'mine', projected: { sources } });
      jobOf(p)['volumeMounts'].push({ name: 'mine', mountPath: '/token' });
    },
    /^the token is for the agent alone/,
  ],
  [
    'a job with privileges',
    (p) => (jobOf(p)['securityContext'].privileged = true),
    /^a privileged container, or one with added/,
  ],
  [
    'a job that changes the network',
    (p) => (jobOf(p)['securityContext'].capabilities = { add: ['NET_ADMIN'] }),
    /^a privileged container, or one with added/,
  ],
  [
    'trust that the job can write',
    (p) => delete jobOf(p)['volumeMounts'][0].readOnly,
    /mount it in each container, with readOnly/,
  ],
  [
    'trust that the job can write at a second place',
    (p) => jobOf(p)['volumeMounts'].push({ name: 'upstreamproxy', mountPath: '/mine' }),
    /mount it in each container, with readOnly/,
  ],
  ['no trust', (p) => delete jobOf(p)['volumeMounts'], /mount it in each container/],
  ['no environment', (p) => delete jobOf(p)['env'], /needs HTTP_PROXY.*\|each container needs SSL_CERT_FILE/],
  [
    'a proxy that is not set',
    (p) => (jobOf(p)['env'] = jobOf(p)['env'].filter((e: Node) => e['name'] !== 'https_proxy')),
    /needs HTTP_PROXY/,
  ],
  [
    'another proxy behind the right one',
    (p) => jobOf(p)['env'].push({ name: 'HTTPS_PROXY', value: 'http://evil.test:3128' }),
    /needs HTTP_PROXY/,
  ],
  [
    'a proxy from elsewhere',
    (p) => (jobOf(p)['env'][0] = { name: 'HTTP_PROXY', valueFrom: { fieldRef: { fieldPath: 'x' } } }),
    /needs HTTP_PROXY/,
  ],
  [
    'other roots',
    (p) => jobOf(p)['env'].push({ name: 'SSL_CERT_FILE', value: '/etc/ssl/mine.pem' }),
    /needs SSL_CERT_FILE/,
  ],
  [
    'another probe that runs something',
    (p) => (agentOf(p)['readinessProbe'] = { exec: { command: ['cat'] } }),
    /takes no variables, hooks or probes/,
  ],
  [
    'an agent that may get privileges',
    (p) => (agentOf(p)['securityContext'].allowPrivilegeEscalation = true),
    /without privileges/,
  ],
  [
    'a part of a volume by a variable',
    (p) => (agentOf(p)['volumeMounts'][2].subPathExpr = '$(PLACE)'),
    /^the agent mounts/,
  ],
  ...[0, 1, 2].map(
    (index) =>
      [
        `volume ${index} over its program`,
        (p: Node) => (agentOf(p)['volumeMounts'][index].mountPath = '/usr/local/bin'),
        /^the agent mounts/,
      ] as const,
  ),
  [
    'a device',
    (p) => (agentOf(p)['volumeDevices'] = [{ name: 'evil', devicePath: '/dev/evil' }]),
    /^the agent mounts/,
  ],
  ['no volume of trust', (p) => p['spec'].volumes.splice(2, 1), /are emptyDir/],
  [
    'an authority without a name',
    (p) => (p['spec'].volumes[1].configMap = {}),
    /is the ConfigMap of that name/,
  ],
  [
    'other volumes than that of trust',
    (p) => (jobOf(p)['volumeMounts'] = [{ name: 'mine', mountPath: '/mine' }]),
    /mount it in each container/,
  ],
  [
    'trust that the job can write, as it says',
    (p) => (jobOf(p)['volumeMounts'][0].readOnly = false),
    /mount it in each container, with readOnly/,
  ],
  [
    'no roots',
    (p) => (jobOf(p)['env'] = jobOf(p)['env'].filter((e: Node) => e['name'] !== 'SSL_CERT_FILE')),
    /needs SSL_CERT_FILE/,
  ],
  [
    'the folder of the node',
    (p) => p['spec'].volumes.push({ name: 'node', hostPath: { path: '/var/lib/kubelet' } }),
    /^a volume of hostPath/,
  ],
  [
    'another address for the name of the gateway',
    (p) => (p['spec'].hostAliases = [{ ip: '127.0.0.1', hostnames: [gatewayName] }]),
    /^hostAliases have the address/,
  ],
  [
    'a name server of its own',
    (p) => Object.assign(p['spec'], { dnsPolicy: 'None', dnsConfig: { nameservers: ['127.0.0.1'] } }),
    /^the name server is the cluster's/,
  ],
  [
    'a name server before that of the cluster',
    (p) => (p['spec'].dnsConfig = { nameservers: ['127.0.0.1'] }),
    /^the name server is the cluster's/,
  ],
  ['a name server of the node', (p) => (p['spec'].dnsPolicy = 'Default'), /^the name server is the/],
  [
    'a domain in which the name of the gateway is looked for first',
    (p) => (p['spec'].dnsConfig = { searches: ['evil.test'] }),
    /^the name server is the cluster's/,
  ],
  ['the name of the gateway', (p) => (p['spec'].hostnameOverride = gatewayName), /^the name server is the/],
  [
    'files of the agent that the job can write',
    (p) => jobOf(p)['volumeMounts'].push({ name: 'upstreamproxy-tmp', mountPath: '/mine' }),
    /^the volume upstreamproxy-tmp is for the agent alone/,
  ],
  [
    'files of the agent that an earlier container can write',
    (p) => {
      const mine = structuredClone(another());
      mine['volumeMounts'].push({ name: 'upstreamproxy-tmp', mountPath: '/mine' });
      p['spec'].initContainers.unshift(mine);
    },
    /^the volume upstreamproxy-tmp is for the agent alone/,
  ],
  [
    'a second container without the environment',
    (p) => p['spec'].containers.push({ name: 'b', image: 'b' }),
    /needs HTTP_PROXY/,
  ],
  [
    'a container before it without the environment',
    (p) => p['spec'].initContainers.unshift({ name: 'b', image: 'b' }),
    /needs SSL_CERT_FILE/,
  ],
];

describe('a pod is refused that would get around the agent by', () => {
  for (const [name, change, message] of around)
    test(name, () => {
      const object = pod();
      change(object);
      assert.match(refusals(object).join('|'), message);
      assert.match(refusals(object, params, pod()).join('|'), message, 'as a change of a pod');
    });
});

test('the pod of the template is let through, with more containers that have what they need too', () => {
  assert.deepEqual(refusals(pod()), []);
  const more = pod();
  more['spec'].containers.push(another());
  more['spec'].initContainers.push({ ...another(), name: 'before' });
  more['spec'].volumes.push({ name: 'own', projected: { sources: [{ configMap: { name: 'own' } }] } });
  jobOf(more)['volumeMounts'].push({ name: 'own', mountPath: '/own' });
  Object.assign(more['spec'], { hostNetwork: false, shareProcessNamespace: false, ephemeralContainers: [] });
  assert.deepEqual(refusals(more), []);
});

test('the gateway is named in hostAliases by the address of the parameters alone, and then needs no name server', () => {
  const told = { data: { ...params['data'], address: '10.96.12.34' } };
  const named = pod();
  const own = { dnsPolicy: 'None', dnsConfig: { nameservers: ['192.0.2.1'] } };
  Object.assign(named['spec'], own, { hostAliases: [{ ip: '10.96.12.34', hostnames: [gatewayName] }] });
  assert.deepEqual(refusals(named, told), []);
  assert.match(refusals(named).join('|'), /^hostAliases have the address/);
  const other = structuredClone(named);
  other['spec'].hostAliases.push({ ip: '10.96.12.35', hostnames: [gatewayName] });
  assert.match(refusals(other, told).join('|'), /^hostAliases have the address/);
  // Of another name, or of a part of the gateway's: its own would be asked for at that name server.
  for (const hostname of ['gateway', 'upstreamproxy.svc.cluster.local', 'example.com']) {
    const beside = structuredClone(named);
    beside['spec'].hostAliases[0].hostnames = [hostname];
    assert.match(refusals(beside, told).join('|'), /^the name server is the cluster's/, hostname);
  }
  const options = pod();
  options['spec'].dnsConfig = { options: [{ name: 'ndots', value: '2' }] };
  assert.deepEqual(refusals(options), []);
});

test('a pod that asked for the checks cannot take its label back, by the status neither', () => {
  const { matchConstraints, matchConditions, validations } = policyNamed('upstreamproxy-agent-label')['spec'];
  const [rule] = matchConstraints.resourceRules;
  assert.deepEqual(rule.operations, ['UPDATE']);
  for (const resource of ['pods', 'pods/status', 'pods/ephemeralcontainers'])
    assert.ok(rule.resources.includes(resource), resource);
  assert.equal(matchConditions, undefined);
  const isLetIn = (oldObject: Node, object: Node) =>
    evaluate(validations[0].expression, { object: celValue(object), oldObject: celValue(oldObject) });
  const changed = (change: (labels: Node) => void): Node => {
    const object = pod();
    change(object['metadata'].labels);
    return object;
  };
  const without = changed((labels) => delete labels['upstreamproxy/agent']);
  const bare = pod();
  delete bare['metadata'].labels;
  assert.equal(isLetIn(pod(), without), false);
  assert.equal(isLetIn(pod(), bare), false);
  assert.equal(
    isLetIn(
      pod(),
      changed((labels) => (labels['upstreamproxy/agent'] = 'none')),
    ),
    false,
  );
  assert.equal(isLetIn(without, pod()), false);
  assert.equal(
    isLetIn(
      pod(),
      changed((labels) => (labels['other'] = 'label')),
    ),
    true,
  );
  assert.equal(isLetIn(bare, without), true);
  // A selector of objects looks at the pod before the change and after it.
  const selectors = ofKind('require-agent.yaml', 'ValidatingAdmissionPolicyBinding')
    .filter(({ spec }) => spec.policyName !== 'upstreamproxy-agent-closed')
    .flatMap(({ spec }) => spec.matchResources.objectSelector ?? []);
  assert.equal(selectors.length, 2);
  assert.deepEqual(selectors[0], selectors[1]);
});

test('every condition refuses one of these', () => {
  const seen = new Set(
    around.flatMap(([, change]) => {
      const object = pod();
      change(object);
      return refusals(object);
    }),
  );
  assert.deepEqual(
    policy.validations.map(({ message }) => message).filter((message) => !seen.has(message)),
    [],
  );
});

test('whatever is left out of the pod, each condition gives true or false and no fault', () => {
  let tried = 0;
  const without = (node: unknown, root: Node): void => {
    if (typeof node !== 'object' || node === null) return;
    for (const key of Object.keys(node)) {
      // What the API server demands: these are always there.
      if (/^(?:spec|metadata|name|mountPath|containers)$/.test(key)) continue;
      const parent = node as Node;
      const value: unknown = parent[key];
      if (!Array.isArray(parent)) {
        delete parent[key];
        tried += 1;
        refusals(root);
        parent[key] = value;
      }
    }
    for (const child of Object.values(node)) without(child, root);
  };
  const object = pod();
  without(object, object);
  assert.ok(tried > 60, `${tried} were tried`);
});

const newer = { data: { ...params['data'], image: 'images.example.com/upstreamproxy-agent:0.2.0' } };

test('when the parameters change, pods that run are left alone: their finalizers can go', () => {
  assert.match(refusals(pod(), newer).join('|'), /another than the ConfigMap/);
  const before = pod();
  before['metadata'].finalizers = ['batch.kubernetes.io/job-tracking'];
  const object = pod();
  object['metadata'].annotations = { 'example.com/on': 'yes' };
  object['status'] = { phase: 'Succeeded' };
  assert.deepEqual(refusals(object, newer, before), []);
  object['metadata'].deletionTimestamp = '2026-01-01T00:00:00Z';
  assert.deepEqual(refusals(object, newer, before), []);
  // Also where it was made before the namespace demanded the agent.
  for (const one of [before, object]) {
    delete one['metadata'].labels;
    delete one['spec'].initContainers;
  }
  assert.deepEqual(refusals(object, params, before), []);
});

test('a change of what is judged is judged, also when the parameters changed and when the pod is being deleted', () => {
  const ending = pod();
  ending['metadata'].deletionTimestamp = '2026-01-01T00:00:00Z';
  const entered = structuredClone(ending);
  entered['spec'].ephemeralContainers = [{ name: 'debug', targetContainerName: 'upstreamproxy-agent' }];
  assert.match(refusals(entered, params, ending).join('|'), /^ephemeral containers/);
  const bare = pod();
  delete bare['metadata'].labels;
  const labelled = pod();
  labelled['metadata'].labels.other = 'label';
  for (const [before, after] of [
    [pod(), bare],
    [bare, pod()],
    [pod(), labelled],
  ] as const)
    assert.match(refusals(after, newer, before).join('|'), /another than the ConfigMap/);
});

test('without the ConfigMap of parameters the policy denies', () => {
  const bindings = ofKind('require-agent.yaml', 'ValidatingAdmissionPolicyBinding').filter(
    ({ spec }) => spec.policyName === 'upstreamproxy-agent',
  );
  assert.equal(bindings.length, 2);
  for (const { spec } of bindings) {
    // Named with its namespace: else it would be looked for where the pod is, and who makes pods may make ConfigMaps.
    const { name, namespace } = params['metadata'];
    assert.deepEqual(spec.paramRef, { name, namespace, parameterNotFoundAction: 'Deny' });
    assert.ok(spec.validationActions.includes('Deny'));
  }
  assert.notDeepEqual(refusals(pod(), { data: { image: 'a', line: 'b' } }), []);
});

test('nobody enters the container of the agent in a namespace that demands it', () => {
  const closed = policyNamed('upstreamproxy-agent-closed');
  const binding = ofKind('require-agent.yaml', 'ValidatingAdmissionPolicyBinding').find(
    ({ spec }) => spec.policyName === closed['metadata'].name,
  );
  const [required] = ofKind('namespace.yaml', 'Namespace');
  const { matchLabels } = binding!['spec'].matchResources.namespaceSelector;
  for (const [key, value] of Object.entries(matchLabels))
    assert.equal(required!['metadata'].labels[key], value);
  const [{ expression }] = closed['spec'].validations;
  const isLetIn = (options: Node) => evaluate(expression, { object: options, params: {}, variables: {} });
  assert.equal(isLetIn({ container: 'upstreamproxy-agent', command: ['cat'] }), false);
  assert.equal(isLetIn({ container: 'job' }), true);
  // Then it is the first of the containers, which the agent is not.
  assert.equal(isLetIn({}), true);
});

test('the environment of the template is what the agent itself would write', () => {
  const trust = '/run/upstreamproxy/trust';
  const written = workloadEnvironment({
    port: 8119,
    files: { bundle: `${trust}/ca-bundle.pem`, ownCa: `${trust}/ca.pem` },
    base: {},
    placeholders: {},
  });
  const env: readonly { readonly name: string; readonly value: string }[] = jobOf(template)['env'];
  for (const { name, value } of env) assert.equal(written[name], value, name);
  assert.ok(env.length > 10);
});

test('the guide makes the namespace before it puts something there, and its pods meet the standard of that namespace', () => {
  const guide = readFileSync(new URL('../../docs/guides/kubernetes.md', import.meta.url), 'utf8');
  const first = guide.search(/-n builds|namespace: builds/);
  const made = guide.indexOf('kubectl apply -f deploy/kubernetes/namespace.yaml');
  assert.ok(made > 0 && made < first);
  const pods = [...guide.matchAll(/^```yaml\n(.*?)^```$/gms)]
    .flatMap(([, block = '']) => parseAllDocuments(block))
    .map((document) => document.toJS() as Node)
    .filter(({ kind }) => kind === 'Pod');
  assert.equal(pods.length, 1);
  assert.equal(
    ofKind('namespace.yaml', 'Namespace')[0]!['metadata'].labels['pod-security.kubernetes.io/enforce'],
    'restricted',
  );
  for (const { spec } of [...pods, template]) {
    assert.equal(spec.securityContext.runAsNonRoot, true);
    assert.deepEqual(spec.securityContext.seccompProfile, { type: 'RuntimeDefault' });
    for (const { securityContext } of [...spec.containers, ...(spec.initContainers ?? [])]) {
      assert.equal(securityContext.allowPrivilegeEscalation, false);
      assert.deepEqual(securityContext.capabilities, { drop: ['ALL'] });
    }
  }
});

test('the namespace closes every pod, and the gateway is found by the labels of the chart', () => {
  const closed = ofKind('namespace.yaml', 'NetworkPolicy')[0]!['spec'];
  assert.deepEqual(closed.podSelector, {});
  assert.deepEqual(closed.policyTypes, ['Ingress', 'Egress']);
  assert.equal(closed.ingress, undefined);
  const [gateway] = closed.egress;
  const chart = readFileSync(new URL('../../deploy/chart/Chart.yaml', import.meta.url), 'utf8');
  const { matchLabels } = gateway.to[0].podSelector;
  assert.match(chart, new RegExp(`^name: ${matchLabels['app.kubernetes.io/name']}$`, 'm'));
  assert.equal(matchLabels['app.kubernetes.io/component'], 'gateway');
});
