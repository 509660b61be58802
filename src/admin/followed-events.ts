// Events as they are stored: a stream that is opened again behind the last event when it is cut, and says where something may be missing.

import type { IncomingMessage } from 'node:http';
import { type AuditEvent, auditEventSchema } from '../api/audit-event.ts';
import { faultReason } from '../protocol/fault-reason.ts';
import { defaultLimits } from '../protocol/limits.ts';
import type { AdminConnection } from './admin-connection.ts';
import { AdminError } from './admin-error.ts';
import { EventLines } from './event-lines.ts';
import { pauseAfter, pauseFor, requireWanted } from './retried-call.ts';

/** `gap`: what was stored between that event and the next one is not told. `after` is undefined where there was none yet. */
export type Followed =
  | { readonly kind: 'event'; readonly event: AuditEvent }
  | { readonly kind: 'gap'; readonly after: string | undefined };

/** What the events are about, as text. */
export type FollowQuery = Readonly<Record<string, string>>;

export interface FollowNeeds {
  readonly connection: AdminConnection;
  readonly query: FollowQuery;
  /** Id of the event behind which it begins; undefined where there is none yet. */
  readonly after: string | undefined;
  /** Id of the newest event that there is. */
  readonly newestId: (signal: AbortSignal) => Promise<string | undefined>;
  readonly signal: AbortSignal | undefined;
  readonly awayMs?: number;
  readonly silenceMs?: number;
  readonly pause?: (ms: number, signal: AbortSignal) => Promise<void>;
}

/** A stream that held for so long was none of a server that ends each at once. */
const steadyMs = 10_000;
const idCharactersMax = 200;

/** Ends when it is disposed. Its iteration throws what a new try does not mend: AdminError, ProxyError cancelled. */
export class FollowedEvents implements AsyncIterable<Followed>, AsyncDisposable {
  readonly #needs: FollowNeeds;
  readonly #gone = new AbortController();
  readonly #signal: AbortSignal;
  readonly #items: AsyncGenerator<Followed, void>;
  #cursor: string | undefined;
  #stream: IncomingMessage | undefined;
  /** Behind which something may be missing. */
  #gap: { readonly after: string | undefined } | undefined;
  /** When there was last a sign that following does. */
  #goodMs = performance.now();

  private constructor(needs: FollowNeeds) {
    this.#needs = needs;
    this.#cursor = needs.after;
    const { signal } = this.#gone;
    this.#signal = needs.signal === undefined ? signal : AbortSignal.any([signal, needs.signal]);
    this.#items = this.#follow();
  }

