// What Kubernetes, the Prometheus Operator and the External Secrets Operator would say of a manifest, by packages of npm: `kubernetes-models` has
// their schemas as validators, which let unknown fields pass, and the client of Kubernetes knows the fields.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Manifest } from './helm.ts';

const folder = process.env['TEST_CHART_TOOLS'] ?? '/nonexistent';

/** Groups that are no part of Kubernetes, with the package that has their models. */
const operators: Readonly<Record<string, string>> = {
  'monitoring.coreos.com': '@kubernetes-models/prometheus-operator',
  'external-secrets.io': '@kubernetes-models/external-secrets',
};

interface Attribute {
  readonly baseName: string;
  readonly type: string;
}

interface ClientModel {
  readonly attributeTypeMap?: readonly Attribute[];
  getAttributeTypeMap?(): readonly Attribute[];
}

type ClientModels = Readonly<Record<string, ClientModel | undefined>>;

let client: Promise<ClientModels> | undefined;

/** From the packages that the command fetched: what they export is looked at where it is used. */
const load = (file: string) => import(pathToFileURL(join(folder, 'node_modules', file)).href);

/** Path of the group as the packages have it: `v1`, `apps/v1`, `monitoring.coreos.com/v1`. */
function placeOf(apiVersion: string): string {
  const [group = ''] = apiVersion.split('/');
  const own = operators[group];
  return own === undefined ? `kubernetes-models/${apiVersion}` : `${own}/${apiVersion}`;
}

export function isOfOperator({ apiVersion }: Manifest): boolean {
  return operators[String(apiVersion).split('/')[0] ?? ''] !== undefined;
}

/** The module that has a manifest's type for TypeScript, and the name of the type. */
export function typeOf({ apiVersion, kind }: Manifest): { readonly module: string; readonly name: string } {
  return { module: placeOf(apiVersion), name: `I${kind}` };
}

/** Throws with what is wrong. */
export async function validate(manifest: Manifest): Promise<void> {
  const { apiVersion, kind } = manifest;
  const models = await load(`${placeOf(apiVersion)}/index.js`);
  const Model = models[kind];
  assert.ok(Model !== undefined, `${apiVersion} ${kind} is not known`);
  new Model(manifest).validate();
}

/** Paths of fields that Kubernetes does not know; its server would drop them, or refuse them where it is strict. */
export async function unknownFields(manifest: Manifest): Promise<readonly string[]> {
  client ??= load('@kubernetes/client-node/dist/index.js');
  const models = await client;
  const [version = ''] = String(manifest['apiVersion']).split('/').slice(-1);
  const name = `${version[0]?.toUpperCase()}${version.slice(1)}${manifest['kind']}`;
  assert.ok(models[name] !== undefined, `${name} is not known`);
  return unknownIn(models, name, manifest, manifest['kind']);
}

function unknownIn(models: ClientModels, type: string, value: unknown, path: string): readonly string[] {
  const [, item] = /^Array<(.*)>$/.exec(type) ?? [];
  if (item !== undefined) {
    if (!Array.isArray(value)) return [`${path} is no list`];
    return value.flatMap((one, index) => unknownIn(models, item, one, `${path}[${index}]`));
  }
  const [, ofMap] = /^\{ \[key: string\]: (.*); \}$/.exec(type) ?? [];
  const isMap = typeof value === 'object' && value !== null && !Array.isArray(value);
  if (ofMap !== undefined) {
    if (!isMap) return [`${path} is no map`];
    return Object.entries(value).flatMap(([key, one]) => unknownIn(models, ofMap, one, `${path}.${key}`));
  }
  const model = models[type];
  const attributes = model?.getAttributeTypeMap?.() ?? model?.attributeTypeMap;
  if (attributes === undefined) return [];
  if (!isMap) return [`${path} is no map`];
  return Object.entries(value).flatMap(([key, one]) => {
    const known = attributes.find(({ baseName }) => baseName === key);
    return known === undefined ? [`${path}.${key}`] : unknownIn(models, known.type, one, `${path}.${key}`);
  });
}
