// All cases: the table of texts, and the code that plays each of them.

import { readFileSync } from 'node:fs';

import { controls } from './controls.ts';
import { address } from './groups/address.ts';
import { agentSide, ca } from './groups/agent-side.ts';
import { auditFlood } from './groups/audit-flood.ts';
import { audit } from './groups/audit.ts';
import { authority } from './groups/authority.ts';
import { cacheTenant } from './groups/cache-tenant.ts';
import { credential } from './groups/credential.ts';
import { exhaustion } from './groups/exhaustion.ts';
import { fairShares } from './groups/fair-shares.ts';
import { h1Framing } from './groups/h1-framing.ts';
import { heldOctets } from './groups/held-octets.ts';
import { http2Dos } from './groups/http2-dos.ts';
import { linearWork } from './groups/linear-work.ts';
import { matching } from './groups/matching.ts';
import { method } from './groups/method.ts';
import { nameConstraints } from './groups/name-constraints.ts';
import { ownNames } from './groups/own-names.ts';
import { path } from './groups/path.ts';
import { pushOptions } from './groups/push-options.ts';
import { reading } from './groups/reading.ts';
import { response } from './groups/response.ts';
import { scrub } from './groups/scrub.ts';
import { sessionToken } from './groups/session-token.ts';
import { tls } from './groups/tls.ts';
import { tunnelUpgrade } from './groups/tunnel-upgrade.ts';
import { unreadBody } from './groups/unread-body.ts';
import { workers } from './groups/workers.ts';
import type { AttackTable } from './support/attack.ts';

export interface CaseText {
  readonly id: string;
  readonly group: string;
  readonly title: string;
  readonly send: string;
  readonly expected: string;
}

/** What is attacked, what is sent, and what is expected. */
export const cases: readonly CaseText[] = JSON.parse(
  readFileSync(new URL('cases.json', import.meta.url), 'utf8'),
) as CaseText[]; // Written by hand in this very form.

const played: AttackTable = {
  ...authority,
  ...address,
  ...matching,
  ...h1Framing,
  ...path,
  ...reading,
  ...method,
  ...credential,
  ...tls,
  ...tunnelUpgrade,
  ...response,
  ...scrub,
  ...http2Dos,
  ...exhaustion,
  ...sessionToken,
  ...cacheTenant,
  ...audit,
  ...agentSide,
  ...ca,
  ...auditFlood,
  ...fairShares,
  ...heldOctets,
  ...linearWork,
  ...nameConstraints,
  ...ownNames,
  ...pushOptions,
  ...unreadBody,
  ...workers,
};

/** How each case is played, with its control where there is one. */
export const attacks: AttackTable = Object.fromEntries(
  Object.entries(played).map(([id, entry]) => {
    const control = controls[id];
    if (control === undefined || (typeof entry !== 'function' && 'notApplicable' in entry))
      return [id, entry];
    return [id, typeof entry === 'function' ? { run: entry, control } : { ...entry, control }];
  }),
);
