// Who is told that the authority that intercepts comes to its end: from a third of its life before, once a day until it is renewed.

import type { PublishedAuthority } from '../pki/certificate-authority.ts';
import { asProxyError } from '../protocol/error.ts';
import { RepeatedLook } from '../system/repeated-look.ts';
import type { SessionAudit } from './audit/session-audit.ts';
import type { Start } from './gateway-start.ts';

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
/** A root of our own is for ten years, a third of which would be an alarm that nobody heeds. */
const rootToldBeforeMs = 90 * dayMs;

type Expiring = Pick<
  PublishedAuthority,
  'notBeforeMs' | 'notAfterMs' | 'signerPem' | 'certificatesPem' | 'renewsItself'
>;

/** From when on it is told. */
function toldFromMs({ notBeforeMs, notAfterMs, signerPem, certificatesPem }: Expiring): number {
  const third = (notAfterMs - notBeforeMs) / 3;
  // What is published is a root.
  const isRoot = certificatesPem.includes(signerPem);
  return notAfterMs - (isRoot ? Math.min(third, rootToldBeforeMs) : third);
}

/** What an operator has to know and do; undefined while there is time. */
export function expiryMessage(authority: Expiring, nowMs: number): string | undefined {
  if (nowMs < toldFromMs(authority)) return undefined;
  const { notAfterMs, signerPem, certificatesPem } = authority;
  const days = Math.max(0, Math.floor((notAfterMs - nowMs) / dayMs));
  const end = new Date(notAfterMs).toISOString();
  const todo =
    authority.renewsItself === true
      ? 'it should have been renewed by itself, and the log says why it was not'
      : certificatesPem.includes(signerPem)
        ? 'make the next one by "upstreamproxy ca next"'
        : 'have another one signed by "upstreamproxy ca request" and "upstreamproxy ca install"';
  return `the authority that intercepts ends on ${end}, in ${days} days, and clients trust nothing of it from then on: ${todo}`;
}

export interface AuthorityExpiryOptions extends Pick<Start, 'clock' | 'log' | 'onFault' | 'isOnDuty'> {
  readonly authority: Expiring;
  readonly record: SessionAudit['record'];
}

/** Looks each hour, and at once. */
export function openAuthorityExpiry(options: AuthorityExpiryOptions): RepeatedLook {
  const { authority, clock, log, onFault, isOnDuty, record } = options;
  let toldMs = Number.NEGATIVE_INFINITY;
  const repeated = new RepeatedLook({
    look: async () => {
      const nowMs = clock();
      const message = expiryMessage(authority, nowMs);
      if (message === undefined || nowMs - toldMs < dayMs || !isOnDuty()) return;
      toldMs = nowMs;
      log('warn', message);
      await record({ action: 'authority_expiring', nowMs, message });
    },
    intervalMs: hourMs,
    firstMs: 0,
    onFault: (error) => onFault(asProxyError(error)),
  });
  repeated.start();
  return repeated;
}
