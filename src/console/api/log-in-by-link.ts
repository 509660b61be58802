// Log-in by the link of `run --ui`: its secret is taken out of the address before anything else, and exchanged for a token.

import { linkFragment } from '../../api/admin/link-fragment.ts';
import type { OutputOf } from '../../api/admin/routes.ts';
import { ApiFault, type Fetch, problemOf, responseTimeoutMs } from './admin-client.ts';

/** The secret of an address; undefined where it has none. */
function secretOf(hash: string): string | undefined {
  return hash.startsWith(`#${linkFragment}`) ? hash.slice(linkFragment.length + 1) : undefined;
}

/** Of this page's address, which is without it afterwards. */
export function takeSecret(): string | undefined {
  const secret = secretOf(location.hash);
  if (secret !== undefined) history.replaceState(null, '', `${location.pathname}${location.search}`);
  return secret;
}

/** @throws ApiFault */
export async function exchangeSecret(secret: string, ask: Fetch): Promise<OutputOf<'logIn'>> {
  const response = await ask('/v1/log-in', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ secret }),
    credentials: 'omit',
    cache: 'no-store',
    redirect: 'error',
    signal: AbortSignal.timeout(responseTimeoutMs),
  }).catch((error: unknown) => {
    throw new ApiFault('The gateway cannot be reached.', undefined, error);
  });
  if (!response.ok) throw new ApiFault(await problemOf(response), response.status);
  // As its own gateway sends it.
  return (await response.json()) as OutputOf<'logIn'>;
}