  /** Follows already when it resolves: nothing that is stored from then on is missed. @throws AdminError */
  static async open(needs: FollowNeeds): Promise<FollowedEvents> {
    const events = new FollowedEvents(needs);
    try {
      await events.#open();
      return events;
    } catch (error) {
      await events[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Id of the last event: to be kept, and given as `after` to go on behind it. */
  get cursor(): string | undefined {
    return this.#cursor;
  }

  [Symbol.asyncIterator](): AsyncIterator<Followed, void> {
    return this.#items;
  }

  async *#follow(): AsyncGenerator<Followed, void> {
    for (let failures = 0; !this.#gone.signal.aborted; failures += 1) {
      requireWanted(this.#needs.signal);
      if (this.#gap !== undefined) {
        const { after } = this.#gap;
        this.#gap = undefined;
        yield { kind: 'gap', after };
      }
      const beganMs = performance.now();
      for await (const event of this.#sent()) {
        this.#cursor = event.id;
        this.#goodMs = performance.now();
        failures = 0;
        yield { kind: 'event', event };
      }
      if (performance.now() - beganMs >= steadyMs) {
        this.#goodMs = performance.now();
        failures = 0;
      }
      await this.#reopen(failures);
    }
  }

  /** Until it is cut. */
  async *#sent(): AsyncGenerator<AuditEvent, void> {
    const stream = this.#stream;
    if (stream === undefined) return;
    const lines = new EventLines();
    // Of a stream without an encoding.
    const pieces = (stream as AsyncIterable<Uint8Array>)[Symbol.asyncIterator]();
    try {
      for (;;) {
        const octets = await this.#next(stream, pieces);
        if (octets === undefined) return;
        for (const { data } of this.#read(lines, octets)) {
          const event = this.#eventOf(data);
          if (event.id !== this.#cursor) yield event;
        }
      }
    } finally {
      stream.destroy();
      this.#stream = undefined;
    }
  }

  /** Undefined where it ended, was cut, or says nothing any more. */
  async #next(stream: IncomingMessage, pieces: AsyncIterator<Uint8Array>): Promise<Uint8Array | undefined> {
    // A reader that takes its time is no silence of the server.
    const { silenceMs = defaultLimits.adminSilenceMs } = this.#needs;
    const silence = setTimeout(() => stream.destroy(), silenceMs);
    try {
      const { value, done } = await pieces.next();
      return done === true ? undefined : value;
    } catch {
      return undefined;
    } finally {
      clearTimeout(silence);
    }
  }

  #read(lines: EventLines, octets: Uint8Array): ReturnType<EventLines['push']> {
    try {
      return lines.push(octets);
    } catch (error) {
      throw this.#refuse(faultReason(error));
    }
  }

  #eventOf(data: string): AuditEvent {
    const event = jsonOf(data);
    if (!auditEventSchema.safeParse(event).success) throw this.#refuse('what it sends is no event');
    // It fits the schema; what a later version has beside that is kept.
    const read = event as AuditEvent;
    if (read.id.length > idCharactersMax) throw this.#refuse('the id of an event is longer than any of ours');
    return read;
  }

  /** Tries again for a while; each time later. */
  async #reopen(failures: number): Promise<void> {
    const { awayMs = defaultLimits.adminAwayMs, pause = pauseFor } = this.#needs;
    const endMs = this.#goodMs + awayMs;
    let last = this.#refuse('the stream ended');
    for (let tries = failures; !this.#signal.aborted; tries += 1) {
      const ms = pauseAfter(last, tries, Math.random);
      if (performance.now() + ms >= endMs) throw last;
      await pause(ms, this.#signal);
      if (this.#signal.aborted) return;
      try {
        await this.#beginWhereNothingWas();
        await this.#open();
        return;
      } catch (error) {
        if (this.#gone.signal.aborted) return;
        if (!(error instanceof AdminError) || !error.isPassing) throw error;
        last = error;
      }
    }
  }

  /** What came since the stream was cut is not told, where no event tells behind which to go on. */
  async #beginWhereNothingWas(): Promise<void> {
    if (this.#cursor !== undefined) return;
    this.#cursor = await this.#needs.newestId(this.#signal);
    if (this.#cursor !== undefined) this.#gap = { after: undefined };
  }

  async #open(): Promise<void> {
    const { connection, query } = this.#needs;
    const after = this.#cursor;
    const at = (cursor: string | undefined): FollowQuery =>
      cursor === undefined ? query : { ...query, after: cursor };
    try {
      this.#stream = await connection.follow('follow', { query: at(after) }, this.#signal);
    } catch (error) {
      if (after === undefined || !(error instanceof AdminError) || error.code !== 'operation_unknown')
        throw error;
      // The audit does not keep that event any more.
      const newest = await this.#needs.newestId(this.#signal);
      this.#stream = await connection.follow('follow', { query: at(newest) }, this.#signal);
      this.#cursor = newest;
      this.#gap = { after };
    }
  }

  #refuse(why: string): AdminError {
    const server = this.#needs.connection.place;
    return new AdminError('admin_unreachable', `${server}: ${why}`, { server, operation: 'follow' });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#gone.abort();
    this.#stream?.destroy();
    await this.#items.return();
  }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
