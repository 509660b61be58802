// A rule that is proposed elsewhere goes to the editor: behind what is written there, or behind the policy as it is where nothing is.

import { type AdminClient, faultText } from '../../api/admin-client.ts';
import { isWritten, type PolicyDraft, withRule } from '../../model/policy-draft.ts';
import { addressOf, go } from '../../parts/location.ts';
import type { OperatorDesk } from '../../parts/operator.ts';
import { begunFrom } from './begin-draft.ts';

/** False: the policy is not at hand, which was said. */
export async function handToDraft(
  { client, draft, say }: Pick<OperatorDesk, 'client' | 'draft' | 'say'>,
  text: string,
  put: typeof withRule = withRule,
): Promise<boolean> {
  try {
    const now = draft.current();
    const base = isWritten(now) ? now : await policyToBegin(client, now.policy);
    draft.change(put(base, text));
    go(addressOf('policy', '', { pane: 'draft' }));
    return true;
  } catch (error) {
    // A rule alone would replace all others: it is no draft of the policy.
    say(`The policy is not at hand: ${faultText(error)}`);
    return false;
  }
}

async function policyToBegin(client: AdminClient, policy: string): Promise<PolicyDraft> {
  const { mode } = await client.get('policy', '/v1/policy');
  return await begunFrom(client, { policy, isStored: mode === 'store' });
}
