// One TLS server for each host and ALPN offer, with that host's leaf: made on demand, kept by use, renewed in time.

import { constants } from 'node:crypto';
import { createServer } from 'node:tls';
import type { Server } from 'node:tls';
import type { Leaf, LeafIssuer } from '../pki/certificate-authority.ts';
import { serverCiphers } from '../pki/server-ciphers.ts';
import type { Limits } from '../protocol/limits.ts';
import { MintingRate } from './minting-rate.ts';

interface Entry {
  readonly server: Server;
  readonly renewAtMs: number;
  readonly notAfterMs: number;
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

/** What is left of a leaf that serves on because there is no other: a client may be slow, and its clock ahead. */
const lastUseBeforeMs = 60_000;

/** The servers by least recent use. They never listen: connections are handed in. */
export class LeafServers {
  readonly #options: LeafServersOptions;
  readonly #rate: MintingRate;
  readonly #entries = new Map<string, Entry>();
  /** Those whose leaf another process signs now. */
  readonly #coming = new Map<string, Promise<Entry>>();

  constructor(options: LeafServersOptions) {
    this.#options = options;
    this.#rate = new MintingRate(options.limits);
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Throws or rejects with ProxyError: `limit_exceeded` above `leavesPerSecondMax`, and what the issuer throws. */
  get(request: LeafRequest): Server | Promise<Server> {
    // A space occurs in no host and in no ALPN name that is offered.
    const key = [request.host, ...request.alpn].join(' ');
    const known = this.#entries.get(key);
    if (known !== undefined && this.#isGood(known, request.nowMs)) return this.#use(key, known).server;
    const coming = this.#coming.get(key);
    if (coming !== undefined) return coming.then(({ server }) => server);
    this.#entries.delete(key);
    // Who asks again for what was there invents no name: after a change of the signer all are made anew at once.
    if (known === undefined) this.#rate.take(request.owner, request.nowMs);
    const { signerPem } = this.#options.issuer;
    const leaf = this.#options.issuer.issue(request.host, request.nowMs);
    if (!(leaf instanceof Promise)) return this.#use(key, this.#entry(request, leaf, signerPem)).server;
    const entry = this.#signed(request, { leaf, signerPem, known }).then((signed) => this.#use(key, signed));
    this.#coming.set(key, entry);
    const forget = (): void => void this.#coming.delete(key);
    entry.then(forget, forget);
    return entry.then(({ server }) => server);
  }

  /** As the last one that was used. */
  #use(key: string, entry: Entry): Entry {
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    for (const oldest of this.#entries.keys()) {
      if (this.#entries.size <= this.#options.limits.leafContextsMax) break;
      this.#entries.delete(oldest);
    }
    return entry;
  }

  clear(): void {
    this.#entries.clear();
  }

  #isGood({ renewAtMs, signerPem }: Entry, nowMs: number): boolean {
    return nowMs < renewAtMs && signerPem === this.#options.issuer.signerPem;
  }

  /** While no other leaf can be had, the one of before serves on as long as clients take it. */
  async #signed(
    request: LeafRequest,
    {
      leaf,
      signerPem,
      known,
    }: {
      readonly leaf: Promise<Leaf>;
      readonly signerPem: string | undefined;
      readonly known: Entry | undefined;
    },
  ): Promise<Entry> {
    try {
      return this.#entry(request, await leaf, signerPem);
    } catch (error) {
      const isServing = known !== undefined && request.nowMs < known.notAfterMs - lastUseBeforeMs;
      if (isServing && known.signerPem === this.#options.issuer.signerPem) return known;
      throw error;
    }
  }

  #entry({ alpn, nowMs }: LeafRequest, leaf: Leaf, signerPem: string | undefined): Entry {
    const { privateKey, notAfterMs } = leaf;
    const server = createServer({
      cert: leaf.certificatePem,
      key: typeof privateKey === 'string' ? privateKey : privateKey.export({ type: 'pkcs8', format: 'pem' }),
      minVersion: 'TLSv1.2',
      ...serverCiphers,
      secureOptions,
      // With an offer, a client that asks only for other protocols gets the alert no_application_protocol.
      ...(alpn.length > 0 ? { ALPNProtocols: [...alpn] } : {}),
    });
    this.#options.prepare(server);
    return { server, renewAtMs: nowMs + (notAfterMs - nowMs) * renewAfterShare, notAfterMs, signerPem };
  }
}
