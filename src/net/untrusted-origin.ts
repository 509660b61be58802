// Why the certificate of an origin was refused, and what helps: more trust helps only where an authority is unknown.

import { ProxyError } from '../protocol/error.ts';

const expiredNext =
  'The owner of the origin has to renew it: no setting of the gateway lets an expired certificate pass. Or the clock of the gateway is wrong, which its operator can see.';
const earlyNext =
  'The clock of the gateway is behind, which its operator can see, or the origin serves a certificate before its time, which its owner has to change.';

/** `origin_untrusted` for what the runtime found wrong in the chain. @param cause as it came from the handshake */
export function untrustedOrigin(host: string, cause: unknown): ProxyError {
  const code = typeof cause === 'object' && cause !== null && 'code' in cause ? cause.code : undefined;
  switch (code) {
    case 'CERT_HAS_EXPIRED': {
      const message = `The certificate of ${host} has expired, or one of its chain.`;
      return new ProxyError('origin_untrusted', message, { cause, next: expiredNext });
    }
    case 'CERT_NOT_YET_VALID': {
      const message = `The certificate of ${host} is not valid yet, or one of its chain.`;
      return new ProxyError('origin_untrusted', message, { cause, next: earlyNext });
    }
    default:
      return new ProxyError('origin_untrusted', `The certificate of ${host} does not verify.`, { cause });
  }
}
