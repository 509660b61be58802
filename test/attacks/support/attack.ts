// What a case is in code, and the assertions that many of them share.

import assert from 'node:assert/strict';

import type { Limits } from '../../../src/protocol/limits.ts';
import type { Arena, ArenaOptions } from './arena.ts';
import type { Reply } from './responses.ts';

/** How large a case is played: `short` inside `npm test`, `full` in `npm run test:attacks`. */
export type Scale = 'short' | 'full';

export interface Attack extends ArenaOptions {
  readonly run: (arena: Arena, scale: Scale) => Promise<void>;
  /** Instead of those of `limits`, at this scale alone: a limit of time that is waited for, and that a larger case would meet. */
  readonly shortLimits?: Partial<Limits>;
  /** The same attack against a path without us, where it must succeed: proof that it is one. */
  readonly control?: () => Promise<void>;
  /** The case takes the audit away, without which nobody is served, the neighbour no more than others. */
  readonly withoutAudit?: true;
  /** Bound of one response to the neighbour, where the attack itself burns this very process. */
  readonly neighbourMsMax?: number;
  /** Between two questions of the neighbour; default: 5. */
  readonly neighbourPauseMs?: number;
}

/** Thrown by a case that needs what this machine does not have; its message is the reason. */
export class CannotPlayHere extends Error {}

export interface NotApplicable {
  readonly notApplicable: string;
}

export type AttackTable = Readonly<Record<string, Attack['run'] | Attack | NotApplicable>>;

/** The first response is one of the statuses. */
export function responded(reply: Reply, ...statuses: readonly number[]): void {
  assert.ok(
    statuses.includes(reply.status),
    `${reply.status} instead of ${statuses.join(' or ')} (${reply.ending}): ${reply.text.slice(0, 400)}`,
  );
}

/** Refused: one of the statuses, or a connection that ended without any response. */
export function refused(reply: Reply, ...statuses: readonly number[]): void {
  if (reply.bytes.length === 0 && reply.ending !== 'open') return;
  responded(reply, ...(statuses.length === 0 ? [400, 403, 421] : statuses));
}

/** No origin got a request, but for those of one path. */
export function nothingDialled(arena: Arena, except?: string): void {
  const seen = arena.origins.seen.filter(({ host, path }) => host !== 'probe.test' && path !== except);
  assert.deepEqual(seen, []);
}

export function get(host: string, path: string, ...fields: readonly string[]): string {
  return [`GET ${path} HTTP/1.1`, `Host: ${host}`, 'Connection: close', ...fields, '', ''].join('\r\n');
}

export function post(host: string, path: string, fields: readonly string[], body: string): string {
  return [`POST ${path} HTTP/1.1`, `Host: ${host}`, 'Connection: close', ...fields, '', body].join('\r\n');
}
