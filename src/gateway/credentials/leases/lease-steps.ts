// What the audit is told of leases of sessions: never their names at Vault, nor what they gave.

import type { NewLease } from '../../../store/lease-store.ts';
import type { SessionStep } from '../../audit/session-audit.ts';
import type { GivenLease } from './lease-seal.ts';

interface Taken {
  readonly path: string;
  readonly lifetimeMs: number;
  readonly nowMs: number;
}

export function takenStep(
  lease: NewLease,
  given: GivenLease,
  { path, lifetimeMs, nowMs }: Taken,
): SessionStep {
  const { credential } = lease;
  const server = hostOf(given);
  return {
    ...stepOf(lease, 'lease_taken', nowMs),
    message: `The session has a lease of credential ${credential} of its own: ${path} at Vault ${server}.`,
    details: { credential, path, server, seconds: Math.round(lifetimeMs / 1000) },
  };
}

export function givenBackStep(lease: NewLease, given: GivenLease, nowMs: number): SessionStep {
  const message = `The session's lease of credential ${lease.credential} was given back to Vault ${hostOf(given)}.`;
  return { ...stepOf(lease, 'lease_given_back', nowMs), message };
}

/** @param why half a sentence */
export function lostStep(lease: NewLease, why: string, nowMs: number): SessionStep {
  const message = `The session's lease of credential ${lease.credential} cannot be given back: ${why}. Vault ends it at its time.`;
  return { ...stepOf(lease, 'lease_lost', nowMs), message };
}

export function notGivenBackStep(lease: NewLease, why: string, nowMs: number): SessionStep {
  const message = `The lease of credential ${lease.credential} is of a session that is over, or does not use it any more, and was not given back yet: ${why}. The gateway goes on trying until Vault has ended it.`;
  return { ...stepOf(lease, 'lease_not_given_back', nowMs), message };
}

function hostOf({ address }: Pick<GivenLease, 'address'>): string {
  return new URL(address).host;
}

function stepOf(
  { sessionId, principalId, credential }: NewLease,
  action: SessionStep['action'],
  nowMs: number,
): SessionStep {
  return { action, nowMs, sessionId, principal: principalId, details: { credential } };
}
