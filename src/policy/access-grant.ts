// What an operator granted for a time, and whether it covers a connection or a request.

import { pathFeatures, readingsFor, readPath } from '../http/path-reading.ts';
import type { AccessRequest, Principal } from './decision.ts';

/** A temporary permission for one destination: only what was asked for, as far as the operator went. */
export interface AccessGrant {
  readonly id: string;
  /** One session, or every session of a principal. */
  readonly subject: { readonly sessionId: string } | { readonly principalId: string };
  readonly scheme: 'http' | 'https';
  readonly host: string;
  readonly port: number;
  /** Absent: every method. */
  readonly method?: string;
  /** Canonical. Absent: every path; `below`: whether it stands for what is below it too. */
  readonly path?: { readonly path: string; readonly below: boolean };
  readonly endsMs: number;
}

/** Whether the grant holds for this access at this time. */
export function grantCovers(
  grant: AccessGrant,
  principal: Principal,
  access: AccessRequest,
  nowMs: number,
): boolean {
  const { scheme, host, port } = access.destination;
  if (nowMs >= grant.endsMs || host !== grant.host || port !== grant.port || scheme !== grant.scheme)
    return false;
  const { subject } = grant;
  const isTheirs =
    'sessionId' in subject ? subject.sessionId === principal.sessionId : subject.principalId === principal.id;
  if (!isTheirs) return false;
  if (access.depth === 'connect') return true;
  if (grant.method !== undefined && grant.method !== access.method) return false;
  return grant.path === undefined || pathCovers(grant.path, access.path);
}

/** What may be read in several ways must be covered in all, as for rules. */
function pathCovers({ path, below }: NonNullable<AccessGrant['path']>, asked: string): boolean {
  if (asked === path) return true;
  if (!below || !isBelow(path, asked)) return false;
  return readingsFor(pathFeatures(asked)).every((reading) =>
    isBelow(readPath(path, reading), readPath(asked, reading)),
  );
}

function isBelow(path: string, asked: string): boolean {
  return asked.startsWith(path.endsWith('/') ? path : `${path}/`);
}
