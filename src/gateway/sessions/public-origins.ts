// The origins under which agents reach the gateway. A proof of possession names one of them (RFC 9449 §4.3), so that a proof which was
// made for somebody else is none here: what the field Host says is compared, and never believed.

import { formatAuthority } from '../../http/authority.ts';
import { ProxyError } from '../../protocol/error.ts';

export interface PublicOriginsOptions {
  /** As the operator wrote them; then they are all. */
  readonly publicOrigins?: readonly string[] | undefined;
  readonly publicNames: readonly string[];
}

/** The usual port: a balancer in front of the gateway listens there. */
const httpsPort = 443;

export class PublicOrigins {
  readonly #names: readonly string[];
  #all: readonly string[];

  /** @throws ProxyError config_invalid for an empty list, under which no agent could be served */
  constructor({ publicOrigins, publicNames }: PublicOriginsOptions) {
    if ((publicOrigins ?? publicNames).length === 0)
      throw new ProxyError(
        'config_invalid',
        'publicOrigins: write the origins under which agents reach the gateway',
      );
    this.#names = publicOrigins === undefined ? publicNames : [];
    this.#all = publicOrigins ?? [];
  }

  get all(): readonly string[] {
    return this.#all;
  }

  /** Known only once the port is open. */
  listensAt(port: number): void {
    if (this.#names.length === 0) return;
    const ports = [...new Set([port, httpsPort])];
    this.#all = this.#names.flatMap((host) => ports.map((one) => originOf(host, one)));
  }
}

function originOf(host: string, port: number): string {
  return new URL(`https://${formatAuthority({ host, port })}`).origin;
}
