// What the chart makes, part by part, with the real Helm.

import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { parse } from 'yaml';
import {
  chartFolder,
  gateways,
  gatewayYaml,
  helm,
  least,
  type Manifest,
  manifestsOf,
  one,
  template,
  tryTemplate,
  valuesFile,
} from './support/helm.ts';
import { joined, namedSets } from './support/value-sets.ts';

const sets = namedSets();
const set = (name: string) => sets.get(name) ?? assert.fail(name);

test('helm lint --strict finds nothing, for every set of values', async () => {
  for (const [name, values] of sets) {
    const { code, stdout, stderr } = await helm(
      'lint',
      '--strict',
      chartFolder,
      '--values',
      valuesFile(values),
    );
    assert.equal(code, 0, `${name}\n${stdout}${stderr}`);
    assert.doesNotMatch(stdout, /\[(?:WARNING|ERROR)\]/, name);
  }
});

test('the chart can be packed, and what was packed gives the same', async () => {
  const folder = valuesFile(least).replace(/[^/]+$/, 'packed');
  const packed = await helm('package', chartFolder, '--destination', folder);
  assert.equal(packed.code, 0, packed.stderr);
  const [, archive = ''] = /saved it to: (.*\.tgz)/.exec(packed.stdout) ?? [];
  const from = async (chart: string) => {
    const { stdout, stderr } = await helm(
      'template',
      'gateway',
      chart,
      '--values',
      valuesFile(set('monitoring')),
    );
    assert.notEqual(stdout, '', stderr);
    return stdout;
  };
  assert.equal(await from(archive), await from(chartFolder));
});

test('with nothing but an image: one gateway with a volume, closed to all but agents, and a policy that denies', async () => {
  const manifests = await template(least);
  assert.deepEqual(manifests.map(({ kind }) => kind).toSorted(), [
    'ConfigMap',
    'NetworkPolicy',
    'NetworkPolicy',
    'Pod',
    'Service',
    'Service',
    'ServiceAccount',
    'StatefulSet',
  ]);
  assert.ok(!('policy' in JSON.parse(gatewayYaml(manifests))));
  const { replicas, volumeClaimTemplates } = gateways(manifests)['spec'];
  assert.deepEqual([replicas, volumeClaimTemplates.length], [1, 1]);
  const { ingress } = one(manifests, 'NetworkPolicy', '-gateway')['spec'];
  assert.deepEqual(
    ingress.map(({ ports }: Manifest) => ports[0].port),
    ['agents', 'metrics'],
  );
});

test('every container is without root, rights, a writable root and a token', async () => {
  let containers = 0;
  for (const [name, values] of sets)
    for (const manifest of await template(values)) {
      const pod = manifest['kind'] === 'Pod' ? manifest['spec'] : manifest['spec']?.template?.spec;
      if (pod === undefined) continue;
      assert.equal(pod.automountServiceAccountToken, false, name);
      assert.equal(pod.enableServiceLinks, false, name);
      assert.equal(pod.hostNetwork ?? pod.hostPID ?? pod.shareProcessNamespace, undefined, name);
      const { runAsNonRoot, runAsUser, seccompProfile, fsGroupChangePolicy } = pod.securityContext;
      assert.deepEqual(
        [runAsNonRoot, runAsUser, seccompProfile.type, fsGroupChangePolicy],
        [true, 10_001, 'RuntimeDefault', 'OnRootMismatch'],
        name,
      );
      for (const container of [...pod.containers, ...(pod.initContainers ?? [])]) {
        containers += 1;
        const { allowPrivilegeEscalation, readOnlyRootFilesystem, capabilities } = container.securityContext;
        assert.deepEqual(
          [allowPrivilegeEscalation, readOnlyRootFilesystem, capabilities],
          [false, true, { drop: ['ALL'] }],
          name,
        );
        for (const mount of container.volumeMounts)
          assert.ok(mount.readOnly === true || mount.name === 'state', `${name}: ${mount.name}`);
      }
    }
  assert.ok(containers >= 2 * sets.size);
});

