// Policies that decided, kept by the version that events name: so that a decision can be explained when the policy is another one.

import { BoundPolicies, mainName, type NamedPolicy, type UnreadPolicy } from '../../policy/bound-policies.ts';
import type { CompiledPolicy } from '../../policy/compiled-policy.ts';
import type { ParsePolicyResult } from '../../policy/parse-policy.ts';
import type { YamlSource } from '../../policy/yaml-source.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import type { PolicyBinding, PolicyStore, PolicyText } from '../../store/policy-store.ts';
import { versionOf } from './policy-version.ts';
import { type HeldPolicy, publishedPlace } from './published-policies.ts';

/** What stands in the store. Texts of published policies are there already. */
type KeptContent =
  | { readonly files: readonly PolicyText[] }
  | { readonly published: readonly KeptPublished[]; readonly unread?: readonly UnreadPolicy[] };

interface KeptPublished {
  readonly policy: string;
  readonly number: number;
  readonly hash: string;
  readonly binding?: PolicyBinding;
}

interface Keeping {
  readonly store: PolicyStore;
  readonly version: string;
  readonly nowMs: number;
}

/** Keeps the files of a policy. One whose version is not of its files alone (`discover`) cannot be read again, and is not kept. */
export async function keepFiles(keeping: Keeping, sources: readonly YamlSource[]): Promise<void> {
  if (sources.length === 0 || versionOf(sources) !== keeping.version) return;
  await keep(keeping, { files: sources.map(({ file, text }) => ({ name: file, text })) });
}

/** Keeps which published versions decided together. */
export async function keepPublished(
  keeping: Keeping,
  { held, unread }: { readonly held: readonly HeldPolicy[]; readonly unread: readonly UnreadPolicy[] },
): Promise<void> {
  const published = held.flatMap(({ version: { policy, number, hash, binding }, policy: compiled }) =>
    compiled === undefined
      ? []
      : [binding === undefined ? { policy, number, hash } : { policy, number, hash, binding }],
  );
  if (published.length > 0) await keep(keeping, unread.length === 0 ? { published } : { published, unread });
}

async function keep({ store, version, nowMs }: Keeping, content: KeptContent): Promise<void> {
  const { policiesKeptMax: keptMax } = defaultLimits;
  await store.keep({ version, content: JSON.stringify(content), seenMs: nowMs }, { keptMax });
}

/** The policy of that version, or undefined if it is not kept or cannot be read any more. */
export async function readKept(
  store: PolicyStore,
  version: string,
  read: (sources: readonly YamlSource[]) => Promise<ParsePolicyResult>,
): Promise<CompiledPolicy | BoundPolicies | undefined> {
  const kept = await store.kept(version);
  if (kept === undefined) return undefined;
  // Written by `keep` alone.
  const content = JSON.parse(kept.content) as KeptContent;
  if ('files' in content) {
    const result = await read(content.files.map(({ name, text }) => ({ file: name, text })));
    return 'problems' in result ? undefined : result.policy;
  }
  const policies: NamedPolicy[] = [];
  for (const { policy: name, number, hash, binding } of content.published) {
    const files = await store.files(hash);
    const place = publishedPlace({ policy: name, number });
    const sources = files?.map((file) => ({ file: `${place}/${file.name}`, text: file.text }));
    const result = sources === undefined ? undefined : await read(sources);
    if (result === undefined || 'problems' in result) return undefined;
    policies.push({ name, binding, policy: result.policy });
  }
  const [first] = policies;
  const { unread = [] } = content;
  if (unread.length === 0 && policies.length === 1 && first?.name === mainName) return first.policy;
  return new BoundPolicies(version, policies, unread);
}
