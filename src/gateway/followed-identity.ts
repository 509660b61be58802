// The operator's certificate of the public port, taken anew when its files change: certificates are renewed by programs that
// know of no restart.

import type { Server } from 'node:https';
import { asProxyError, type ProxyError } from '../protocol/error.ts';
import type { GatewayConfig } from './config/config.ts';
import { openIdentity } from './gateway-identity.ts';
import type { PortPlace } from './identity/identity-places.ts';
import { RepeatedLook } from '../system/repeated-look.ts';

/** Two small files; a renewal has days. */
const lookIntervalMs = 30_000;

export interface FollowedIdentityOptions {
  readonly config: GatewayConfig;
  /** Where it is not in files. */
  readonly port?: PortPlace | undefined;
  /** Serves what it was started with until there is something else. */
  readonly server: Pick<Server, 'setSecureContext'>;
  readonly certificatePem: string;
  readonly clock: () => number;
  readonly log: (level: 'info' | 'error', message: string) => void;
}

/** Looks until it is closed. Connections that stand keep what they began with. */
export class FollowedIdentity implements AsyncDisposable {
  readonly #options: FollowedIdentityOptions;
  readonly #repeated: RepeatedLook;
  #certificatePem: string;
  /** Told once, and again when it is another one. */
  #fault = '';

  constructor(options: FollowedIdentityOptions) {
    this.#options = options;
    this.#certificatePem = options.certificatePem;
    const onFault = (error: ProxyError): void => options.log('error', error.message);
    this.#repeated = new RepeatedLook({ look: () => this.#look(), intervalMs: lookIntervalMs, onFault });
    this.#repeated.start();
    options.port?.watch?.(() => void this.look());
  }

  /** Looks now. */
  look(): Promise<void> {
    return this.#repeated.now();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#repeated.close();
  }

  async #look(): Promise<void> {
    const { config, port, server, clock, log } = this.#options;
    try {
      const { certificatePem, keyPem } = (await openIdentity(config, { port }, clock())).identity;
      this.#fault = '';
      if (certificatePem === this.#certificatePem) return;
      server.setSecureContext({ cert: certificatePem, key: keyPem, minVersion: 'TLSv1.2' });
      this.#certificatePem = certificatePem;
      log('info', 'the certificate of the public port was taken anew');
    } catch (error) {
      // The one file may be there before the other.
      const { message } = asProxyError(error);
      if (message === this.#fault) return;
      this.#fault = message;
      log('error', `${message}; the certificate of before is served on`);
    }
  }
}
