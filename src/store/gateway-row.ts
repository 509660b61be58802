// Rows of gateways and of their identity, the same for every engine.

import { defaultLimits } from '../protocol/limits.ts';
import type { GatewayNote, GatewayPresence, SealedIdentity } from './gateway-store.ts';
import { damagedColumn, integerOf, type StoredRow, textOf } from './stored-row.ts';

const keyNamesForm = /^[0-9a-f]{16}(?: [0-9a-f]{16}){0,7}$/;
const states: ReadonlySet<string> = new Set<GatewayNote['state']>(['serving', 'draining', 'left']);

export function gatewayOf(row: StoredRow): GatewayPresence {
  const state = textOf(row, 'state');
  if (!isState(state)) throw damagedColumn('state');
  return {
    incarnation: textOf(row, 'incarnation'),
    peerAddress: row['peer_address'] === null ? undefined : textOf(row, 'peer_address'),
    state,
    changeSeen: integerOf(row, 'change_seen'),
    identityKeys: keyNamesOf(row['identity_keys']),
    isCurrent: integerOf(row, 'is_current') === 1,
  };
}

/** As they are stored. */
export function keyNamesText(names: readonly string[] | undefined): string | null {
  return names?.join(' ') ?? null;
}

/** What is no list of names says nothing. */
function keyNamesOf(text: unknown): readonly string[] | undefined {
  return typeof text === 'string' && keyNamesForm.test(text) ? text.split(' ') : undefined;
}

/** What is longer is none, and is cut: who writes to the database must not fill the memory of those who read. */
export const sealedCharactersRead = defaultLimits.sealedIdentityBytesMax + 1;

export function sealedIdentityOf(row: StoredRow): SealedIdentity {
  return { version: integerOf(row, 'version'), sealed: textOf(row, 'sealed') };
}

function isState(text: string): text is GatewayNote['state'] {
  return states.has(text);
}
