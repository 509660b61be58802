// The authority that intercepts, with a certificate that somebody else signs: its request and what was signed, in its folder or in the store.

import type { GatewayConfig } from '../../gateway/config/config.ts';
import { interceptionFolder } from '../../gateway/identity/identity-places.ts';
import { installedAuthority, requestedAuthority } from '../../gateway/identity/identity-rotation.ts';
import {
  type InstalledAuthority,
  installAuthority,
  requestAuthority,
  type RequestOptions,
} from '../../pki/authority-request.ts';
import { authorityRequest } from '../../pki/certificate-request.ts';
import { splitPemCertificates } from '../../pki/pem.ts';
import { ProxyError } from '../../protocol/error.ts';
import { keyFilesOf, withSealed } from './identity-access.ts';

export interface AuthorityRequests {
  /** PEM of the request. `isAnew`: for another key than the one that waits. */
  request(options: RequestOptions): Promise<string>;
  install(certificates: readonly string[], nowMs: number): Promise<InstalledAuthority>;
}

export function requestsOf(config: GatewayConfig): AuthorityRequests {
  return config.identity.kind === 'store' ? storedRequests(config) : fileRequests(config);
}

function fileRequests(config: GatewayConfig): AuthorityRequests {
  const folder = interceptionFolder(config, keyFilesOf(config));
  return {
    request: (options) => requestAuthority(folder, options),
    install: (certificates, nowMs) => installAuthority(folder, certificates, nowMs),
  };
}

function storedRequests(config: GatewayConfig): AuthorityRequests {
  const { names } = config.certificateAuthority;
  return {
    request: async ({ isAnew = false, commonName }) => {
      const change = requestedAuthority('interception', isAnew);
      const changed = await withSealed(config, (sealed) => sealed.change(change));
      const key = changed?.document.authorities.interception.requested;
      if (key === undefined) throw new ProxyError('internal', 'no key waits for a certificate');
      return authorityRequest(key, { commonName, names });
    },
    install: async (certificates, nowMs) => {
      const change = installedAuthority('interception', certificates, { nowMs, names });
      const changed = await withSealed(config, (sealed) => sealed.change(change));
      const { next, certificates: [first = ''] = [] } = changed?.document.authorities.interception ?? {};
      return next === undefined
        ? { installed: 'signs', ownPem: first }
        : { installed: 'published', ownPem: splitPemCertificates(next.certificate)[0] ?? '' };
    },
  };
}
