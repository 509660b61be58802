// One TLS server for each host and ALPN offer, with that host's leaf: made on demand, kept by use, renewed in time.

import { constants } from 'node:crypto';
import { createServer } from 'node:tls';
import type { Server } from 'node:tls';
import type { LeafIssuer } from '../pki/certificate-authority.ts';
import type { Limits } from '../protocol/limits.ts';
import { MintingRate } from './minting-rate.ts';

interface Entry {
  readonly server: Server;
  readonly renewAtMs: number;
  /** Of the authority that signed: its leaves end when another one follows. */
  readonly signerPem: string | undefined;
}

export interface LeafRequest {
  readonly host: string;
  readonly alpn: readonly string[];
  /** Whose share of the minting rate a new leaf is. */
  readonly owner: string;
  readonly nowMs: number;
}

export interface LeafServersOptions {
  readonly issuer: LeafIssuer;
  readonly limits: Limits;
  /** Called once for each new server, before it sees a connection. */
  readonly prepare: (server: Server) => void;
}

/** A leaf is renewed when this share of its life is over: a third is left for connections and clocks that lag. */
const renewAfterShare = 2 / 3;

/**
 * No tickets: a resumed session would have to be bound to host and principal, and saves a client on this link little.
 * No renegotiation: its only use here is to cost time.
 */
const secureOptions =
  constants.SSL_OP_NO_TICKET | constants.SSL_OP_NO_RENEGOTIATION | constants.SSL_OP_CIPHER_SERVER_PREFERENCE;

/** The servers by least recent use. They never listen: connections are handed in. */
export class LeafServers {
  readonly #options: LeafServersOptions;
  readonly #rate: MintingRate;
  readonly #entries = new Map<string, Entry>();

  constructor(options: LeafServersOptions) {
    this.#options = options;
    this.#rate = new MintingRate(options.limits);
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Throws ProxyError: `limit_exceeded` above `leavesPerSecondMax`, and what the issuer throws. */
  get(request: LeafRequest): Server {
    // A space occurs in no host and in no ALPN name that is offered.
    const key = [request.host, ...request.alpn].join(' ');
    const known = this.#entries.get(key);
    this.#entries.delete(key);
    const isGood = known !== undefined && this.#isGood(known, request.nowMs);
    const entry = isGood ? known : this.#create(request);
    this.#entries.set(key, entry);
    for (const oldest of this.#entries.keys()) {
      if (this.#entries.size <= this.#options.limits.leafContextsMax) break;
      this.#entries.delete(oldest);
    }
    return entry.server;
  }

  clear(): void {
    this.#entries.clear();
  }

  #isGood({ renewAtMs, signerPem }: Entry, nowMs: number): boolean {
    return nowMs < renewAtMs && signerPem === this.#options.issuer.signerPem;
  }

  #create({ host, alpn, owner, nowMs }: LeafRequest): Entry {
    this.#rate.take(owner, nowMs);
    const { issuer } = this.#options;
    const { signerPem } = issuer;
    const leaf = issuer.issue(host, nowMs);
    const { privateKey } = leaf;
    const server = createServer({
      cert: leaf.certificatePem,
      key: typeof privateKey === 'string' ? privateKey : privateKey.export({ type: 'pkcs8', format: 'pem' }),
      minVersion: 'TLSv1.2',
      secureOptions,
      // With an offer, a client that asks only for other protocols gets the alert no_application_protocol.
      ...(alpn.length > 0 ? { ALPNProtocols: [...alpn] } : {}),
    });
    this.#options.prepare(server);
    return { server, renewAtMs: nowMs + (leaf.notAfterMs - nowMs) * renewAfterShare, signerPem };
  }
}
