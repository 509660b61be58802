// What tells one policy from another.

import { createHash } from 'node:crypto';
import { entriesNamed } from '../../policy/catalog/expand-rules.ts';
import type { YamlSource } from '../../policy/yaml-source.ts';

/**
 * Of what the files say, what was discovered, and the entries of the catalogue as this release has them; not of where the files are: a
 * policy is checked elsewhere than it serves.
 */
export function versionOf(
  sources: readonly YamlSource[],
  discovered: ReadonlyMap<string, unknown> = new Map(),
): string {
  return createHash('sha256')
    .update(JSON.stringify([sources.map(({ text }) => text), [...discovered], ...entriesNamed(sources)]))
    .digest('hex')
    .slice(0, 12);
}

/** Of several policies with what binds them, and of those that cannot be read, in whatever order they come. */
export function versionOfAll(
  policies: readonly {
    readonly name: string;
    readonly binding?: unknown;
    readonly policy: { readonly version: string };
  }[],
  unread: readonly { readonly name: string; readonly binding?: unknown }[] = [],
): string {
  const parts = policies
    .map(({ name, binding = null, policy }) => [name, binding, policy.version] as const)
    .toSorted(([a], [b]) => (a < b ? -1 : 1));
  const others = unread
    .map(({ name, binding = null }) => [name, binding] as const)
    .toSorted(([a], [b]) => (a < b ? -1 : 1));
  const text = JSON.stringify(others.length === 0 ? parts : [parts, others]);
  return createHash('sha256').update(text).digest('hex').slice(0, 12);
}
