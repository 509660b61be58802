// Datagrams both ways between a flow and its socket: what cannot pass at once is dropped, and never kept.

import type { Socket } from 'node:dgram';
import { deadlineWith, type LinkAbsence } from '../../net/link-absence.ts';
import { asProxyError, ProxyError } from '../../protocol/error.ts';
import { defaultLimits, type Limits } from '../../protocol/limits.ts';
import type { SpendBytes } from '../forward/metered-stream.ts';
import type { DatagramFlow } from './datagram-flows.ts';
import { DnsGate } from './dns-gate.ts';
import type { HostPattern } from '../../policy/host-pattern.ts';

/** The end of the container. */
export interface DatagramPort {
  /** Whether it goes out. */
  send(datagram: Uint8Array): boolean;
  onDatagram(take: (datagram: Uint8Array) => void): void;
}

export interface RelayedDatagrams {
  readonly sent: number;
  readonly sentBytes: number;
  readonly received: number;
  readonly receivedBytes: number;
  readonly dropped: number;
  /** Names of queries that the rule does not have, the first of them. */
  readonly refusedNames: readonly string[];
}

export interface DatagramRelayOptions {
  readonly socket: Socket;
  readonly port: DatagramPort;
  readonly flow: DatagramFlow;
  readonly names: readonly (readonly HostPattern[])[] | undefined;
  readonly spendBytes: SpendBytes | undefined;
  readonly absence: LinkAbsence | undefined;
  readonly limits: Limits;
  readonly clock: () => number;
}

export class DatagramRelay {
  /** Resolves with why it ended: nothing passed for long, or a budget was spent. */
  readonly ended: Promise<ProxyError | undefined>;
  readonly #options: DatagramRelayOptions;
  readonly #gate: DnsGate | undefined;
  readonly #end: (error: ProxyError | undefined) => void;
  readonly #refusedNames = new Set<string>();
  readonly #counts = { sent: 0, sentBytes: 0, received: 0, receivedBytes: 0, dropped: 0 };
  #unpaid = 0;
  #isOver = false;
  #idle: { clear(): void } | undefined;

  constructor(options: DatagramRelayOptions) {
    this.#options = options;
    const { promise, resolve } = Promise.withResolvers<ProxyError | undefined>();
    this.ended = promise;
    this.#end = resolve;
    const { socket, port, names } = options;
    this.#gate = names === undefined ? undefined : new DnsGate(names);
    // That nobody listens there is told by ICMP, and ends no flow: the next datagram may find somebody.
    socket.on('error', () => undefined);
    socket.on('message', (datagram) => this.#in(datagram));
    port.onDatagram((datagram) => this.#out(datagram));
    this.#passed();
  }

  get counts(): RelayedDatagrams {
    return { ...this.#counts, refusedNames: [...this.#refusedNames] };
  }

  close(error?: ProxyError): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#idle?.clear();
    this.#options.socket.close();
    this.#end(error);
  }

  #out(datagram: Uint8Array): void {
    if (this.#isOver || !this.#takes(datagram)) return;
    const gated = this.#gate?.query(datagram) ?? { kind: 'passes' };
    if (gated.kind === 'dropped') return this.#drop();
    if (gated.kind === 'refused') {
      this.#drop();
      if (this.#refusedNames.size < defaultLimits.dnsRefusedNamesMax) this.#refusedNames.add(gated.name);
      this.#options.port.send(gated.reply);
      return;
    }
    this.#paid(datagram.length, () => {
      this.#counts.sent += 1;
      this.#counts.sentBytes += datagram.length;
      this.#passed();
      this.#options.socket.send(datagram, () => undefined);
    });
  }

  #in(datagram: Uint8Array): void {
    if (this.#isOver || !this.#takes(datagram)) return;
    if (this.#gate?.response(datagram) === false) return this.#drop();
    this.#paid(datagram.length, () => {
      if (!this.#options.port.send(datagram)) return this.#drop();
      this.#counts.received += 1;
      this.#counts.receivedBytes += datagram.length;
      this.#passed();
    });
  }

  #takes({ length }: Uint8Array): boolean {
    const { flow, clock } = this.#options;
    if (length <= defaultLimits.datagramBytesMax && flow.take(clock())) return true;
    this.#drop();
    return false;
  }

  #drop(): void {
    this.#counts.dropped += 1;
  }

  /** Where the store has to be asked first, some wait for it, and no more. */
  #paid(bytes: number, pass: () => void): void {
    let unpaid: Promise<undefined> | undefined;
    try {
      unpaid = this.#options.spendBytes?.(bytes);
    } catch (error) {
      return this.close(asProxyError(error));
    }
    if (unpaid === undefined) return pass();
    // What is asked for is spent whether it passes or not.
    const mayWait = this.#unpaid < defaultLimits.datagramsUnpaidMax;
    this.#unpaid += 1;
    void unpaid.then(
      () => {
        this.#unpaid -= 1;
        if (this.#isOver) return;
        if (mayWait) pass();
        else this.#drop();
      },
      (error: unknown) => this.close(asProxyError(error)),
    );
  }

  #passed(): void {
    const { absence, limits } = this.#options;
    this.#idle?.clear();
    this.#idle = deadlineWith(absence, limits.datagramIdleTimeoutMs, () =>
      this.close(
        new ProxyError('timeout', 'no datagram passed for too long (datagramIdleTimeoutMs)', {
          limit: 'datagramIdleTimeoutMs',
        }),
      ),
    );
  }
}
