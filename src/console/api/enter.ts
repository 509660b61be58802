// The ways in: a token, or the session that a browser has from a log-in. Each gives who it is, and a client that asks as them.

import type { OutputOf } from '../../api/admin/routes.ts';
import { AdminClient, type Entrance, type Fetch } from './admin-client.ts';

export interface LoggedIn {
  readonly client: AdminClient;
  readonly who: OutputOf<'who'>;
}

interface EntranceNeeds {
  readonly fetch: Fetch;
  readonly isAttended: () => boolean;
  /** Told why, when they are known no longer. */
  readonly leave: (why: string) => void;
}

/** @throws ApiFault */
export async function enterByToken(token: string, needs: EntranceNeeds): Promise<LoggedIn> {
  const client = openClient(
    { by: 'token', token },
    needs,
    'The token is not known, has expired, or was revoked.',
  );
  return { client, who: await client.get('who', '/v1/who') };
}

/** Whether there is a session only the gateway knows: no page can read its cookie. @throws ApiFault */
export async function enterBySession(needs: EntranceNeeds): Promise<LoggedIn> {
  const probe = openClient({ by: 'session', csrf: '' }, { ...needs, leave: () => undefined }, '');
  const who = await probe.get('who', '/v1/who');
  const why = 'The session has ended. Log in again, and this view is there as it was.';
  return { client: openClient({ by: 'session', csrf: who.csrf ?? '' }, needs, why), who };
}

function openClient(entrance: Entrance, { leave, ...needs }: EntranceNeeds, why: string): AdminClient {
  return new AdminClient({ ...needs, entrance, onUnknown: () => leave(why) });
}

/** Gives where a person logs out of the identity provider, too. A token is only forgotten. */
export async function endSession({ client, who }: LoggedIn): Promise<string | undefined> {
  if (who.by !== 'oidc') return undefined;
  try {
    const { providerLogOut } = await client.post('logOut', '/v1/log-out');
    return providerLogOut?.startsWith('https://') === true ? providerLogOut : undefined;
  } catch {
    // It has ended already, or ends by its time: nothing of it stays in this page.
    return undefined;
  }
}
