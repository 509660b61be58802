// The beginning of a response by which an origin may say that a secret has ended, where its status alone does not.

import type { HeaderList } from '../../http/header-list.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import type { InjectedRequest } from '../credentials/credential-set.ts';

const statuses: ReadonlySet<number> = new Set([400, 403]);

export class RefusingStart {
  readonly #told: NonNullable<InjectedRequest['onRefusing']>;
  #headers: HeaderList | undefined;
  #start = '';

  /** Undefined where no credential of the request asks for it. */
  static of({ onRefusing }: Pick<InjectedRequest, 'onRefusing'>): RefusingStart | undefined {
    return onRefusing === undefined ? undefined : new RefusingStart(onRefusing);
  }

  private constructor(told: NonNullable<InjectedRequest['onRefusing']>) {
    this.#told = told;
  }

  readonly onHead = (status: number, headers: HeaderList): void => {
    if (statuses.has(status)) this.#headers = headers;
  };

  readonly onText = (chunk: Uint8Array): void => {
    const room = defaultLimits.refusalCharactersMax - this.#start.length;
    if (this.#headers !== undefined && room > 0)
      this.#start += Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength).toString(
        'latin1',
        0,
        room,
      );
  };

  /** There is no more of it. */
  tell(nowMs: number): void {
    if (this.#headers !== undefined) this.#told({ headers: this.#headers, start: this.#start }, nowMs);
  }
}
