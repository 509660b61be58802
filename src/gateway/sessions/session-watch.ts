// Notices the end of sessions, also those that another process on the same store ended.

import { defaultLimits } from '../../protocol/limits.ts';
import { asProxyError, type ProxyError } from '../../protocol/error.ts';
import {
  type EndedPage,
  type EndedPlace,
  type NumberedEnding,
  pruneBatch,
  type SessionEnding,
  type SessionRecord,
  type SessionStore,
  type Store,
} from '../../store/store.ts';
import { type EndedSessions, withoutNumber } from './ended-sessions.ts';
import { RepeatedLook } from '../../system/repeated-look.ts';

/** Streams end within 2 s of a revocation by any process; one look is one indexed query. */
export const watchIntervalMs = 500;
/** Nearly always nothing is due, and each kind is one indexed look. */
const pruneIntervalMs = 60_000;

export type EndedListener = (sessionId: string, reason: string) => void;

export interface SessionWatchOptions {
  readonly store: Store;
  readonly clock: () => number;
  /** Milliseconds that never go back. */
  readonly ticks?: (() => number) | undefined;
  /** Called once for each session that reached its time, in the one process that ended it. */
  readonly onExpired: (session: SessionRecord) => Promise<void>;
  readonly onFault: (error: ProxyError) => void;
  /** Told of each that ended, and of those that ended before as far back as it is kept. */
  readonly ended: EndedSessions;
  /** How far back. */
  readonly endedKeptMs: number;
  /** What ended as another gateway handed it over, where the store was away: whatever the store says. Asked once, and not kept. */
  readonly handed?: () => readonly NumberedEnding[] | undefined;
  /** Whether this process ends sessions whose time is over, and forgets what is old. One of several is enough. */
  readonly isOnDuty?: (() => boolean) | undefined;
}

/** Looks at the store's change counter at an interval until it is closed. */
export class SessionWatch implements AsyncDisposable {
  readonly #options: SessionWatchOptions;
  readonly #listeners = new Set<EndedListener>();
  readonly #ticks: () => number;
  #sequence: number;
  /** Endings are read by time, and that has not come through. */
  #isReadingLately = false;
  /** When the last reading of endings that came through began. */
  #readAt: { readonly ticksMs: number; readonly clockMs: number };
  /** The store may have gone back: what ended lately is read again, whatever its number. */
  #isUncertain = false;
  #nextPruneMs = 0;
  readonly #repeated: RepeatedLook;
  #unlisten: () => void = () => undefined;

  private constructor(
    options: SessionWatchOptions,
    sequence: number,
    readAt: { readonly ticksMs: number; readonly clockMs: number },
  ) {
    this.#options = options;
    this.#sequence = sequence;
    this.#readAt = readAt;
    const { onFault, ticks = () => performance.now() } = options;
    this.#ticks = ticks;
    this.#repeated = new RepeatedLook({ look: () => this.#look(), intervalMs: watchIntervalMs, onFault });
  }

