// What GitLab makes of a component (docs.gitlab.com/ci/yaml/#spec): the inputs checked and put in, the job's scripts as one shell each.

import { parseAllDocuments } from 'yaml';

interface InputSpec {
  readonly default?: string | boolean;
  readonly type?: 'string' | 'boolean' | 'number' | 'array';
  readonly description?: string;
}

export interface ComponentJob {
  readonly variables: Readonly<Record<string, string>>;
  readonly id_tokens: Readonly<Record<string, { readonly aud: string }>>;
  readonly before_script: readonly string[];
  readonly after_script: readonly string[];
  readonly artifacts: { readonly when: string; readonly paths: readonly string[] };
}

const place = /\$\[\[\s*inputs\.([\w-]+)\s*\]\]/g;

/** The inputs that the text uses, and those that it defines. */
export function componentInputs(text: string): {
  readonly used: ReadonlySet<string>;
  readonly specs: Readonly<Record<string, InputSpec>>;
} {
  const [head] = parseAllDocuments(text);
  const { spec } = head!.toJS() as {
    readonly spec: { readonly inputs: Readonly<Record<string, InputSpec>> };
  };
  return { used: new Set([...text.matchAll(place)].map(([, name = '']) => name)), specs: spec.inputs };
}

/** The jobs of the component with these inputs. Throws as GitLab refuses it. */
export function includeComponent(
  text: string,
  inputs: Readonly<Record<string, string | boolean>>,
): Readonly<Record<string, ComponentJob>> {
  const { specs } = componentInputs(text);
  for (const name of Object.keys(inputs))
    if (specs[name] === undefined) throw new Error(`unknown input ${name}`);
  const body = text.slice(text.indexOf('\n---\n') + 5);
  // As text, before YAML is read again.
  const filled = body.replaceAll(place, (_, name: string) => {
    const spec = specs[name];
    const value = inputs[name] ?? spec?.default;
    if (value === undefined) throw new Error(`${name} has no value`);
    if (typeof value !== (spec?.type ?? 'string')) throw new Error(`${name} is no ${spec?.type ?? 'string'}`);
    return String(value);
  });
  const [document, ...others] = parseAllDocuments(filled);
  if (document === undefined || others.length > 0 || document.errors.length > 0)
    throw new Error('not one document');
  return document.toJS() as Readonly<Record<string, ComponentJob>>;
}
