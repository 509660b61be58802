// What a draft is begun from: the published version of its policy, or the files that are in force.

import type { OutputOf } from '../../../api/admin/routes.ts';
import { type AdminClient, segment } from '../../api/admin-client.ts';
import { emptyDraft, type PolicyDraft } from '../../model/policy-draft.ts';

type Published = OutputOf<'publishedPolicy'>;

/** An empty draft where nothing is there. @throws ApiFault */
export async function begunFrom(
  client: AdminClient,
  { policy, isStored }: { readonly policy: string; readonly isStored: boolean },
): Promise<PolicyDraft> {
  const head = isStored ? await headOf(client, policy) : undefined;
  const files = isStored ? (head?.files ?? []) : (await client.get('policyText', '/v1/policy/text')).files;
  return {
    ...emptyDraft,
    policy,
    files: files.length === 0 ? emptyDraft.files : files.map(({ name, text }) => ({ name, text })),
    seen: isStored ? (head?.number ?? 0) : undefined,
    forWhom: Object.entries(head?.for ?? {})
      .map(([claim, value]) => `${claim}=${String(value)}`)
      .join(', '),
  };
}

/** @throws ApiFault */
export async function headOf(client: AdminClient, policy: string): Promise<Published | undefined> {
  const query = { policy, count: '1' };
  const { items } = await client.get('policyHistory', '/v1/policy/history', { query });
  if (items.length === 0) return undefined;
  return await client.get('publishedPolicy', `/v1/policy/published/${segment(policy)}`);
}