test('no manifest has a secret: what is secret is named', async () => {
  for (const [name, values] of sets)
    for (const { kind, metadata } of await template(values))
      assert.notEqual(kind, 'Secret', `${name}: ${metadata.name}`);
});

test('a mode is a number that every reader of YAML takes for the same', async () => {
  const { stdout } = await tryTemplate(joined(set('several'), set('credentials'), set('tls'), set('admin')));
  const modes = [...stdout.matchAll(/defaultMode: (\w+)/g)].map(([, mode = '']) => {
    assert.match(mode, /^[1-9]\d*$/, 'a zero at its start would make it octal to some');
    return Number(mode);
  });
  assert.ok(modes.length >= 6);
  assert.deepEqual([...new Set(modes)], [0o440]);
});

test('a changed configuration replaces the pods, and a changed policy does not', async () => {
  const checksum = (manifests: readonly Manifest[]): string =>
    gateways(manifests)['spec'].template.metadata.annotations['checksum/configuration'];
  const policy = (text: string) => ({ policy: { files: { 'a.yaml': text } } });
  const before = checksum(await template(joined(least, policy('rules: []\n'))));
  assert.equal(checksum(await template(joined(least, policy('rules: [] # other\n')))), before);
  assert.notEqual(
    checksum(await template(joined(least, policy('rules: []\n'), { drainSeconds: 31 }))),
    before,
  );
});

test('pods of policy files get them where gateway.yaml looks for them', async () => {
  for (const name of ['policy', 'given']) {
    const manifests = await template(set(name));
    const { volumes } = gateways(manifests)['spec'].template.spec;
    const { sources } = volumes.find((volume: Manifest) => volume['name'] === 'configuration').projected;
    const paths = sources.flatMap(({ configMap }: Manifest) =>
      (configMap.items ?? []).map((item: Manifest) => item['path']),
    );
    assert.deepEqual(paths, JSON.parse(gatewayYaml(manifests)).policy, name);
    assert.ok(paths.length > 0);
    if (name === 'given') assert.equal(sources[1].configMap.name, 'our-policy');
    else assert.ok(manifests.some(({ metadata }) => metadata.name === sources[1].configMap.name));
  }
});

test('agents, monitoring, operators and other gateways each reach their port and no other', async () => {
  const manifests = await template(joined(set('several'), set('admin'), { config: { workers: 3 } }));
  const { ingress, podSelector } = one(manifests, 'NetworkPolicy', '-gateway')['spec'];
  const byPort = new Map<string | number, Manifest>(
    ingress.map((rule: Manifest) => [rule['ports'][0].port, rule]),
  );
  assert.deepEqual([...byPort.keys()], ['agents', 'metrics', 'admin', 8444]);
  assert.deepEqual(byPort.get('agents')!['from'], [
    { podSelector: { matchLabels: { network: 'gateway-only' } }, namespaceSelector: { matchLabels: {} } },
  ]);
  assert.deepEqual(byPort.get('admin')!['from'], [{ ipBlock: { cidr: '192.0.2.0/24' } }]);
  assert.deepEqual(byPort.get(8444)!['from'], [{ podSelector }]);
  assert.deepEqual(byPort.get(8444)!['ports'], [{ protocol: 'TCP', port: 8444, endPort: 8446 }]);
  // The selector of the pods is what the test pod does not have: it is reached by nobody.
  const labels = gateways(manifests)['spec'].template.metadata.labels;
  for (const [key, value] of Object.entries(podSelector.matchLabels)) assert.equal(labels[key], value);
  assert.notDeepEqual(one(manifests, 'Pod')['metadata'].labels, labels);
  for (const { from } of ingress) assert.ok(from.length > 0, 'no source is every source');
});

