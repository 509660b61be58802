// Both directions of a WebSocket through the gateway: only frames pass, and whatever ends it is said in a close to both sides.

import type { Buffer } from 'node:buffer';
import { Socket } from 'node:net';
import type { Duplex, Transform } from 'node:stream';
import { closeCode, WebSocketFault } from '../../net/websocket-frame.ts';
import { WebSocketGate } from '../../net/websocket-gate.ts';
import type { LinkAbsence } from '../../net/link-absence.ts';
import { asProxyError, type ProxyError } from '../../protocol/error.ts';
import type { Limits } from '../../protocol/limits.ts';
import { meteredStream, type SpendBytes } from '../forward/metered-stream.ts';
import { pipeBoth } from '../forward/pipe-both.ts';
import type { WebSocketScrubber } from '../scrub/websocket-scrubber.ts';

export interface WebSocketPassageOptions {
  readonly client: Duplex;
  readonly origin: Duplex;
  /** permessage-deflate was agreed. */
  readonly isCompressed: boolean;
  readonly limits: Limits;
  /** When the client could not be reached. */
  readonly absence?: LinkAbsence | undefined;
  /** Breaks the connection of the client off. */
  readonly abort: (error: ProxyError) => void;
}

/** Holds messages until they are judged. */
interface StoppableGuard extends Transform {
  /** What is held or judged is dropped. */
  stop(): void;
}

export interface PassageRun {
  /** What came behind the heads of the handshake. */
  readonly early: { readonly client: Buffer; readonly origin: Buffer };
  readonly spendBytes: SpendBytes | undefined;
  /** Pays for what the client sends, where that has a budget of its own. */
  readonly spendOut?: SpendBytes | undefined;
  /** What the origin sends goes through it. */
  readonly scrubber: WebSocketScrubber | undefined;
  /** What the client sends goes through it. */
  readonly guard?: Transform | undefined;
  /** What the client sends goes through it last. */
  readonly placed?: Transform | undefined;
  /** Where each message of the client is judged: what that goes through, and what responses go through. */
  readonly judged?: { readonly guard: StoppableGuard; readonly told: Transform } | undefined;
}

export interface PassedBytes {
  readonly fromClient: number;
  readonly fromOrigin: number;
  /** Why the gateway itself ended it, other than for what was no frame. */
  readonly fault?: ProxyError;
}

export class WebSocketPassage {
  readonly #options: WebSocketPassageOptions;
  readonly #fromClient: WebSocketGate;
  readonly #fromOrigin: WebSocketGate;
  #malformed: ProxyError | undefined;
  #unpaidOut: ProxyError | undefined;
  #deadline: NodeJS.Timeout | undefined;
  #judging: StoppableGuard | undefined;

  constructor(options: WebSocketPassageOptions) {
    const { isCompressed } = options;
    const onFault = (fault: ProxyError): void => this.#onFault(fault);
    this.#options = options;
    this.#fromClient = new WebSocketGate({ sender: 'client', isCompressed, onFault });
    this.#fromOrigin = new WebSocketGate({ sender: 'server', isCompressed, onFault });
  }

  /** What was no frame. */
  get malformed(): ProxyError | undefined {
    return this.#malformed;
  }

  /** Ends both sides by a close with this code; who does not end its own side then is cut off with the error. */
  close(code: number, error: ProxyError): void {
    this.#judging?.stop();
    this.#fromClient.close(code);
    this.#fromOrigin.close(code);
    const { client, origin, limits, abort } = this.#options;
    this.#deadline ??= setTimeout(() => {
      abort(error);
      for (const socket of [client, origin]) socket.destroy(error);
    }, limits.closeTimeoutMs);
  }

  /** Lets frames pass until both sides are over. Never throws. */
  async run({
    early,
    spendBytes,
    spendOut,
    scrubber,
    guard,
    judged,
    placed,
  }: PassageRun): Promise<PassedBytes> {
    const { client, origin, limits, absence } = this.#options;
    let unpaid: ProxyError | undefined;
    this.#judging = judged?.guard;
    // Neither side is read meanwhile.
    for (const socket of [client, origin]) socket.on('error', () => undefined);
    try {
      await spendBytes?.(early.client.length + early.origin.length);
      if (early.origin.length > 0) this.#fromOrigin.write(early.origin);
      if (early.client.length > 0) this.#fromClient.write(early.client);
    } catch (error) {
      unpaid = asProxyError(error);
      for (const socket of [client, origin]) socket.destroy(unpaid);
    }
    // What the servers and clients of HTTP watch is requests; from here on the one limit is the WebSocket's.
    for (const socket of [client, origin]) if (socket instanceof Socket) socket.setTimeout(0);
    const paid = spendOut === undefined ? [] : [meteredStream(spendOut)];
    for (const one of paid) one.once('error', (error) => this.#unpaid(asProxyError(error)));
    const bytes = await pipeBoth(client, origin, {
      spendBytes,
      idle: { limits, name: 'webSocketIdleTimeoutMs', absence },
      throughFirst: [this.#fromClient, ...some(judged?.guard), ...paid, ...some(guard), ...some(placed)],
      throughSecond: [this.#fromOrigin, ...some(scrubber), ...some(judged?.told)],
    });
    clearTimeout(this.#deadline);
    const fault = unpaid ?? this.#unpaidOut ?? bytes.fault;
    return {
      fromClient: early.client.length + bytes.fromFirst,
      fromOrigin: early.origin.length + bytes.fromSecond,
      ...(fault === undefined ? {} : { fault }),
    };
  }

  #unpaid(error: ProxyError): void {
    this.#unpaidOut ??= error;
    for (const socket of [this.#options.client, this.#options.origin]) socket.destroy(error);
  }

  #onFault(fault: ProxyError): void {
    if (this.#malformed !== undefined) return;
    this.#malformed = fault;
    this.close(fault instanceof WebSocketFault ? fault.closeCode : closeCode.protocolError, fault);
  }
}

function some(one: Transform | undefined): readonly Transform[] {
  return one === undefined ? [] : [one];
}
