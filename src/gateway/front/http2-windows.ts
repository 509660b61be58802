// How much clients may send ahead on the streams of one HTTP/2 connection. Node gives the connection's own window back as octets
// arrive, so that what is held is bounded by the windows of the streams alone, and by what is counted for each.

import type { ServerHttp2Session } from 'node:http2';

import type { HeldOctets, Reservation } from '../../protocol/held-octets.ts';
import { defaultLimits } from '../../protocol/limits.ts';

const { http2WindowBytes: narrow, http2WideWindowBytes: wide, http2WideUploadsMax } = defaultLimits;
/** A body of which more was taken than could wait on its way: its origin drains it. */
const drainedBytes = narrow + defaultLimits.requestBodyAheadBytes;

type Width = 'narrow' | 'wide' | 'narrowing';

export class Http2Windows {
  readonly #session: ServerHttp2Session;
  readonly #held: HeldOctets;
  readonly #sessionId: string;
  #uploads = 0;
  #width: Width = 'narrow';
  /** For the uploads that began with narrow windows and got wide ones. */
  #widened: Reservation | undefined;

  constructor(session: ServerHttp2Session, held: HeldOctets, sessionId: string) {
    this.#session = session;
    this.#held = held;
    this.#sessionId = sessionId;
  }

  /** The most that the client may believe a new stream to have: what it was told last counts when it said that it knows. */
  get streamBytes(): number {
    return this.#width === 'narrow' ? narrow : wide;
  }

  /** A request with a body begins. Gives what is to be called at its end. */
  begin(): () => void {
    this.#uploads += 1;
    if (this.#uploads > http2WideUploadsMax) this.#narrow();
    return () => {
      this.#uploads -= 1;
      if (this.#uploads > 0) return;
      this.#widened?.release();
      this.#widened = undefined;
    };
  }

  /** So much of the body of one upload was taken. */
  taken(bodyBytes: number): void {
    if (this.#width !== 'narrow' || bodyBytes < drainedBytes || this.#uploads > http2WideUploadsMax) return;
    if (this.#session.closed || this.#session.destroyed) return;
    const more = this.#held.reserveSpare(this.#sessionId, this.#uploads * (wide - narrow));
    if (more === undefined) return;
    const earlier = this.#widened;
    this.#widened = {
      octets: more.octets + (earlier?.octets ?? 0),
      release: () => {
        earlier?.release();
        more.release();
      },
    };
    this.#width = 'wide';
    this.#session.settings({ initialWindowSize: wide });
  }

  #narrow(): void {
    if (this.#width !== 'wide' || this.#session.closed || this.#session.destroyed) return;
    this.#width = 'narrowing';
    // Until the client says that it knows, it may use what it had.
    this.#session.settings({ initialWindowSize: narrow }, (error) => {
      if (error === null) this.#width = 'narrow';
    });
  }
}
