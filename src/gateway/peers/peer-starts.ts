// Hands gateways that start, or go on, while the store is away from them what they have to know: keys as they are sealed, policies, grants, which sessions ended,
// and up to which change that is all.

import type { Socket } from 'node:net';
import { asProxyError, type ProxyError } from '../../protocol/error.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import type { ChangePlace } from '../../store/change-store.ts';
import type { StoreAbsence } from '../../store/store-outage.ts';
import type { KnownFacts } from '../changes/known-store.ts';
import type { EndedSessions } from '../sessions/ended-sessions.ts';
import { endingLine, linesOf, readChangeLine, sendLine } from './change-lines.ts';
import { filePieces } from './file-pieces.ts';
import type { KnownPeer } from './peer-directory.ts';
import {
  handedGrant,
  type HandedCounts,
  type HandedLine,
  type PeerPlaceLine,
  wantedSchema,
} from './start-lines.ts';

export interface PeerStartsOptions {
  readonly facts: () => KnownFacts;
  /** What is taken here, of which history; undefined where that is not known. */
  readonly place: () => ChangePlace | undefined;
  readonly ended: EndedSessions;
  /** How long those are kept. */
  readonly keptMs: number;
  readonly absence: StoreAbsence;
  readonly clock: () => number;
  /** Others that are known. */
  readonly peers: () => readonly KnownPeer[];
  readonly onFault: (error: ProxyError) => void;
}

/** Each has a path and the words of a workload. */
const grantsOfLine = 64;

export class PeerStarts {
  readonly #options: PeerStartsOptions;
  #count = 0;

  constructor(options: PeerStartsOptions) {
    this.#options = options;
  }

  /** Until it has what it asked for, or the connection ends. Who it is has been verified. */
  async serve(socket: Socket): Promise<void> {
    const { peerStartPlaceMs, peerStartTimeoutMs } = defaultLimits;
    const lines = linesOf(socket, peerStartTimeoutMs);
    const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
    const stop = (): void => void socket.destroy();
    let late = setTimeout(stop, peerStartPlaceMs);
    try {
      const first = await lines.next();
      if (first.done === true) return;
      const { want } = readChangeLine(wantedSchema, first.value);
      clearTimeout(late);
      late = setTimeout(stop, peerStartTimeoutMs);
      // However busy it is: who starts would believe one that knows less.
      if (want === 'place') await sendLine(socket, this.#place());
      else await this.#serveInTurn(socket, want === 'all');
      socket.end();
      await closed;
    } catch (error) {
      if (!socket.destroyed) this.#options.onFault(asProxyError(error));
    } finally {
      clearTimeout(late);
      socket.destroy();
      await lines.return(undefined);
    }
  }

  async #serveInTurn(socket: Socket, hasEndings: boolean): Promise<void> {
    // Said before anything of it is read: all that came before that number is among it.
    const place = this.#place();
    if ('none' in place) return await sendLine(socket, place);
    if (this.#count >= defaultLimits.peerStartsServedMax) {
      const { history, number } = place;
      const busy = { none: 'it hands others what they ask for', isPassing: true, at: { history, number } };
      return await sendLine(socket, busy satisfies PeerPlaceLine);
    }
    this.#count += 1;
    try {
      await sendLine(socket, place);
      await this.#hand(socket, place, hasEndings);
    } finally {
      this.#count -= 1;
    }
  }

  #place(): PeerPlaceLine {
    const { facts, place, ended, keptMs, absence, clock, peers } = this.#options;
    const nowMs = clock();
    const found = place();
    if (found === undefined) return { none: 'its store goes back', isPassing: true };
    const at = { ...found };
    if (absence.isPast) return { none: 'its store is away for too long (storeOutageMs)', at };
    if (!ended.isComplete(nowMs)) return { none: 'too many sessions ended lately (endedSessionsMax)', at };
    if (facts().identity === undefined) return { none: 'it knows no identity', at };
    const { sinceMs } = absence;
    return {
      ...found,
      keptMs,
      peers: peers().map(({ incarnation, address }) => [incarnation, address]),
      ...(sinceMs === undefined ? {} : { awayMs: Math.max(0, nowMs - sinceMs) }),
    };
  }

  async #hand(socket: Socket, place: ChangePlace, hasEndings: boolean): Promise<void> {
    const { facts, ended } = this.#options;
    const known = facts();
    const { identity, policies = [], files, grants = [] } = known;
    const counts = { endings: 0, policies: 0, files: 0, grants: 0 } satisfies HandedCounts;
    const send = async (line: HandedLine): Promise<void> => {
      if (socket.destroyed) return;
      await sendLine(socket, line);
    };
    if (identity !== undefined) await send({ identity });
    for (const page of hasEndings ? ended.pagesAbove(-1) : []) {
      counts.endings += page.length;
      await send({ endings: page.map(endingLine) });
    }
    for (const policy of policies) {
      counts.policies += 1;
      await send({ policy });
    }
    for (const [hash, list] of files)
      for (const { name, text } of list)
        for (const data of filePieces(text)) {
          counts.files += 1;
          await send({ file: { hash, name, data } });
        }
    for (let at = 0; at < grants.length; at += grantsOfLine) {
      const page = grants.slice(at, at + grantsOfLine);
      counts.grants += page.length;
      await send({ grants: page.map(handedGrant) });
    }
    // What came meanwhile may have been more than is kept, or the store may have gone back.
    const after = this.#place();
    if ('none' in after || after.history !== place.history) return void socket.destroy();
    await send({
      end: {
        ...counts,
        hasPolicies: known.policies !== undefined,
        hasGrants: known.grants !== undefined,
      },
    });
  }
}