test('the internet is every public address by TCP, and none of the cluster, of the machine or of its metadata', async () => {
  const { egress } = one(await template(set('closed')), 'NetworkPolicy', '-gateway')['spec'];
  const rule = egress.find(({ to }: Manifest) => to[0].ipBlock?.cidr === '0.0.0.0/0');
  const [four, six] = rule.to.map(({ ipBlock }: Manifest) => ipBlock);
  for (const network of [
    '10.0.0.0/8',
    '169.254.0.0/16',
    '168.63.129.16/32',
    '100.64.0.0/10',
    '203.0.113.0/24',
  ])
    assert.ok(four.except.includes(network), network);
  assert.equal(six.cidr, '2000::/3');
  assert.ok(six.except.includes('2001:db8::/32') && six.except.includes('2002::/16'));
  assert.deepEqual(rule.ports, [{ protocol: 'TCP', port: 1, endPort: 65_535 }]);
  for (const { to } of egress) assert.ok(to.length > 0, 'no destination is every destination');
  const open = one(
    await template(joined(least, { networkPolicy: { internet: { enabled: false } } })),
    'NetworkPolicy',
    '-gateway',
  );
  assert.ok(!JSON.stringify(open).includes('0.0.0.0/0'));
});

test('several gateways: pods with volumes, or without, an HPA by tunnels and CPU, and a budget', async () => {
  assert.equal(gateways(await template(set('several')))['kind'], 'StatefulSet');
  const stateless = gateways(await template(set('stateless')));
  assert.equal(stateless['kind'], 'Deployment');
  assert.deepEqual(stateless['spec'].strategy.rollingUpdate, { maxUnavailable: 0, maxSurge: 1 });
  const scaled = await template(set('scaled'));
  assert.ok(!('replicas' in gateways(scaled)['spec']));
  const { metrics, scaleTargetRef } = one(scaled, 'HorizontalPodAutoscaler')['spec'];
  assert.deepEqual(
    [scaleTargetRef.kind, scaleTargetRef.name],
    ['StatefulSet', gateways(scaled)['metadata'].name],
  );
  assert.equal(metrics[0].pods.metric.name, 'upstreamproxy_tunnels');
  assert.equal(metrics[0].pods.target.averageValue, '500');
  assert.equal(metrics[1].containerResource.target.averageUtilization, 70);
  assert.equal(one(scaled, 'PodDisruptionBudget')['spec'].maxUnavailable, 1);
  assert.ok(!(await template(least)).some(({ kind }) => kind === 'PodDisruptionBudget'));
});

test('a new version changes nothing that Kubernetes would not let it change', async () => {
  const folder = valuesFile(least).replace(/[^/]+$/, 'next');
  const { stdout } = await helm(
    'package',
    chartFolder,
    '--destination',
    folder,
    '--version',
    '9.8.7',
    '--app-version',
    '9.8.7',
  );
  const [, archive = ''] = /saved it to: (.*\.tgz)/.exec(stdout) ?? [];
  const values = set('several');
  const next = await helm(
    'template',
    'gateway',
    archive,
    '--namespace',
    'upstreamproxy',
    '--values',
    valuesFile(values),
  );
  const [before, after] = [gateways(await template(values)), gateways(manifestsOf(next.stdout))];
  assert.notDeepEqual(before['spec'].template, after['spec'].template);
  for (const key of ['selector', 'serviceName', 'podManagementPolicy', 'volumeClaimTemplates'])
    assert.deepEqual(before['spec'][key], after['spec'][key], key);
});