  /** Endings from now on are noticed. */
  static async open(options: SessionWatchOptions): Promise<SessionWatch> {
    const { ticks = () => performance.now() } = options;
    const handed = options.handed?.();
    // What was handed over is not what the store has now.
    const readAtMs = handed === undefined ? ticks() : Number.NEGATIVE_INFINITY;
    const { sequence } = await options.store.sessions.endingsSince(undefined);
    const nowMs = options.clock();
    const { ended, endedKeptMs } = options;
    for await (const page of endedPages(options.store.sessions, nowMs - endedKeptMs))
      for (const ending of page) ended.add(ending, nowMs);
    // Behind those: what the store lacks is among the latest, which it is told again if it went back.
    for (const ending of handed ?? []) if (!ended.has(ending.sessionId)) ended.add(ending, nowMs);
    const watch = new SessionWatch(options, sequence, { ticksMs: readAtMs, clockMs: nowMs });
    watch.#repeated.start();
    watch.#unlisten = options.store.onChange((isUncertain) => {
      watch.#isUncertain ||= isUncertain;
      watch.#repeated.soon();
    });
    return watch;
  }

  /** Gives the function that takes the listener away again. */
  onEnded(listener: EndedListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Looks now. Faults of the store go to `onFault`; the next look tries again. */
  look(): Promise<void> {
    // One look at a time: an ending is told once.
    return this.#repeated.now();
  }

  get ended(): EndedSessions {
    return this.#options.ended;
  }

  /** Whether what ended is known here as it must be at every gateway: reading it can fail or hang while the store responds to others. */
  get isCurrent(): boolean {
    return this.#ticks() - this.#readAt.ticksMs <= defaultLimits.endingsReadMs;
  }

  /** Up to which number endings were read from the store; while that is uncertain others are asked for all that they have. */
  get sequence(): number {
    return this.#isReadingLately ? 0 : this.#sequence;
  }

  /** What ended as another gateway says: it knows by the store, or by another one that does. */
  hear(endings: readonly NumberedEnding[]): void {
    for (const ending of endings) {
      const known = this.ended.find(ending.sessionId);
      const isNumbered = known?.sequence === withoutNumber && ending.sequence !== withoutNumber;
      if (known === undefined || isNumbered) this.#tell(ending);
    }
  }

  /** It ended by this process, and is over here at once, whether or not the store still has that when it is read. */
  async endedHere(sessionId: string, ending: SessionEnding): Promise<void> {
    const here = { ...ending, sessionId, sequence: withoutNumber };
    if (!this.ended.has(sessionId)) this.ended.add(here, this.#options.clock());
    await this.look();
    if (this.ended.find(sessionId)?.sequence === withoutNumber) this.#tell(here);
  }

  /** The store went back: what ended lately is read again. */
  again(): Promise<void> {
    this.#isUncertain = true;
    return this.look();
  }

  /** Looks soon. Whether it told of all that ended before this call. */
  taken(): Promise<boolean> {
    return this.#repeated.taken();
  }

  close(): Promise<void> {
    this.#unlisten();
    return this.#repeated.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #look(): Promise<void> {
    const { sessions } = this.#options.store;
    const nowMs = this.#options.clock();
    const isOnDuty = this.#options.isOnDuty?.() ?? true;
    // First what others ended: whatever fails after it, a revocation is heard.
    await this.#readEndings();
    const expired = isOnDuty
      ? await sessions.expire(nowMs).catch((error: unknown) => this.#expireFailed(error))
      : [];
    if (expired.length > 0) await this.#readEndings();
    // After the streams have ended: a failing audit must not keep them open.
    for (const session of expired) await this.#options.onExpired(session);
    // Behind an outage more may be due than one call takes.
    if (expired.length >= pruneBatch) this.#repeated.soon();
    if (!isOnDuty || nowMs < this.#nextPruneMs) return;
    // A full batch means that more is due: the next look goes on, so forgetting keeps up with a thousand endings a look.
    if (!(await this.#prune(nowMs))) this.#nextPruneMs = nowMs + pruneIntervalMs;
  }

  async #readEndings(): Promise<void> {
    const began = { ticksMs: this.#ticks(), clockMs: this.#options.clock() };
    const toldThrough = this.#isUncertain ? await this.#readLately(began.clockMs) : 0;
    for (;;) {
      const { sequence, endings } = await this.#options.store.sessions.endingsSince(this.#sequence);
      this.#sequence = sequence;
      for (const ending of endings)
        if (ending.sequence > toldThrough || !this.#isKnown(ending)) this.#tell(ending);
      if (endings.length === 0) break;
    }
    this.#readAt = began;
  }

  /**
   * By time, not by number: all that can still matter, and not what ended in a month. Behind it those by number go on from where they were:
   * the clock of whoever ended a session may be wrong. Gives up to which number the store was then.
   */
  async #readLately(nowMs: number): Promise<number> {
    const { store, endedKeptMs } = this.#options;
    this.#isUncertain = false;
    this.#isReadingLately = true;
    try {
      const { sequence } = await store.sessions.endingsSince(undefined);
      // A process that stood still has heard of nothing since.
      const overMs = Math.min(nowMs, this.#readAt.clockMs) - endedKeptMs;
      for await (const page of endedPages(store.sessions, overMs))
        for (const ending of page) if (!this.#isKnown(ending)) this.#tell(ending);
      this.#sequence = Math.min(this.#sequence, sequence);
      this.#isReadingLately = false;
      return sequence;
    } catch (error) {
      this.#isUncertain = true;
      throw error;
    }
  }

  #isKnown({ sessionId, sequence }: NumberedEnding): boolean {
    return this.ended.find(sessionId)?.sequence === sequence;
  }

  #expireFailed(error: unknown): readonly SessionRecord[] {
    this.#options.onFault(asProxyError(error));
    return [];
  }

  /** One bounded batch of each kind. Whether one of them was full. */
  async #prune(nowMs: number): Promise<boolean> {
    const { sessions, tokens, proofs, access, questions, operators, uses } = this.#options.store;
    const pruned = [
      await sessions.prune(nowMs - defaultLimits.sessionRetentionMs),
      await access.prune(nowMs - defaultLimits.sessionRetentionMs),
      await questions.prune(nowMs - defaultLimits.sessionRetentionMs, nowMs),
      await operators.prune(nowMs - defaultLimits.sessionRetentionMs),
      await tokens.prune(nowMs),
      await proofs.prune(nowMs),
      await uses.prune(nowMs),
    ];
    return pruned.some((count) => count >= pruneBatch);
  }

  #tell(ending: NumberedEnding): void {
    const { sessionId, reason } = ending;
    this.#options.ended.add(ending, this.#options.clock());
    for (const listener of this.#listeners) {
      try {
        listener(sessionId, reason);
      } catch (error) {
        // One listener's fault must not keep the others from ending their streams.
        this.#options.onFault(asProxyError(error));
      }
    }
  }
}

const pageEndings = 1000;

/** All that ended at that time or later, in that order. */
async function* endedPages(
  sessions: Pick<SessionStore, 'endedBehind'>,
  overMs: number,
): AsyncGenerator<readonly NumberedEnding[]> {
  for (let place: EndedPlace | undefined = { overMs, sessionId: '' }; place !== undefined;) {
    const page: EndedPage = await sessions.endedBehind(place, pageEndings);
    yield page.endings;
    ({ place } = page);
  }
}
