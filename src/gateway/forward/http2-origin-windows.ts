// How much an origin may send ahead on the streams of one HTTP/2 connection, and so what is held of responses whose client does not
// take them. Beyond the smallest window it is taken from the budget of the session, and without room there it is only slower.

import type { ClientHttp2Session } from 'node:http2';

import type { HeldOctets } from '../../protocol/held-octets.ts';
import { defaultLimits } from '../../protocol/limits.ts';

const { http2WindowBytes: narrow, http2OriginWindowBytes: wide } = defaultLimits;

export interface SessionRoom {
  readonly held: HeldOctets;
  readonly sessionId: string;
}

export class Http2OriginWindows {
  readonly #session: ClientHttp2Session;
  readonly #room: SessionRoom | undefined;
  /** Streams for which there was no room. */
  #narrowStreams = 0;
  #isWide = true;
  /** Settings that the origin has not said to know. */
  #isTold = true;

  constructor(session: ClientHttp2Session, room: SessionRoom | undefined) {
    this.#session = session;
    this.#room = room;
  }

  /** Before a request, so that the origin has the settings in front of it. Gives what is to be called at its end. */
  begin(): () => void {
    if (this.#room === undefined) return () => undefined;
    const { held, sessionId } = this.#room;
    const reserved = held.reserveSpare(sessionId, wide - narrow);
    if (reserved === undefined) {
      this.#narrowStreams += 1;
      if (this.#isWide) this.#set(false);
      return () => {
        this.#narrowStreams -= 1;
      };
    }
    if (!this.#isWide && this.#narrowStreams === 0 && this.#isTold) this.#set(true);
    return () => reserved.release();
  }

  #set(isWide: boolean): void {
    if (this.#session.closed || this.#session.destroyed) return;
    this.#isWide = isWide;
    this.#isTold = false;
    this.#session.settings({ initialWindowSize: isWide ? wide : narrow }, () => {
      this.#isTold = true;
    });
  }
}