test('the Job that makes the schema is the owner, comes first, and has nothing else of the gateways', async () => {
  const manifests = await template(joined(set('owned'), set('credentials')));
  const job = one(manifests, 'Job');
  const configuration = one(manifests, 'ConfigMap', '-schema');
  const hook = (manifest: Manifest) => manifest['metadata'].annotations['helm.sh/hook'];
  assert.deepEqual([hook(job), hook(configuration)], ['pre-install,pre-upgrade', 'pre-install,pre-upgrade']);
  assert.equal(configuration['metadata'].annotations['helm.sh/hook-weight'], '-1');
  const { store, ...rest } = JSON.parse(configuration['data']['gateway.yaml']);
  assert.equal(store.url, 'postgres://upstreamproxy@db.example.com:5432/upstreamproxy');
  assert.deepEqual(Object.keys(rest).toSorted(), ['identity', 'stateDirectory', 'version']);
  const { containers, volumes, serviceAccountName } = job['spec'].template.spec;
  assert.equal(serviceAccountName, 'default');
  assert.deepEqual(containers[0].command.slice(0, 3), ['upstreamproxy', 'identity', 'make']);
  const passwords = (all: readonly Manifest[]) =>
    all.filter((volume) => volume['name'] === 'database').map((volume) => volume['secret'].secretName);
  assert.deepEqual(passwords(volumes), ['owner']);
  assert.deepEqual([containers.length, containers[0].env, containers[0].envFrom], [1, undefined, undefined]);
  const secrets = volumes.flatMap((volume: Manifest) => volume['secret']?.secretName ?? []);
  assert.deepEqual(secrets.toSorted(), ['identity', 'owner']);
  for (const { containers: own } of [
    gateways(manifests)['spec'].template.spec,
    one(manifests, 'Pod', '-test')['spec'],
  ])
    assert.ok(own[0].env.some(({ name }: Manifest) => name === 'ISSUE_TOKEN'));
  assert.deepEqual(passwords(gateways(manifests)['spec'].template.spec.volumes), ['database']);
  assert.ok(!gatewayYaml(manifests).includes('upstreamproxy@'), 'the gateways do not name the owner');
});

test('the Job reaches the database and the name server alone, from before it starts', async () => {
  const manifests = await template(set('owned'));
  const job = one(manifests, 'Job');
  const { metadata, spec } = one(manifests, 'NetworkPolicy', '-schema');
  const { annotations } = metadata;
  assert.equal(annotations['helm.sh/hook'], job['metadata'].annotations['helm.sh/hook']);
  assert.ok(Number(annotations['helm.sh/hook-weight']) < 0, 'before the Job, whose weight is 0');
  assert.deepEqual(spec.podSelector.matchLabels, job['spec'].template.metadata.labels);
  assert.deepEqual([spec.policyTypes, spec.ingress], [['Ingress', 'Egress'], undefined]);
  const ports = spec.egress.map((rule: Manifest) => rule['ports'].map(({ port }: Manifest) => port));
  assert.deepEqual(ports, [[53, 53], [5432]]);
  assert.deepEqual(spec.egress[1].to, [{ ipBlock: { cidr: '10.20.0.0/16' } }]);
  const own = one(manifests, 'NetworkPolicy', '-gateway')['spec'].egress;
  assert.deepEqual(spec.egress, own.slice(0, 2));
  const nameless = await template(joined(set('owned'), { networkPolicy: { dns: [] } }));
  assert.equal(one(nameless, 'NetworkPolicy', '-schema')['spec'].egress.length, 1);
  const open = await template(joined(set('owned'), { networkPolicy: { enabled: false } }));
  assert.ok(!open.some(({ kind }) => kind === 'NetworkPolicy'));
});

test('the pod of the test is reached by nobody, and reaches nobody', async () => {
  const manifests = await template(set('several'));
  const { labels } = one(manifests, 'Pod')['metadata'];
  const { podSelector, ...rest } = one(manifests, 'NetworkPolicy', '-test')['spec'];
  assert.deepEqual(rest, { policyTypes: ['Ingress', 'Egress'] });
  assert.equal(podSelector.matchLabels['app.kubernetes.io/component'], 'test');
  for (const [key, value] of Object.entries(podSelector.matchLabels)) assert.equal(labels[key], value);
});

test('a policy can be given by a file', async () => {
  const file = valuesFile(least).replace(/[^/]+$/, 'policy.yaml');
  await writeFile(file, 'rules: [] # {{ fail "run" }}, 0o17\n');
  const { stdout, stderr } = await helm(
    'template',
    'gateway',
    chartFolder,
    '--values',
    valuesFile(least),
    '--set-file',
    `policy.files.main\\.yaml=${file}`,
  );
  assert.notEqual(stdout, '', stderr);
  assert.deepEqual(one(manifestsOf(stdout), 'ConfigMap', '-policy')['data'], {
    'main.yaml': await readFile(file, 'utf8'),
  });
});

