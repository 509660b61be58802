// The real Helm, with the chart of this checkout.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseAllDocuments } from 'yaml';
import { type CommandResult, runCommand } from '../../support/command.ts';

export const chartFolder = fileURLToPath(new URL('../../../deploy/chart', import.meta.url));

export type Values = Readonly<Record<string, unknown>>;

/** A document that Kubernetes would get, as a reader of JSON gives it: what is looked at is said by the test. */
export type Manifest = Record<string, ReturnType<typeof JSON.parse>>;

/** Nothing but what has no default. */
export const least: Values = { image: { repository: 'images.example.com/upstreamproxy-gateway' } };

const home = mkdtempSync(join(tmpdir(), 'upstreamproxy-helm-'));
process.on('exit', () => rmSync(home, { recursive: true, force: true }));
let files = 0;

export async function helm(...args: readonly string[]): Promise<CommandResult> {
  const program = process.env['TEST_CHART_HELM'];
  assert.ok(program !== undefined, 'npm run test:chart sets TEST_CHART_HELM');
  // Nothing of the user's: no plugins, no repositories, no cluster.
  const env = { PATH: '/nonexistent', HOME: home, KUBECONFIG: '/nonexistent' };
  return await runCommand(program, args, { env });
}

/** JSON is YAML, and nothing is written twice in it. What YAML 1.1 takes for a line break is escaped, as its writer would. */
export function valuesFile(values: Values): string {
  const path = join(home, `values-${(files += 1)}.json`);
  const escaped = JSON.stringify(values).replaceAll(
    /[\u007f-\u009f\u2028\u2029\ufeff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  writeFileSync(path, escaped);
  return path;
}

export interface Release {
  readonly name?: string;
  readonly namespace?: string;
}

export async function tryTemplate(values: Values, release: Release = {}): Promise<CommandResult> {
  const { name = 'gateway', namespace = 'upstreamproxy' } = release;
  return await helm('template', name, chartFolder, '--namespace', namespace, '--values', valuesFile(values));
}

/** What Kubernetes would get. A key that stands twice in a map fails. */
export async function template(values: Values, release: Release = {}): Promise<readonly Manifest[]> {
  const { code, stdout, stderr } = await tryTemplate(values, release);
  assert.equal(code, 0, stderr);
  return manifestsOf(stdout);
}

export function manifestsOf(text: string): readonly Manifest[] {
  // As Kubernetes and Helm read YAML.
  const documents = parseAllDocuments(text, { version: '1.1' });
  return documents.flatMap((document) => {
    assert.deepEqual([...document.errors, ...document.warnings].map(String), [], text);
    const manifest = document.toJS() as Manifest | null;
    return manifest === null ? [] : [manifest];
  });
}

/** The one of this kind, and of this end of its name. */
export function one(manifests: readonly Manifest[], kind: string, end = ''): Manifest {
  const found = manifests.filter((each) => each['kind'] === kind && each['metadata'].name.endsWith(end));
  assert.equal(found.length, 1, `${found.length} of ${kind} ${end}`);
  return found[0]!;
}

export function gatewayYaml(manifests: readonly Manifest[]): string {
  return one(manifests, 'ConfigMap', '-configuration')['data']['gateway.yaml'];
}

/** The StatefulSet or Deployment. */
export function gateways(manifests: readonly Manifest[]): Manifest {
  const found = manifests.filter(({ kind }) => kind === 'StatefulSet' || kind === 'Deployment');
  assert.equal(found.length, 1);
  return found[0]!;
}
