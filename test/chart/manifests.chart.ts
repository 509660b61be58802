// Every manifest of the chart, of deploy/kubernetes and of the guides is one that Kubernetes takes: by the schemas of its own and of the
// operators', with every field known.

import assert from 'node:assert/strict';
import { readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { runCommand } from '../support/command.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { findTool, skipWithout } from '../support/tools.ts';
import {
  gateways,
  least,
  type Manifest,
  manifestsOf,
  one,
  template,
  tryTemplate,
  type Values,
} from './support/helm.ts';
import { isOfOperator, typeOf, unknownFields, validate } from './support/kubernetes-schemas.ts';
import { allSets, joined, namedSets } from './support/value-sets.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const seed = Number(process.env['CHART_SEED'] ?? 20_261_127);

async function check(name: string, manifests: readonly Manifest[]): Promise<void> {
  for (const manifest of manifests) {
    const what = `${name}: ${manifest['kind']} ${manifest['metadata'].name}`;
    await validate(manifest).catch((error: unknown) => assert.fail(`${what}: ${String(error)}`));
    if (!isOfOperator(manifest)) assert.deepEqual(await unknownFields(manifest), [], what);
  }
  const names = manifests.map(({ kind, metadata }) => `${kind} ${metadata.namespace} ${metadata.name}`);
  assert.equal(new Set(names).size, names.length, `${name}: a name stands twice`);
}

test('every manifest of every set of values is valid, and has no unknown field', async () => {
  const kinds = new Set<string>();
  let seen = 0;
  for (const [name, values] of allSets(seed, 60)) {
    const manifests = await template(values);
    await check(name, manifests);
    seen += manifests.length;
    for (const { kind } of manifests) kinds.add(kind);
  }
  assert.ok(seen > 600, `${seen} manifests`);
  assert.deepEqual([...kinds].toSorted(), [
    'ClusterRoleBinding',
    'ConfigMap',
    'Deployment',
    'ExternalSecret',
    'HorizontalPodAutoscaler',
    'Job',
    'NetworkPolicy',
    'Pod',
    'PodDisruptionBudget',
    'PrometheusRule',
    'Service',
    'ServiceAccount',
    'ServiceMonitor',
    'StatefulSet',
  ]);
});

test('the manifests of deploy/kubernetes are valid, and have no unknown field', async () => {
  const files = await readdir(join(root, 'deploy/kubernetes'));
  assert.ok(files.length >= 3);
  for (const file of files)
    await check(file, manifestsOf(await readFile(join(root, 'deploy/kubernetes', file), 'utf8')));
});

/** Blocks of YAML of a document. */
async function blocksOf(document: string): Promise<readonly string[]> {
  const text = await readFile(join(root, 'docs', document), 'utf8');
  return [...text.matchAll(/^```yaml\n(.*?)^```$/gms)].map(([, block = '']) => block);
}

test('the manifests of the guides are valid, and have no unknown field', async () => {
  for (const guide of ['guides/kubernetes.md', 'guides/several-gateways.md']) {
    const manifests = (await blocksOf(guide))
      .filter((block) => /^kind: /m.test(block))
      .flatMap((block) => manifestsOf(block));
    assert.ok(manifests.length >= 3, guide);
    await check(guide, manifests);
  }
});

test('the values of the guide give what the guide says', async () => {
  const blocks = await blocksOf('guides/kubernetes.md');
  const valuesOf = (name: string): Values => {
    const block = blocks.find((each) => each.startsWith(`# ${name}\n`)) ?? assert.fail(name);
    return manifestsOf(block)[0]!;
  };
  const single = await template(valuesOf('values.yaml'));
  assert.equal(gateways(single)['metadata'].name, 'gateway');
  assert.equal(
    one(single, 'ConfigMap', '-policy')['data']['policy.yaml'].split('\n')[0],
    'for: { sub: "system:serviceaccount:builds:*" }',
  );
  const several = await template(joined(valuesOf('values.yaml'), valuesOf('values-postgres.yaml')));
  assert.deepEqual(
    [gateways(several)['kind'], one(several, 'HorizontalPodAutoscaler')['spec'].minReplicas],
    ['StatefulSet', 3],
  );
  await check('guide', [...single]);
  await check('guide', [...several]);
});

test('the values of the reference are such as the chart takes', async () => {
  // What begins with a comment is for another program.
  const blocks = (await blocksOf('reference/chart.md')).filter((block) => !block.startsWith('#'));
  assert.ok(blocks.length >= 2);
  for (const block of blocks) await check(block, await template(joined(least, manifestsOf(block)[0]!)));
});

test('the check finds a field of a wrong type, one that is missing, and one that nobody knows', async () => {
  const manifests = await template(least);
  const broken = (change: (spec: Manifest) => void): Manifest => {
    const copy = structuredClone(gateways(manifests));
    change(copy['spec']);
    return copy;
  };
  await assert.rejects(validate(broken((spec) => (spec['replicas'] = 'two'))));
  await assert.rejects(validate(broken((spec) => delete spec['selector'])));
  await assert.rejects(validate(broken((spec) => delete spec['template'].spec.containers[0].name)));
  const field = broken((spec) => (spec['template'].spec.containers[0].livenesProbe = {}));
  assert.deepEqual(await unknownFields(field), ['StatefulSet.spec.template.spec.containers[0].livenesProbe']);
  const deep = broken((spec) => (spec['template'].spec.containers[0].livenessProbe.httpGet.protocol = 'x'));
  assert.equal((await unknownFields(deep)).length, 1);
});

test('the manifests for operators have no unknown field, as the compiler sees it', async () => {
  const sets = namedSets();
  const manifests = (await template(joined(sets.get('monitoring')!, sets.get('external')!))).filter(
    isOfOperator,
  );
  assert.equal(manifests.length, 4);
  await using directory = await temporaryDirectory();
  const tools = process.env['TEST_CHART_TOOLS'] ?? '';
  await symlink(join(tools, 'node_modules'), join(directory.path, 'node_modules'));
  const source = (all: readonly Manifest[]): string =>
    all
      .map((manifest, index) => {
        const { module, name } = typeOf(manifest);
        return `import type { ${name} as T${index} } from '${module}';\nexport const v${index}: T${index} = ${JSON.stringify(manifest)};\n`;
      })
      .join('');
  const compile = async (text: string): Promise<readonly [number | null, string]> => {
    await writeFile(join(directory.path, 'manifests.ts'), text);
    const options = ['--noEmit', '--strict', '--skipLibCheck', '--module', 'nodenext', '--types', ''];
    const { code, stdout } = await runCommand(
      join(root, 'node_modules/.bin/tsc'),
      [...options, 'manifests.ts'],
      { cwd: directory.path },
    );
    return [code, stdout];
  };
  assert.deepEqual(await compile(source(manifests)), [0, '']);
  const broken = structuredClone(manifests);
  broken.find(({ kind }) => kind === 'ServiceMonitor')!['spec'].endpoints[0].intervall = '1s';
  broken.find(({ kind }) => kind === 'ExternalSecret')!['spec'].data[0].remoteRef.proprety = 'x';
  const [code, said] = await compile(source(broken));
  assert.notEqual(code, 0);
  assert.match(said, /'intervall' does not exist|intervall/);
  assert.match(said, /proprety/);
});

test('kubeconform finds nothing', { skip: skipWithout('kubeconform') }, async () => {
  const sets = namedSets();
  const { stdout: input } = await tryTemplate(
    joined(sets.get('owned')!, sets.get('scaled')!, sets.get('admin')!),
  );
  const { code, stdout } = await runCommand(
    findTool('kubeconform') ?? '',
    ['-strict', '-summary', '-ignore-missing-schemas', '-'],
    { input },
  );
  assert.equal(code, 0, stdout);
});