test('what Services, monitor and probes name is there', async () => {
  const manifests = await template(joined(set('several'), set('monitoring'), set('admin')));
  const { containers } = gateways(manifests)['spec'].template.spec;
  const ports = new Set(containers[0].ports.map(({ name }: Manifest) => name));
  for (const { kind, spec } of manifests.filter((each) => each['kind'] === 'Service'))
    for (const { targetPort } of spec.ports) assert.ok(ports.has(targetPort), `${kind} ${targetPort}`);
  const pods = manifests.find(({ kind, metadata }) => kind === 'Service' && metadata.name.endsWith('-pods'));
  const monitor = one(manifests, 'ServiceMonitor')['spec'];
  for (const [key, value] of Object.entries(monitor.selector.matchLabels))
    assert.equal(pods!['metadata'].labels[key], value);
  assert.ok(pods!['spec'].ports.some(({ name }: Manifest) => name === monitor.endpoints[0].port));
  assert.equal(pods!['spec'].publishNotReadyAddresses, true);
  assert.equal(gateways(manifests)['spec'].serviceName, pods!['metadata'].name);
});

test('alerts and dashboard are those of deploy, and their own templates are left alone', async () => {
  const manifests = await template(set('monitoring'));
  const rules = await readFile(new URL('../../deploy/prometheus-rules.yaml', import.meta.url), 'utf8');
  assert.deepEqual(one(manifests, 'PrometheusRule')['spec'], parse(rules));
  const dashboard = await readFile(new URL('../../deploy/grafana-dashboard.json', import.meta.url), 'utf8');
  assert.equal(one(manifests, 'ConfigMap', '-dashboard')['data']['upstreamproxy.json'], dashboard);
});

test('names under which agents reach it are in its certificate: those of the Service, and those that are given', async () => {
  const config = JSON.parse(gatewayYaml(await template(set('names'), { name: 'egress', namespace: 'net' })));
  assert.deepEqual(config.publicNames, [
    'gateway.example.com',
    '203.0.113.7',
    'egress-upstreamproxy-gateway.net.svc.cluster.local',
    'egress-upstreamproxy-gateway.net.svc',
  ]);
  // Agents in the cluster are served too, which come by the Service.
  assert.deepEqual(config.publicOrigins, [
    'https://gateway.example.com:9443',
    'https://egress-upstreamproxy-gateway.net.svc.cluster.local:8443',
    'https://egress-upstreamproxy-gateway.net.svc:8443',
  ]);
  const own = 'https://gateway-upstreamproxy-gateway.upstreamproxy.svc';
  const usual = await template(
    joined(set('balancer'), { publicOrigins: ['https://gateway.example.com:9443', own] }),
  );
  assert.deepEqual(JSON.parse(gatewayYaml(usual)).publicOrigins, [
    'https://gateway.example.com:9443',
    own,
    'https://gateway-upstreamproxy-gateway.upstreamproxy.svc.cluster.local',
  ]);
  const other = JSON.parse(
    gatewayYaml(await template(joined(set('port'), { publicNames: ['2001:db8::1'] }))),
  );
  assert.deepEqual(other.publicOrigins.slice(0, 2), [
    'https://[2001:db8::1]:9000',
    'https://gateway-upstreamproxy-gateway.upstreamproxy.svc.cluster.local:9000',
  ]);
  assert.ok(!('publicOrigins' in JSON.parse(gatewayYaml(await template(least)))));
});

test('the notes say what to do next', async () => {
  const { code, stdout, stderr } = await helm(
    'install',
    'gateway',
    chartFolder,
    '--dry-run=client',
    '--namespace',
    'upstreamproxy',
    '--values',
    valuesFile(least),
  );
  if (code !== 0) assert.match(stderr, /cluster unreachable|connect/i);
  else assert.match(stdout, /It has no policy, so it denies everything/);
});
